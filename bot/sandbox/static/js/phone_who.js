// Who scans: somebody new with an invented name, or a customer the company already has. Then the scan itself.
import { get, post } from "./api.js";
import { act, avatar, bdi, h, icon, segmented, show, toast } from "./dom.js";
import { inventName } from "./names.js";
import { pagedList } from "./paged.js";
import { openSheet } from "./phone_sheet.js";
import { qrOf } from "./phone_codes.js";
import { emit, go, readPhone, refresh, state } from "./store.js";
import { t } from "./words.js";

const LONGEST_NAME = 60, ANIMATION_MS = 1100;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Ask who holds the phone. With a code they scan it; without, the phone just becomes theirs. */
export function openWho(screen, way) {
  const body = h("div", { class: "field" });
  const tabs = way && segmented(t("who.title"), [["new", t("who.new")], ["known", t("who.known")]], "new", (tab) => choose(tab));
  const head = way ? h("div", { class: "sheet-head" }, h("img", { src: qrOf(way), alt: "" }),
    h("div", {}, h("h4", { class: "cut2" }, h("bdi", {}, way.remark || way.state)), h("small", { class: "wx-quiet" }, t("who.title")))) : h("h4", {}, t("persona.title"));
  let close = () => {};
  const done = (customer, isNew) => {
    close();
    if (way) scan(screen, way, customer, isNew);
    else emit("me", customer.id);
  };
  const choose = (tab) => show(body, tab === "new" ? newcomer(done) : known(done));
  choose(way ? "new" : "known");
  close = openSheet(screen, t("who.title"), head, tabs, body);
}

function newcomer(done) {
  const input = h("input", { class: "input", id: "who-name", value: inventName(), maxlength: LONGEST_NAME, autocomplete: "off", data: { focus: "" } });
  const submit = (event) => {
    event.preventDefault();
    const name = input.value.trim();
    if (name) done({ name }, true);
    else input.focus();
  };
  return h("form", { class: "field", on: { submit } },
    h("label", { class: "wx-quiet", for: "who-name" }, t("who.name")),
    h("div", { class: "name-row" }, input,
      h("button", { class: "dice", type: "button", "aria-label": t("who.dice"), title: t("who.dice"), on: { click: () => { input.value = inventName(); } } }, icon("dice"))),
    h("button", { class: "wx-button", type: "submit" }, icon("scan"), t("who.scan")));
}

function known(done) {
  const cell = (person) => h("button", { class: "wx-cell", type: "button", on: { click: () => done(person, false) } }, avatar(person, "small"),
    h("span", { class: "wx-cell-text" }, h("strong", { class: "cut" }, bdi(person.name)),
      h("small", { class: "cut" }, person.staff.length ? t("who.friends", { names: person.staff.join(t("comma")) }) : t("who.nofriends"))));
  const { search, list } = pagedList({ path: "/people", label: t("who.search"), make: cell, nothing: t("who.nobody") });
  return [search, h("div", { class: "sheet-list" }, list)];
}

/** The viewfinder runs while the sandbox does its part; the callback is not waited for. */
async function scan(screen, way, customer, isNew) {
  const cover = h("div", { class: "viewfinder", role: "status" }, h("figure", {}, h("img", { src: qrOf(way), alt: "" })), h("p", {}, t("scanning")));
  screen.append(cover);
  const started = performance.now();
  await act(null, async () => {
    const customerId = isNew ? await freeName(customer.name) : customer.id;
    const answer = await post("/scan", { customer: customerId, code: way.config_id, mode: "async" });
    const rest = (calm.matches ? 0 : ANIMATION_MS) - (performance.now() - started);
    if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
    if (answer.already) toast(t("scan.already"));
    go({ me: answer.customer_id, seq: "" });
    state.phone = null;
    emit("scanned", answer);
    refresh();
    await readPhone();
    emit("open", { screen: "chat", chat: answer.staff });
  });
  cover.remove();
}

/** A scan takes an existing customer of that very name, so a new one gets a name nobody has: the platform has no such rule. */
async function freeName(name) {
  for (let number = 1; ; number += 1) {
    const tried = number === 1 ? name : `${name} ${number}`;
    const { items } = await get("/people", { q: tried, limit: 100 });
    if (!items.some((person) => person.name === tried)) return tried;
  }
}
