// One step of the trace: what it was, how it went, and on a click the payload (its secrets masked by the product).
import { get } from "./api.js";
import { h, icon, problem, show } from "./dom.js";
import { since, span } from "./format.js";
import { scanWord } from "./trace.js";
import { apiName, changeTitle, eventName, t } from "./words.js";

const PHASE_ICONS = { scan: "scan", callback: "callback", inbox: "inbox", handler: "handler", outbox: "outbox", api: "api" };
const STATE_ICONS = { ok: "check", running: "clock", waiting: "hourglass", failed: "cross", dead: "cross", unknown: "question",
  expired: "clock", skipped: "skip", quarantined: "lock" };

export function stepView(node) {
  const more = h("div", { class: "step-more" }, detailOf(node));
  const payload = h("div", { hidden: true });
  const source = payloadOf(node);
  const inside = [
    h("span", { class: "step-phase" }, t(`phase.${node.phase}`)),
    h("span", { class: "step-ms" }, timeOf(node)),
    h("span", { class: "step-title" }, titleOf(node)),
    h("span", { class: "step-state" }, icon(STATE_ICONS[node.state] ?? "question"), t(`state.${node.state}`)),
  ];
  const open = source
    ? h("button", { class: "step-open", type: "button", "aria-expanded": "false", title: t("step.open"), on: { click: (event) => toggle(event.currentTarget, payload, source) } }, inside)
    : h("div", { class: "step-open" }, inside);
  return h("div", {}, h("span", { class: "step-mark", "aria-hidden": "true" }, icon(PHASE_ICONS[node.phase])), open, more.children.length > 0 && more, payload);
}

const isAnswer = (node) => node.name.startsWith("answer.");

/** When it was; for what took its time, from when to when. */
function timeOf(node) {
  const ended = node.ended_ms ?? node.ms;
  return ended > node.ms && ended < 1000 ? `+${node.ms} → ${since(ended)}` : ended > node.ms ? `${since(node.ms)} → ${since(ended)}` : since(node.ms);
}

function titleOf(node) {
  switch (node.phase) {
    case "scan": return scanTitle(node.scan);
    case "callback": return t("title.callback");
    case "inbox": return t(isAnswer(node) ? "title.answer" : "title.inbox", { name: eventName(node.name) });
    case "handler": return t(node.changes.length ? "title.handler" : "title.handler.none", { n: node.changes.length });
    case "outbox": return t("title.outbox", { n: node.calls.length });
    default: return apiName(node.name);
  }
}

function scanTitle(scan) {
  return h("span", {}, h("bdi", {}, scan.customer.name ?? scan.customer.id), " ", scanWord(scan), " ", h("bdi", {}, scan.staff.name ?? scan.staff.userid));
}

function detailOf(node) {
  return { scan: scanDetail, callback: callbackDetail, inbox: inboxDetail, handler: handlerDetail, outbox: outboxDetail, api: apiDetail }[node.phase](node);
}

const scanDetail = ({ scan }) => (scan.channel ? h("p", {}, t("detail.channel"), h("bdi", {}, scan.channel)) : "");

function callbackDetail(node) {
  const [first] = node.tries;
  if (node.tries.length === 1 && first.status === 200) return h("p", {}, t("detail.http", { status: first.status, time: span(first.ms) }));
  if (!node.tries.length) return h("p", {}, t(node.state === "skipped" ? "detail.lost" : "detail.sending", { url: node.url }));
  return h("ul", {}, node.tries.map((one) => h("li", { class: one.status === 200 ? "" : "bad" },
    one.status ? t("detail.http", { status: one.status, time: span(one.ms) }) : t("detail.unanswered", { time: span(one.ms), error: one.error }))));
}

const inboxDetail = (node) => h("p", {}, t("detail.inbox", { id: node.event_id }), " ", h("code", { title: node.name }, node.name.split(".").pop()));

function handlerDetail(node) {
  return [
    h("ul", {}, node.changes.map((change) => h("li", {}, h("span", { dir: "auto" }, changeTitle(change))))),
    node.error && h("p", { class: "bad" }, node.error),
  ].filter((part) => part && part.childNodes.length);
}

function outboxDetail(node) {
  return h("ul", {}, node.calls.map((call) => h("li", {}, h("span", {}, apiName(call.name), t("colon"), t(`call.${call.state}`)))));
}

function apiDetail(node) {
  const parts = [h("p", {}, h("code", {}, node.name), node.errcode !== null && h("span", { class: node.errcode ? "bad" : "" }, ` · errcode ${node.errcode}`))];
  if (node.attempts > 1) parts.push(h("p", {}, t("detail.attempts", { n: node.attempts })));
  if (node.detail && node.state !== "ok") parts.push(h("p", { dir: "auto" }, t("detail.reason", { text: node.detail })));
  return parts;
}

/** Where a step's payload comes from: the callback brings its own, the product tells the others. */
function payloadOf(node) {
  if (node.phase === "callback") return async () => [t("payload.callback"), node.xml];
  const path = node.phase === "api" ? `/trace/call/${node.call_id}` : ["inbox", "handler", "outbox"].includes(node.phase) ? `/trace/event/${node.event_id}` : "";
  if (!path) return null;
  return async () => {
    const { product, status, item } = await get(path);
    if (product !== "ok") throw new Error(t(`product.${product}`, { status, url: "" }));
    if (node.phase === "inbox") return [t("payload.event"), item.payload ?? t("payload.gone")];
    if (node.phase === "outbox") return [t("payload.calls"), item.calls];
    return [t(node.phase === "api" ? "payload.call" : "payload.handler"), node.phase === "api" ? item : { ...item, payload: undefined }];
  };
}

async function toggle(button, place, source) {
  const open = place.hidden;
  button.setAttribute("aria-expanded", String(open));
  place.hidden = !open;
  if (!open) return;
  try {
    const [about, content] = await source();
    show(place, h("div", { class: "payload" }, h("p", {}, about), h("pre", { tabindex: "0" }, pretty(content))));
  } catch (error) {
    show(place, problem(error));
  }
}

/** XML with an element a line, JSON indented (also when it comes as text). */
export function pretty(content) {
  if (typeof content !== "string") return JSON.stringify(content, null, 2);
  if (content.startsWith("<")) {
    return content.replace(/<xml>/, "<xml>\n  ").replace(/(<\/\w+>)(?=<\w)/g, "$1\n  ").replace(/<\/xml>$/, "\n</xml>");
  }
  try {
    return JSON.stringify(JSON.parse(content), null, 2);
  } catch {
    return content;
  }
}

