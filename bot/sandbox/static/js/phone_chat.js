// A chat thread on the customer's phone.
import { post } from "./api.js";
import { attachment } from "./attachments.js";
import { act, avatar, h, iconButton, show, syncList } from "./dom.js";
import { fullTime, shortTime } from "./format.js";
import { emit, refresh, state } from "./store.js";
import { t } from "./words.js";

const PATIENCE_MS = 25000; // a welcome code lives 20 seconds: after that none will come
const GAP_MS = 5 * 60000; // WeChat shows the time again after such a pause
const LONGEST = 600;
let log, foot, body, tail;

export const chatOf = () => state.phone?.chats.find((chat) => chat.staff.userid === state.chat);

export function showChat(view) {
  const chat = chatOf();
  log = h("div", { role: "log", "aria-live": "polite", "aria-label": t("chat.log"), class: "chat" });
  tail = h("div", { class: "chat" });
  foot = h("div");
  body = h("div", { class: "wx-body", tabindex: "0", "aria-label": t("chat.log") }, log, tail);
  const name = chat?.staff.name ?? state.chat;
  show(view,
    h("div", { class: "wx-bar" }, iconButton("back", t("back"), () => emit("open", { screen: "home" })),
      h("h3", {}, h("bdi", { class: "cut", title: name }, name), h("small", { class: "cut" }, `@${state.summary?.company ?? ""}`)),
      iconButton("more", t("chat.more"), () => emit("open", { screen: "profile" }))),
    body, foot);
  updateChat();
}

export function updateChat() {
  const chat = chatOf();
  if (!chat || !log) return;
  const low = body.scrollHeight - body.scrollTop - body.clientHeight < 80;
  const before = log.children.length;
  syncList(log, entries(chat), (entry) => entry.key, draw);
  updateTail(chat);
  updateFoot(chat);
  if (low || before === 0) body.scrollTop = body.scrollHeight;
}

/** Messages with the platform's own lines between them. */
function entries(chat) {
  const found = [];
  let last = 0;
  const time = (at) => {
    if (Date.parse(at) - last > GAP_MS) found.push({ key: `t${at}`, kind: "time", at });
    last = Date.parse(at);
  };
  if (chat.added_at) {
    const earlier = chat.messages.filter((message) => Date.parse(message.at) < Date.parse(chat.added_at));
    for (const message of earlier) { time(message.at); found.push(entryOf(chat, message)); }
    time(chat.added_at);
    found.push({ key: `a${chat.added_at}${chat.standing === "asked"}`, kind: "note", text: chat.standing === "asked" ? t("chat.asked") : t("chat.added", { name: chat.staff.name }) });
    for (const message of chat.messages.slice(earlier.length)) { time(message.at); found.push(entryOf(chat, message)); }
  } else {
    for (const message of chat.messages) { time(message.at); found.push(entryOf(chat, message)); }
  }
  return found;
}

const entryOf = (chat, message) => ({ key: `m${message.seq}`, kind: "message", message, staff: chat.staff });

function draw(entry) {
  if (entry.kind === "time") return h("time", { class: "chat-time", title: fullTime(entry.at), datetime: entry.at }, shortTime(entry.at));
  if (entry.kind === "note") return h("p", { class: "chat-note" }, entry.text);
  const { message, staff } = entry;
  const mine = message.from === "customer";
  return h("div", { class: mine ? "message mine" : "message", title: fullTime(message.at) },
    avatar(mine ? { id: state.me, name: state.phone?.name ?? "" } : staff),
    h("div", { class: "stack" },
      h("span", { class: "sr" }, mine ? t("chat.you") : t("chat.from", { name: staff.name })),
      message.text && h("div", { class: "bubble", dir: "auto" }, message.text),
      message.attachments.map(attachment)));
}

let patience = 0;

/** What is not a message: that one is coming, that none came, that the two are no friends any more. */
function updateTail(chat) {
  clearTimeout(patience);
  const waited = Date.now() - Date.parse(chat.added_at ?? 0) + (state.summary?.offset_s ?? 0) * 1000;
  const silent = !chat.messages.some((message) => message.from === "staff" && message.at >= (chat.added_at ?? "").slice(0, 19));
  const friend = chat.standing === "friend" || chat.standing === "half";
  const why = () => h("button", { type: "button", on: { click: () => emit("pane", "trace") } }, t("chat.why"));
  if (friend && silent && waited < PATIENCE_MS) {
    show(tail, h("div", { class: "message" }, avatar(chat.staff), h("div", { class: "bubble typing", role: "img", "aria-label": t("chat.typing") }, h("i"), h("i"), h("i"))));
    patience = setTimeout(() => updateTail(chatOf() ?? chat), PATIENCE_MS - waited);
  } else if (friend && silent && waited < PATIENCE_MS * 40) show(tail, h("p", { class: "chat-note" }, t("chat.silent"), " ", why()));
  else if (chat.standing === "deleted") show(tail, h("p", { class: "chat-note" }, t("chat.deleted", { name: chat.staff.name })));
  else if (chat.standing === "removed") show(tail, h("p", { class: "chat-note bad" }, t("chat.removed", { name: chat.staff.name })));
  else show(tail);
  tail.hidden = !tail.children.length;
}

function updateFoot(chat) {
  const friend = chat.standing === "friend";
  if (foot.dataset.friend === String(friend)) return;
  foot.dataset.friend = String(friend);
  show(foot, friend ? composer(chat) : h("div", { class: "wx-foot" },
    h("button", { class: "wx-button", type: "button", on: { click: () => emit("open", { screen: "codes" }) } }, t("scan.again"))));
}

function composer(chat) {
  const input = h("textarea", { class: "input", rows: "1", maxlength: LONGEST, "aria-label": t("chat.write"), placeholder: t("chat.write") });
  const form = h("form", { class: "composer" }, input, h("button", { class: "wx-button", type: "submit" }, t("send")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    act(form.querySelector("button"), async () => {
      await post("/chat", { staff: chat.staff.userid, customer: state.me, from: "customer", text });
      input.value = "";
      await refresh();
      body.scrollTop = body.scrollHeight;
      input.focus();
    });
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  return form;
}
