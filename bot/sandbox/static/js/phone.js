// The customer's phone: which screen is up, the home screen, and whose phone it is.
import { avatar, bdi, h, icon, iconButton, show, toast } from "./dom.js";
import { shortTime } from "./format.js";
import { showChat, updateChat } from "./phone_chat.js";
import { showCodes, updateCodes } from "./phone_codes.js";
import { showProfile } from "./phone_profile.js";
import { openWho } from "./phone_who.js";
import { emit, go, on, readPhone, state } from "./store.js";
import { t } from "./words.js";

const screen = document.getElementById("screen");
const view = h("div", { class: "wx-view" });
let shown = "";

export function startPhone() {
  show(screen, statusBar(), view);
  on("phone", update);
  on("ways", () => (state.screen === "codes" ? updateCodes() : update()));
  on("open", open);
  on("me", chooseMe);
  open({});
  if (state.code) openFromCode();
}

function statusBar() {
  const time = h("span", {}, shortTime(new Date()));
  setInterval(() => { time.textContent = shortTime(new Date()); }, 10000);
  return h("div", { class: "wx-status", "aria-hidden": "true" }, time, h("i"));
}

/** A code was scanned with a real camera, or the console sent us here: ask only who scans. */
function openFromCode() {
  open({ screen: "codes" });
  on("ways", () => {
    if (!state.code) return;
    const way = state.ways.find((one) => one.config_id === state.code) ?? state.ways.find((one) => one.state === state.code);
    state.code = "";
    if (way) openWho(screen, way);
    else toast(t("error.code_unknown"), "bad");
  });
}

/** Go to a screen of the phone. */
export function open(change) {
  go(change);
  shown = "";
  update();
  if (change.screen && document.activeElement === document.body) view.querySelector(".wx-body")?.focus({ preventScroll: true });
}

async function chooseMe(me) {
  go({ me });
  state.phone = null;
  update();
  await readPhone();
}

function update() {
  showPersona();
  const wanted = `${state.screen} ${state.me} ${state.chat}`;
  if (wanted === shown) {
    if (state.screen === "home") updateHome();
    if (state.screen === "chat") updateChat();
    return;
  }
  shown = wanted;
  const screens = { home: showHome, codes: showCodes, chat: showChat, profile: showProfile };
  (screens[state.screen] ?? showHome)(view);
}

function showPersona() {
  const person = state.phone;
  const label = person ? t("persona.of", { name: person.name }) : t("persona.none");
  show(document.getElementById("persona"), h("button", { class: "plain persona", type: "button", "aria-label": label, title: label,
    on: { click: () => openPersonas() } }, person && avatar(person, "small"), person ? bdi(person.name) : t("persona.choose"), icon("down", "small")));
}

/** Take over somebody else's phone. */
function openPersonas() {
  openWho(screen, null);
}

let list;

function showHome() {
  list = h("div", { class: "wx-body", tabindex: "-1" });
  show(view,
    h("div", { class: "wx-bar" }, h("span"), h("h3", {}, t("wechat")), iconButton("scan", t("scan"), () => open({ screen: "codes" }))),
    list,
    h("div", { class: "wx-foot" }, h("button", { class: "wx-button", type: "button", id: "scan", on: { click: () => open({ screen: "codes" }) } },
      icon("scan"), t("scan"))));
  updateHome();
}

function updateHome() {
  const chats = state.phone?.chats ?? [];
  if (!chats.length) {
    show(list, h("div", { class: "wx-empty" }, h("div", { class: "frame" }, icon("scan")), h("strong", {}, t("home.empty.title")), h("p", {}, t("home.empty.text")), state.ways?.length > 0 && h("p", { class: "wx-count" }, t("home.codes", { n: state.ways.length }))));
    return;
  }
  show(list, h("ul", {}, chats.map((chat) => h("li", {}, chatCell(chat)))));
}

function chatCell(chat) {
  const last = chat.messages.at(-1);
  const text = last ? last.text.split("\n")[0] || t("chat.attachment") : t(`standing.${chat.standing}`);
  return h("button", { class: "wx-cell", type: "button", on: { click: () => open({ screen: "chat", chat: chat.staff.userid }) } },
    avatar(chat.staff),
    h("span", { class: "wx-cell-text" },
      h("span", { class: "wx-cell-line" }, h("strong", { class: "cut" }, bdi(chat.staff.name)), h("time", {}, shortTime(last?.at ?? chat.added_at))),
      h("small", { class: "cut" }, text)));
}

