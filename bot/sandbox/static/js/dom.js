// Making and updating elements. Text only ever becomes a text node: names are other people's input.
import { t } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

/** h("button", {class: "x", on: {click}}, "text", child, ...): null, false and undefined children are left out. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [type, fn] of Object.entries(value)) element.addEventListener(type, fn);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "value" || name === "disabled") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function icon(name, extra = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${extra}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/sandbox/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** A person's name: its own direction, never wider than its place. */
export const bdi = (name, extra = "cut") => h("bdi", { class: extra, title: name }, name);

/** An icon-only button with a name for those who cannot see the icon. */
export function iconButton(name, label, click, props = {}) {
  return h("button", { class: "plain", type: "button", "aria-label": label, title: label, on: { click }, ...props }, icon(name));
}

export function show(container, ...children) {
  container.replaceChildren(...children.flat().filter(Boolean));
}

function hue(text) {
  let sum = 7;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return sum;
}

/** The last two characters of a Chinese name, the first letters of others: what WeCom shows without a picture. */
export function initials(name) {
  const han = name.match(/\p{Script=Han}/gu) ?? [];
  if (han.length) return han.length > 4 ? han[0] : han.slice(-2).join("");
  return [...name.matchAll(/[\p{L}\p{N}]/gu)].slice(0, 1).map((found) => found[0].toUpperCase()).join("") || "·";
}

export function avatar(person, extra = "") {
  const element = h("span", { class: `avatar ${extra}`, "aria-hidden": "true" });
  element.style.setProperty("--hue", hue(person.userid ?? person.id ?? person.name ?? ""));
  const local = localPath(person.avatar ?? "");
  element.append(local ? h("img", { src: local, alt: "", loading: "lazy" }) : initials(person.name ?? ""));
  return element;
}

/** Pictures of this sandbox by path (whatever host it is called by); nothing for others: the page loads no strangers. */
export function localPath(url) {
  try {
    const parsed = new URL(url, location.href);
    return parsed.pathname.startsWith("/sandbox/media/") ? parsed.pathname : "";
  } catch {
    return "";
  }
}

/** An address one may open, or nothing: never javascript: and the like. */
export function safeUrl(url) {
  try {
    const parsed = new URL(url);
    return ["http:", "https:"].includes(parsed.protocol) ? parsed.href : "";
  } catch {
    return "";
  }
}

/**
 * Make the children of a container one element per item, by key; elements whose item is unchanged stay, with their
 * focus and scroll. An element made for a key that was not there before is marked `fresh` (not on the first call).
 */
export function syncList(container, items, keyOf, make) {
  const known = container.keyed ?? new Map();
  const next = new Map();
  const first = container.keyed === undefined;
  for (const item of items) {
    const key = String(keyOf(item));
    const text = JSON.stringify(item);
    const old = known.get(key);
    const element = old && old.text === text ? old.element : make(item);
    if (!old && !first) element.classList.add("fresh");
    if (old && old.element !== element && old.element.contains(document.activeElement)) {
      queueMicrotask(() => (element.querySelector("button, a, input") ?? element).focus({ preventScroll: true }));
    }
    next.set(key, { text, element });
  }
  const wanted = [...next.values()].map((entry) => entry.element);
  for (const child of [...container.children]) if (!wanted.includes(child)) child.remove();
  wanted.forEach((element, place) => {
    if (container.children[place] !== element) container.insertBefore(element, container.children[place] ?? null);
  });
  container.keyed = next;
}

export function empty(name, title, text, ...actions) {
  return h("div", { class: "empty" }, icon(name), h("strong", {}, title), text && h("p", {}, text), ...actions);
}

export const skeleton = (rows = 4) => h("div", { class: "skeleton", "aria-hidden": "true" }, Array.from({ length: rows }, () => h("i")));

export function problem(error, again) {
  return h("div", { class: "problem", role: "alert" }, h("span", {}, error.message ?? String(error)),
    again && h("button", { class: "button", type: "button", on: { click: again } }, t("retry")));
}

const TOAST_MS = 4200;

export function toast(text, kind = "ok") {
  const element = h("div", { class: "toast", data: { kind } }, icon(kind === "bad" ? "alert" : "check"), h("span", {}, text));
  document.getElementById("toasts").append(element);
  setTimeout(() => element.remove(), kind === "bad" ? TOAST_MS * 2 : TOAST_MS);
}

/** Ask before something cannot be undone; answers whether to do it. */
export function ask(title, text, action) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { class: "ask", "aria-labelledby": "ask-title" },
      h("h3", { id: "ask-title" }, title), h("p", {}, text),
      h("div", { class: "row end" },
        h("button", { class: "button", type: "button", autofocus: true, on: { click: () => dialog.close("") } }, t("cancel")),
        h("button", { class: "button danger", type: "button", on: { click: () => dialog.close("yes") } }, action)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Run a person's action: the button rests meanwhile, a refusal is told. */
export async function act(button, work) {
  if (button) button.disabled = true;
  try {
    return await work();
  } catch (error) {
    toast(error.message, "bad");
    return undefined;
  } finally {
    if (button) button.disabled = false;
  }
}

/** Tabs as one widget: arrow keys move, the chosen one is told. items: [value, label]. */
export function segmented(label, items, chosen, choose) {
  const group = h("div", { class: "segmented", role: "tablist", "aria-label": label });
  const pick = (value) => {
    for (const tab of group.children) {
      tab.setAttribute("aria-selected", String(tab.dataset.value === value));
      tab.tabIndex = tab.dataset.value === value ? 0 : -1;
    }
    choose(value);
  };
  for (const [value, text] of items) {
    group.append(h("button", { type: "button", role: "tab", "aria-selected": String(value === chosen),
      tabindex: value === chosen ? "0" : "-1", data: { value }, on: { click: () => pick(value) } }, text));
  }
  arrows(group, "ArrowLeft", "ArrowRight");
  return group;
}

/** Arrow keys walk through the buttons of a group. */
export function arrows(group, before, after) {
  group.addEventListener("keydown", (event) => {
    const step = { [before]: -1, [after]: 1 }[event.key];
    const buttons = [...group.querySelectorAll("button")];
    const place = buttons.indexOf(document.activeElement);
    if (!step || place < 0) return;
    event.preventDefault();
    const next = buttons[(place + step + buttons.length) % buttons.length];
    next.focus();
    if (next.getAttribute("role") === "tab") next.click();
  });
}
