// The sandbox's journals: API calls, callbacks, ledger. The newest first, fifty at a time, read only while looked at.
import { get } from "./api.js";
import { h, problem, segmented, show, syncList } from "./dom.js";
import { clock, fullTime } from "./format.js";
import { on, state } from "./store.js";
import { pretty } from "./trace_steps.js";
import { t } from "./words.js";

const PAGE = 50;
const KINDS = {
  calls: { seq: "calls", make: callRow },
  callbacks: { seq: "callbacks", make: callbackRow },
  ledger: { seq: "ledger", make: effectRow },
};
let kind = "", most = PAGE, drawn = "";
const list = h("ol", { class: "journal" });
const tail = h("div");

export function startJournals() {
  const section = h("section", { class: "tool", "aria-labelledby": "tool-journal" });
  const place = h("div", { hidden: true }, list, tail);
  const why = h("p", { class: "quiet" });
  const choose = (name) => {
    kind = name;
    most = PAGE;
    list.keyed = undefined;
    list.replaceChildren();
    drawn = "";
    place.hidden = false;
    why.textContent = t(`journal.${name}.why`);
    read();
  };
  show(section, h("h4", { id: "tool-journal" }, t("journal.title")), segmented(t("journal.title"), Object.keys(KINDS).map((name) => [name, t(`journal.${name}`)]), "", choose), why, place);
  for (const [place_, tab] of section.querySelectorAll("[role=tab]").entries()) if (place_ === 0) tab.tabIndex = 0;
  on("summary", () => kind && list.offsetParent !== null && read());
  return section;
}

async function read() {
  const newest = state.summary?.seqs[KINDS[kind].seq] ?? 0;
  const wanted = `${kind} ${newest} ${most}`;
  if (drawn === wanted && kind !== "callbacks") return;
  const mine = kind;
  try {
    const { items } = await get(`/${kind}`, { after: Math.max(0, newest - most) });
    if (mine !== kind) return;
    drawn = wanted;
    syncList(list, items.reverse(), (item) => item.seq, KINDS[kind].make);
    const more = newest > most && h("button", { class: "button load-more", type: "button", on: { click: () => { most += PAGE; read(); } } }, t("journal.more"));
    show(tail, !items.length && h("p", { class: "quiet" }, t("journal.empty")), more);
  } catch (error) {
    show(tail, problem(error, read));
  }
}

function line(item, code, state_, good, content) {
  const payload = h("div", { class: "payload", hidden: true });
  const open = (event) => {
    payload.hidden = !payload.hidden;
    event.currentTarget.setAttribute("aria-expanded", String(!payload.hidden));
    if (!payload.children.length) show(payload, h("pre", { tabindex: "0" }, content()));
  };
  return h("li", {}, h("button", { type: "button", "aria-expanded": "false", on: { click: open } },
    h("time", { datetime: item.at, title: fullTime(item.at) }, clock(item.at)), h("code", { class: "cut", title: code }, code),
    h("span", { class: good ? "ok" : "bad" }, state_)), payload);
}

function callRow(call) {
  const word = call.status === 0 ? t("journal.dropped") : call.status !== 200 ? `HTTP ${call.status}` : `errcode ${call.errcode ?? "—"}`;
  const good = call.status === 200 && call.errcode === 0;
  return line(call, call.api, word, good, () => pretty(hidden({ ...call, body: parsed(call.body) })));
}

function callbackRow(delivery) {
  const words = { pending: t("state.waiting"), delivered: `HTTP ${delivery.status}`, failed: t("state.failed"), lost: t("detail.lost.short") };
  return line(delivery, delivery.change_type || delivery.event, words[delivery.state], delivery.state !== "failed",
    () => pretty(delivery.xml.replace(/(<WelcomeCode><!\[CDATA\[)[^\]]*/, "$1***")));
}

function effectRow(effect) {
  return line(effect, effect.api, `#${effect.seq}`, true, () => pretty(hidden({ body: effect.body, result: effect.result })));
}

function parsed(body) {
  try {
    return JSON.parse(body);
  } catch {
    return body || undefined;
  }
}

/** Without what opens doors: codes and tokens. */
function hidden(value) {
  return JSON.parse(JSON.stringify(value, (key, inner) => (/^(welcome_code|access_token|ticket|code|secret)$/.test(key) ? "***" : inner)));
}
