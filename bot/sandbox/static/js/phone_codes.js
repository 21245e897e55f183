// All channel codes, as pictures a real phone could scan too.
import { bdi, h, icon, iconButton, show, skeleton } from "./dom.js";
import { openWho } from "./phone_who.js";
import { emit, state } from "./store.js";
import { t } from "./words.js";

const SEARCH_FROM = 8, FIRST = 24;
let list, wanted = "", most = FIRST;

export function showCodes(view) {
  wanted = "";
  most = FIRST;
  list = h("div", { class: "wx-body", tabindex: "-1" });
  show(view, h("div", { class: "wx-bar" }, iconButton("back", t("back"), () => emit("open", { screen: "home" })), h("h3", {}, t("codes.title")), h("span")), list);
  updateCodes();
}

export function updateCodes() {
  if (!list) return;
  if (!state.ways) return show(list, skeleton(4));
  if (!state.ways.length) {
    return show(list, h("div", { class: "wx-empty" }, h("div", { class: "frame" }, icon("scan")), h("strong", {}, t("codes.empty.title")), h("p", {}, t("codes.empty.text"))));
  }
  const found = h("div", { class: "codes" });
  const search = state.ways.length > SEARCH_FROM && h("label", { class: "wx-search searchbox" }, icon("search"),
    h("span", { class: "sr" }, t("codes.search")),
    h("input", { class: "input", type: "search", placeholder: t("codes.search"), value: wanted,
      on: { input: (event) => { wanted = event.target.value; most = FIRST; fill(found); } } }));
  show(list, search, found);
  fill(found);
}

function fill(found) {
  const word = wanted.trim().toLowerCase();
  const ways = [...state.ways].reverse().filter((way) => !word || `${way.remark} ${way.state} ${reps(way)}`.toLowerCase().includes(word));
  const more = ways.length > most && h("button", { class: "wx-button second", type: "button", on: { click: () => { most += FIRST; fill(found); } } },
    t("codes.more", { n: ways.length - most }));
  show(found, ways.slice(0, most).map(codeCard), more, !ways.length && h("p", { class: "wx-empty" }, t("nothing", { word: wanted })));
}

const staffName = (userid) => state.staff?.find((one) => one.userid === userid)?.name ?? userid;
const reps = (way) => way.user.map(staffName).join(t("comma"));

function codeCard(way) {
  const name = way.remark || way.state || way.config_id;
  const nobody = !way.user.length && !way.party.length;
  return h("button", { class: "code", type: "button", disabled: nobody, data: { code: way.config_id }, on: { click: () => openWho(document.getElementById("screen"), way) } },
    h("img", { src: qrOf(way), alt: "", width: "92", height: "92", loading: "lazy" }),
    h("span", { class: "code-text" },
      h("strong", { class: "cut2" }, h("bdi", {}, name)),
      nobody ? h("span", { class: "code-none" }, t("codes.nobody")) : h("small", { class: "wx-quiet cut2" }, way.user.length ? t("codes.reps", { names: reps(way) }) : t("codes.department")),
      way.state && h("span", { class: "code-state cut" }, bdi(way.state))));
}

export const qrOf = (way) => `/sandbox/qr/${encodeURIComponent(way.config_id)}.svg`;
