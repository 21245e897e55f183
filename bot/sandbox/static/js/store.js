// What the page knows, where it is (kept in the address), and the one poll that finds out what changed.
import { get } from "./api.js";

const POLL_MS = 1000, POLL_IDLE_MS = 3000, IDLE_AFTER_MS = 60000;
const IN_ADDRESS = ["pane", "me", "screen", "chat", "rep", "tab", "seq"];
const address = new URLSearchParams(location.search);

export const state = {
  summary: null, ways: null, staff: null, scans: null, phone: null,
  pane: "phone", me: localStorage.getItem("sandbox.me") ?? "", screen: "home", chat: "", rep: "", tab: "messages", seq: "",
  code: address.get("code") ?? "",
};
for (const name of IN_ADDRESS) if (address.has(name)) state[name] = address.get(name);

const listeners = {};
export const on = (name, fn) => (listeners[name] ??= []).push(fn);
export const emit = (name, value) => (listeners[name] ?? []).forEach((fn) => fn(value));

/** Change where we are; the address follows. */
export function go(change) {
  Object.assign(state, change);
  if ("me" in change) localStorage.setItem("sandbox.me", state.me);
  const query = new URLSearchParams();
  for (const name of IN_ADDRESS) if (state[name]) query.set(name, state[name]);
  history.replaceState(null, "", `?${query}`);
}

let lastVersion = "";
let lastChange = Date.now();
let timer = 0;
let asking = null;

/** Read the summary now, and whatever it says has changed. Calls while one is under way wait for one more. */
export function refresh() {
  asking = (asking ?? Promise.resolve()).then(readAll, readAll);
  return asking;
}

async function readAll() {
  clearTimeout(timer);
  try {
    const summary = await get("/summary");
    const changed = summary.version !== lastVersion;
    state.summary = summary;
    emit("summary", summary);
    if (changed) await readChanged();
    lastVersion = summary.version;
    if (changed) lastChange = Date.now();
    emit("online", true);
  } catch (error) {
    emit("online", false);
    console.warn(error);
  }
  schedule();
}

async function readChanged() {
  const [ways, staff, scans] = await Promise.all([get("/ways"), get("/staff"), get("/scans", { limit: 30 }), readPhone()]);
  Object.assign(state, { ways: ways.items, staff: staff.items, scans: scans.items });
  for (const name of ["ways", "staff", "scans"]) emit(name, state[name]);
  emit("changed");
}

/** The phone of the chosen customer; nobody's when that customer is gone (the sandbox was emptied). */
export async function readPhone() {
  const wanted = state.me;
  let phone = null;
  if (wanted) {
    try {
      phone = await get(`/phone/${encodeURIComponent(wanted)}`);
    } catch (error) {
      if (error.status !== 404) throw error;
      if (wanted === state.me) go({ me: "", chat: "", screen: state.screen === "chat" ? "home" : state.screen });
    }
  }
  if (wanted !== state.me) return;
  state.phone = phone;
  emit("phone", phone);
}

function schedule() {
  clearTimeout(timer);
  if (document.hidden) return;
  const idle = Date.now() - lastChange > IDLE_AFTER_MS;
  timer = setTimeout(refresh, idle ? POLL_IDLE_MS : POLL_MS);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
document.addEventListener("pointerdown", () => { lastChange = Math.max(lastChange, Date.now() - IDLE_AFTER_MS / 2); });
