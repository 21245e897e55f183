// The live trace: which callback is followed, how often to ask, and the sentence on top.
import { get } from "./api.js";
import { empty, h, icon, problem, show, skeleton, syncList } from "./dom.js";
import { clock, span } from "./format.js";
import { go, on, state } from "./store.js";
import { stepView } from "./trace_steps.js";
import { changeWord, isolated, t } from "./words.js";

const PACES = [[6000, 300], [30000, 1000], [120000, 3000]]; // for so long after we began: ask this often
const AWAY_MS = 5000, LONGEST_WATCH_MS = 15 * 60000;
const QUIET_ROUNDS = 3; // settled so often in a row: nothing more will come

const body = document.getElementById("trace-body");
const choice = document.getElementById("trace-choice");
const verdict = h("div", { class: "verdict", "aria-live": "polite" });
const notes = h("div", { class: "trace-notes" });
const steps = h("ol", { class: "steps" });
const tail = h("div", { class: "steps-tail" });
let watch = null;
let pinned = state.seq !== "";

export function startTrace() {
  show(body, skeleton(5));
  on("scans", drawChoice);
  on("scanned", () => {
    pinned = false;
    body.parentElement.scrollTop = 0;
  });
  on("resent", () => follow(current(), true));
}

const current = () => state.scans?.find((scan) => String(scan.seq) === state.seq);

function drawChoice() {
  const { scans } = state;
  if (!scans.length) {
    stop();
    show(choice);
    return show(body, empty("trace", t("trace.empty"), t("trace.empty.text")));
  }
  if (!pinned || !current()) go({ seq: String(scans[0].seq) });
  const select = h("select", { class: "input choice", "aria-label": t("trace.choose"), on: { change: (event) => {
    pinned = event.target.value !== String(scans[0].seq);
    go({ seq: event.target.value });
    follow(current());
  } } }, scans.map((scan) => h("option", { value: String(scan.seq), selected: String(scan.seq) === state.seq }, scanLabel(scan))));
  if (choice.firstChild?.innerHTML !== select.innerHTML || choice.firstChild?.value !== select.value) show(choice, select);
  if (watch?.seq !== state.seq) follow(current());
}

export const scanWord = (scan) => changeWord(scan.change_type);
const scanLabel = (scan) => `${clock(scan.at)} ${isolated(scan.customer.name ?? scan.customer.id)} ${scanWord(scan)}`;

function stop() {
  if (watch) clearTimeout(watch.timer);
  watch = null;
}

function follow(scan, again = false) {
  if (!scan) return;
  stop();
  watch = { seq: String(scan.seq), scan, began: performance.now(), quiet: 0, timer: 0 };
  if (!again) {
    steps.keyed = Date.now() - Date.parse(scan.at) < PACES[0][0] ? new Map() : undefined;
    steps.replaceChildren();
    show(verdict);
    show(notes);
  }
  show(body, verdict, notes, steps, tail);
  ask(watch);
}

async function ask(mine) {
  let trace = null;
  try {
    trace = await get("/trace", { customer: mine.scan.customer.id, callback: mine.seq });
    if (mine !== watch) return;
    draw(mine.scan, trace);
  } catch (error) {
    if (mine !== watch) return;
    show(notes, problem(error));
  }
  const away = !trace || trace.product !== "ok";
  mine.quiet = trace?.settled && !away ? mine.quiet + 1 : 0;
  const age = performance.now() - mine.began;
  const over = mine.quiet >= QUIET_ROUNDS || (trace?.product === "unknown" && trace.nodes.every((node) => node.final)) || (age > PACES.at(-1)[0] && !away) || age > LONGEST_WATCH_MS;
  drawTail(trace, over, mine);
  if (over) return;
  const pace = PACES.find(([until]) => age < until)?.[1] ?? AWAY_MS;
  mine.timer = setTimeout(() => ask(mine), away ? Math.max(pace, 1000) : pace);
}

function drawTail(trace, over, mine) {
  if (!over && trace?.product === "ok" && !trace.settled) return show(tail, h("p", { class: "waiting-tail" }, t("trace.waiting")));
  if (!over) return show(tail);
  return show(tail, h("div", { class: "row" }, h("button", { class: "plain", type: "button", on: { click: () => follow(mine.scan, true) } },
    icon("refresh", "small"), t("trace.again"))));
}

function draw(scan, trace) {
  drawVerdict(scan, trace);
  const note = trace.product === "ok" ? (trace.arrived || trace.nodes[0].state === "waiting" ? "" : "trace.lost") : `product.${trace.product}`;
  show(notes, note && h("p", { class: "notice" }, t(note, { status: trace.status, url: state.summary?.product_url ?? "" })));
  const first = { id: "scan", phase: "scan", ms: 0, state: "ok", scan };
  syncList(steps, [first, ...trace.nodes], (node) => node.id, (node) => h("li", { class: "step", data: { state: node.state, phase: node.phase } }, stepView(node)));
}

const WELCOME = "externalcontact/send_welcome_msg";

/** The answer before the details: did the welcome arrive, and after how long. */
function drawVerdict(scan, trace) {
  const welcome = trace.nodes.find((node) => node.phase === "api" && node.name === WELCOME);
  const added = ["add_external_contact", "add_half_external_contact"].includes(scan.change_type);
  const last = Math.max(...trace.nodes.map((node) => node.ended_ms ?? node.ms));
  const done = trace.settled && trace.arrived;
  let key = done ? "verdict.done" : trace.arrived ? "verdict.running" : `verdict.callback.${trace.nodes[0].state}`;
  if (added && welcome) key = `verdict.welcome.${welcome.state}`;
  else if (added && done) key = "verdict.nowelcome";
  const time = span(welcome && welcome.ended_ms !== null ? welcome.ended_ms : last);
  const told = JSON.stringify([scan.seq, key, time, last, trace.settled]);
  if (verdict.dataset.told === told && verdict.children.length) return;
  verdict.dataset.told = told;
  verdict.dataset.state = welcome?.state ?? trace.nodes[0].state;
  const [before, after] = t(key, { time: "|" }).split("|");
  show(verdict, h("strong", {}, before, after !== undefined && h("em", {}, time), after),
    h("p", { class: "quiet" }, done ? t("verdict.all", { n: trace.nodes.length + 1, time: span(last) }) : t("verdict.live")));
}

