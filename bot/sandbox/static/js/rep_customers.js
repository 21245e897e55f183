// A rep's customers: remark, tags, delete, accept, write. Every change is one a rep makes in the WeCom client.
import { get, post } from "./api.js";
import { act, ask, avatar, bdi, h, icon, show, toast } from "./dom.js";
import { count, fullTime, shortTime } from "./format.js";
import { pagedList } from "./paged.js";
import { emit, refresh, state } from "./store.js";
import { t } from "./words.js";

const LONGEST_REMARK = 20, LONGEST_DESCRIPTION = 150, LONGEST_TEXT = 600;
let customers = null, place = null, requests = null;
let opened = "";

export function showCustomers(body) {
  place = body;
  opened = "";
  const total = h("p", { class: "quiet", role: "status" });
  requests = h("div");
  customers = pagedList({
    path: "/people", label: t("customers.search"), make: row, nothing: t("customers.empty"), query: () => ({ staff: state.rep }),
    onTotal: (number) => { total.textContent = t("customers.total", { n: count(number) }); },
  });
  show(body, h("div", { class: "customers-head" }, customers.search, total), requests, customers.list);
  readRequests();
}

export function updateCustomers() {
  if (!place?.isConnected || opened) return; // what somebody is editing stays as it is
  customers.reload();
  readRequests();
}

async function readRequests() {
  const { items } = await get("/requests", { staff: state.rep }).catch(() => ({ items: [] }));
  show(requests, items.map((person) => h("div", { class: "request" }, avatar(person, "small"),
    h("div", {}, h("strong", { class: "cut" }, bdi(person.name)), h("p", { class: "quiet" }, t("customers.asks"))),
    h("button", { class: "button primary", type: "button", on: { click: (event) => act(event.currentTarget, async () => {
      const answer = await post("/accept", { staff: state.rep, customer: person.id, mode: "async" });
      emit("scanned", answer);
      await refresh();
    }) } }, t("customers.accept")))));
}

function row(person) {
  const panel = h("div", { hidden: true, id: `edit-${person.id}` });
  const noted = [person.company, ...person.mobiles, person.description].filter(Boolean).join(" · ");
  const button = h("button", { type: "button", "aria-expanded": "false", "aria-controls": panel.id },
    avatar(person), h("div", {},
      h("span", { class: "customer-line" }, h("strong", { class: "cut" }, bdi(person.remark || person.name)),
        h("span", { class: "from" }, person.type === 2 ? t("customers.wecom") : t("customers.wechat")),
        h("time", { datetime: person.at, title: fullTime(person.at) }, shortTime(person.at))),
      person.remark && person.remark !== person.name && h("small", { class: "quiet cut" }, t("customers.nickname"), bdi(person.name)),
      noted && h("small", { class: "quiet cut" }, bdi(noted)),
      person.tags.length > 0 && h("span", { class: "tags" }, person.tags.map((tag) => h("span", { class: "chip" }, h("bdi", { class: "cut" }, tag.name)))),
      person.deleted_by_customer && h("span", { class: "gone" }, icon("cross", "small"), t("customers.gone")),
      person.half && h("span", { class: "gone" }, icon("clock", "small"), t("customers.half"))),
    icon("down", "small turn"));
  button.addEventListener("click", () => toggle(person, button, panel));
  return h("article", { class: "customer" }, button, panel);
}

async function toggle(person, button, panel) {
  const open = panel.hidden;
  place.querySelectorAll(".customer > button[aria-expanded='true']").forEach((other) => {
    other.setAttribute("aria-expanded", "false");
    show(other.nextElementSibling);
    other.nextElementSibling.hidden = true;
  });
  opened = open ? person.id : "";
  if (!open) return updateCustomers();
  button.setAttribute("aria-expanded", "true");
  panel.hidden = false;
  const groups = await get("/tags").then((answer) => answer.items, () => []);
  if (opened === person.id) show(panel, editor(person, groups));
}

function editor(person, groups) {
  const picked = new Set(person.tags.map((tag) => tag.id));
  const remark = h("input", { class: "input", maxlength: LONGEST_REMARK, value: person.remark });
  const description = h("input", { class: "input", maxlength: LONGEST_DESCRIPTION, value: person.description });
  const save = (event) => {
    event.preventDefault();
    const change = changes(person, remark.value.trim(), description.value.trim(), picked);
    if (!Object.keys(change).length) return toast(t("edit.nothing"));
    return act(event.submitter, async () => {
      const answer = await post("/edit", { staff: state.rep, customer: person.id, ...change });
      toast(t(answer.callback_status === 200 ? "edit.done" : "edit.untold"), answer.callback_status === 200 ? "ok" : "bad");
      opened = "";
      emit("scanned", { customer_id: person.id });
      await refresh();
    });
  };
  return h("form", { class: "editor", on: { submit: save } },
    h("label", { class: "field" }, h("span", {}, t("edit.remark")), remark),
    h("label", { class: "field" }, h("span", {}, t("edit.description")), description),
    groups.length > 0 && h("fieldset", {}, h("legend", {}, t("edit.tags")), groups.map((group) => tagLine(group, picked))),
    h("div", { class: "row" }, h("button", { class: "button primary", type: "submit" }, t("edit.save")),
      h("a", { class: "button", target: "_blank", rel: "noopener", href: `/sandbox/sidebar?${new URLSearchParams({ staff: state.rep, customer: person.id })}` }, t("sidebar.open")),
      h("button", { class: "button danger", type: "button", on: { click: (event) => removeCustomer(event.currentTarget, person) } }, icon("trash", "small"), t("remove"))),
    sayForm(person));
}

function tagLine(group, picked) {
  const pick = (tag) => h("button", { class: "tag-pick", type: "button", "aria-pressed": String(picked.has(tag.id)), on: { click: (event) => {
    if (!picked.delete(tag.id)) picked.add(tag.id);
    event.currentTarget.setAttribute("aria-pressed", String(picked.has(tag.id)));
  } } }, h("span", {}, h("bdi", {}, tag.name)));
  return h("div", { class: "tag-line", role: "group", "aria-label": group.name }, h("span", { class: "cut", title: group.name }, group.name), h("div", {}, group.tags.map(pick)));
}

function changes(person, remark, description, picked) {
  const before = new Set(person.tags.map((tag) => tag.id));
  const change = {};
  if (remark !== person.remark) change.remark = remark;
  if (description !== person.description) change.description = description;
  const added = [...picked].filter((id) => !before.has(id));
  const removed = [...before].filter((id) => !picked.has(id));
  if (added.length) change.add_tags = added;
  if (removed.length) change.remove_tags = removed;
  return change;
}

async function removeCustomer(button, person) {
  const rep = state.staff.find((one) => one.userid === state.rep)?.name ?? state.rep;
  if (!(await ask(t("remove.title", { name: person.remark || person.name }), t("remove.text", { rep }), t("remove")))) return;
  await act(button, async () => {
    await post("/remove", { staff: state.rep, customer: person.id, mode: "async" });
    opened = "";
    emit("scanned", { customer_id: person.id });
    await refresh();
    toast(t("remove.done"));
  });
}

/** Written with buttons instead of a form of its own: forms do not nest. */
function sayForm(person) {
  const input = h("input", { class: "input", maxlength: LONGEST_TEXT, "aria-label": t("say.label"), placeholder: t("say.label") });
  const button = h("button", { class: "button", type: "button" }, t("send"));
  const send = () => input.value.trim() && act(button, async () => {
    await post("/chat", { staff: state.rep, customer: person.id, from: "staff", text: input.value.trim() });
    input.value = "";
    toast(t("say.done"));
    await refresh();
  });
  button.addEventListener("click", send);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    send();
  });
  return h("div", { class: "say" }, input, button);
}
