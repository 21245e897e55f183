// For developers: send a callback again, inject faults, move the clock, read the journals. Each says what it is for.
import { post, remove } from "./api.js";
import { act, h, icon, show, toast } from "./dom.js";
import { ahead } from "./format.js";
import { startJournals } from "./journals.js";
import { emit, on, refresh, state } from "./store.js";
import { apiName, t } from "./words.js";

const APIS = ["externalcontact/send_welcome_msg", "externalcontact/mark_tag", "externalcontact/remark", "externalcontact/get", "message/send",
  "externalcontact/update_contact_way", "gettoken", "*"];
const ERRCODES = [-1, 45009, 45033, 84061, 41050, 41051, 42001, 40001];
const STATUSES = [500, 502, 503, 429];
const HOUR_S = 3600, DAY_S = 86400;

export function startTools() {
  const place = document.getElementById("tools");
  place.className = "tools";
  show(place, h("h3", {}, icon("tools"), t("tools.title")), resendTool(), faultTool(), clockTool(), tokenTool(), startJournals());
}

const tool = (name, ...children) => h("section", { class: "tool", "aria-labelledby": `tool-${name}` }, ...children);
const words = (name) => h("div", {}, h("h4", { id: `tool-${name}` }, t(`tool.${name}`)), h("p", { class: "quiet" }, t(`tool.${name}.why`)));
const option = (value, text) => h("option", { value: String(value) }, text);

function resendTool() {
  const times = h("select", { class: "input", "aria-label": t("tool.times") }, [1, 3, 10].map((n) => option(n, t("times", { n }))));
  const send = (event) => act(event.currentTarget, async () => {
    const answer = await post("/resend", { times: Number(times.value) });
    const good = answer.statuses.filter((status) => status === 200).length;
    toast(t("tool.resend.done", { n: answer.statuses.length, good }), good === answer.statuses.length ? "ok" : "bad");
    await refresh();
    emit("resent");
  });
  return tool("resend", h("div", { class: "tool-head" }, words("resend")), h("div", { class: "tool-grid" }, times,
    h("button", { class: "button", type: "button", id: "resend", on: { click: send } }, icon("refresh", "small"), t("tool.resend.do"))));
}

function faultTool() {
  const field = (label, input, extra = "") => h("label", { class: `field ${extra}` }, h("span", {}, label), input);
  const api = h("select", { class: "input", id: "fault-api" }, APIS.map((name) => option(name, name === "*" ? t("fault.any") : apiName(name))));
  const mode = h("select", { class: "input", id: "fault-mode" }, ["errcode", "http", "timeout", "cut"].map((name) => option(name, t(`fault.${name}`))));
  const times = h("input", { class: "input", type: "number", min: "1", max: "999", value: "1" });
  const detail = h("div");
  const why = h("p", { class: "quiet wide" });
  const inputs = {
    errcode: h("select", { class: "input", id: "fault-errcode" }, ERRCODES.map((code) => option(code, `${code} ${t(`errcode.${code}`)}`))),
    http: h("select", { class: "input" }, STATUSES.map((status) => option(status, String(status)))),
    timeout: h("input", { class: "input", type: "number", min: "0", max: "60000", step: "500", value: "6000" }),
    cut: h("input", { class: "input", type: "number", min: "0", max: "60000", step: "500", value: "0" }),
  };
  const choose = () => {
    show(detail, field(t(`fault.${mode.value}.detail`), inputs[mode.value]));
    why.textContent = t(`fault.${mode.value}.why`);
  };
  mode.addEventListener("change", choose);
  choose();
  const arm = (event) => act(event.currentTarget, async () => {
    const value = Number(inputs[mode.value].value);
    const name = { errcode: "errcode", http: "status", timeout: "delay_ms", cut: "delay_ms" }[mode.value];
    await post("/faults", { api: api.value, mode: mode.value, times: Number(times.value), [name]: value });
    await refresh();
  });
  return tool("fault", words("fault"), h("div", { class: "tool-grid" }, field(t("fault.api"), api, "wide"), field(t("fault.mode"), mode), detail, why,
    field(t("fault.times"), times), h("button", { class: "button", type: "button", id: "arm", on: { click: arm } }, icon("alert", "small"), t("fault.arm"))), armedFaults());
}

function armedFaults() {
  const box = h("div", { class: "armed", role: "status", hidden: true });
  let told = "";
  on("summary", ({ faults }) => {
    if (told === JSON.stringify(faults)) return;
    told = JSON.stringify(faults);
    box.hidden = !faults.length;
    const clear = (event) => act(event.currentTarget, async () => {
      await remove("/faults");
      await refresh();
    });
    show(box, h("ul", {}, faults.map((fault) => h("li", {}, t("fault.armed", { api: fault.api === "*" ? t("fault.any") : apiName(fault.api), mode: t(`fault.${fault.mode}`), n: fault.times })))),
      h("button", { class: "button", type: "button", id: "clear-faults", on: { click: clear } }, t("fault.clear")));
  });
  return box;
}

function clockTool() {
  const now = h("p", { class: "quiet", role: "status" });
  on("summary", ({ offset_s: offset }) => { now.textContent = offset ? t("clock.ahead", { time: ahead(offset) }) : t("clock.real"); });
  const move = (seconds) => (event) => act(event.currentTarget, async () => {
    await post("/clock", { advance_s: seconds });
    await refresh();
    toast(t("clock.done", { time: ahead(state.summary.offset_s) }));
  });
  return tool("clock", words("clock"), h("div", { class: "tool-grid" },
    h("button", { class: "button", type: "button", id: "clock-hour", on: { click: move(HOUR_S) } }, t("clock.hour")),
    h("button", { class: "button", type: "button", on: { click: move(DAY_S) } }, t("clock.day"))), now);
}

function tokenTool() {
  const expire = (event) => act(event.currentTarget, async () => {
    const { expired } = await post("/tokens/expire");
    toast(t("tool.token.done", { n: expired }));
  });
  return tool("token", h("div", { class: "tool-head" }, words("token"), h("button", { class: "button", type: "button", on: { click: expire } }, t("tool.token.do"))));
}
