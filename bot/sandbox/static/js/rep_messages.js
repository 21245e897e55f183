// What the app sent to a rep, newest first: text, cards, whatever kind.
import { get } from "./api.js";
import { empty, h, icon, problem, safeUrl, show, skeleton, syncList } from "./dom.js";
import { fullTime, shortTime } from "./format.js";
import { emit, state } from "./store.js";
import { t } from "./words.js";

const MOST = 50;
let body, list, turn = 0;

export function showMessages(place) {
  body = place;
  list = null;
  show(body, skeleton(3));
  updateMessages();
}

export async function updateMessages() {
  if (!body?.isConnected || !state.rep) return;
  const mine = (turn += 1);
  try {
    const staff = await get(`/staff/${encodeURIComponent(state.rep)}`);
    if (mine === turn && state.tab === "messages") draw(staff.messages);
  } catch (error) {
    if (mine === turn && !list) show(body, problem(error, updateMessages));
  }
}

function draw(messages) {
  if (!messages.length) {
    list = null;
    return show(body, empty("app", t("messages.empty"), t("messages.empty.text")));
  }
  if (!list) {
    list = h("div", { class: "inbox", role: "log", "aria-live": "polite", "aria-label": t("rep.messages") });
    show(body, list);
  }
  syncList(list, messages.slice(-MOST).reverse(), (message) => message.seq, card);
  emit("read");
}

/** The platform lets card texts hold <div class="gray">, <br> and the like: their text, a line each. */
function plainText(text) {
  if (!/<\w+[^>]*>/.test(text)) return text;
  const parsed = new DOMParser().parseFromString(text.replace(/<br\s*\/?>/gi, "\n"), "text/html");
  parsed.querySelectorAll("div, p").forEach((block) => block.append("\n"));
  return parsed.body.textContent.trim();
}

function card(message) {
  const href = safeUrl(message.url);
  const action = message.body?.btntxt || t("messages.open");
  return h("article", { class: "app-message" }, h("span", { class: "avatar", "aria-hidden": "true" }, icon("app")),
    h("div", {},
      h("header", {}, h("span", {}, t("messages.app")), h("time", { datetime: message.at, title: fullTime(message.at) }, shortTime(message.at))),
      h("div", { class: "app-card" },
        h("div", { class: "app-card-text" }, message.title && h("strong", { dir: "auto" }, message.title),
          message.text && h("p", { dir: "auto" }, plainText(message.text)), !message.title && !message.text && h("p", {}, t("messages.kind", { kind: message.kind }))),
        href && h("a", { href, target: "_blank", rel: "noopener" }, action, icon("external", "small")))));
}
