// Starts the page: language, theme, panes, then the poll.
import { h, icon, show } from "./dom.js";
import { ahead } from "./format.js";
import { startPhone } from "./phone.js";
import { startRep } from "./rep.js";
import { emit, go, on, refresh, state } from "./store.js";
import { startTools } from "./tools.js";
import { startTrace } from "./trace.js";
import { language, setLanguage, t } from "./words.js";

const board = document.querySelector(".board");
const wide = matchMedia("(min-width: 1220px)");

function translate() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = t("brand");
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  const button = document.getElementById("language");
  button.textContent = language === "zh" ? "English" : "中文";
  button.lang = language === "zh" ? "en" : "zh-CN";
  button.addEventListener("click", () => setLanguage(language === "zh" ? "en" : "zh"));
}

function startTheme() {
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const draw = () => {
    show(button, icon(isDark() ? "sun" : "moon"));
    button.title = t(isDark() ? "theme.light" : "theme.dark");
    button.setAttribute("aria-label", button.title);
  };
  button.addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    localStorage.setItem("sandbox.theme", next);
    draw();
  });
  system.addEventListener("change", draw);
  draw();
}

const PANES = [["phone", "phone"], ["rep", "rep"], ["trace", "trace"]];

function startTabs() {
  const tabs = document.getElementById("tabs");
  tabs.setAttribute("role", "tablist");
  tabs.setAttribute("aria-label", t("tabs"));
  const badge = h("span", { class: "badge", hidden: true });
  show(tabs, PANES.map(([pane, name]) => h("button", { type: "button", role: "tab", "aria-controls": pane, data: { pane }, on: { click: () => choose(pane) } },
    icon(name), h("span", {}, t(`tab.${pane}`)), pane === "rep" && badge)));
  on("unread", (n) => {
    badge.hidden = n === 0;
    badge.textContent = n > 99 ? "99+" : String(n);
  });
  on("pane", (pane) => {
    choose(pane);
    if (wide.matches) document.getElementById(pane).focus();
  });
  choose(state.pane);
}

/** Which pane a narrow window shows; a wide one shows them all. */
function choose(pane) {
  go({ pane });
  board.dataset.pane = pane;
  const tablet = matchMedia("(min-width: 720px)").matches;
  const shown = tablet && pane === "phone" ? "rep" : pane;
  for (const tab of document.getElementById("tabs").children) tab.setAttribute("aria-selected", String(tab.dataset.pane === shown));
  emit("read");
}

function startNotes() {
  const clockNote = document.getElementById("clock-note");
  const product = document.getElementById("product-note");
  const banner = document.getElementById("banner");
  on("summary", (summary) => {
    clockNote.hidden = !summary.offset_s;
    clockNote.dataset.state = "odd";
    show(clockNote, icon("clock", "small"), h("span", {}, ahead(summary.offset_s)));
    product.hidden = !summary.product_url;
    product.href = summary.product_url;
    show(product, h("span", {}, t("product.link")), icon("external", "small"));
  });
  on("online", (online) => {
    banner.hidden = online;
    banner.textContent = online ? "" : t("error.offline");
  });
}

translate();
startTheme();
startTabs();
startNotes();
startPhone();
startRep();
startTrace();
startTools();
refresh();
