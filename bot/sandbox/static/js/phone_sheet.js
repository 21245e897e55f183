// A sheet that slides up inside the phone; Escape and a tap beside it close it, focus goes back where it was.
import { h } from "./dom.js";

export function openSheet(screen, label, ...children) {
  const before = document.activeElement;
  const rest = [...screen.children].filter((child) => !child.classList.contains("scrim"));
  const close = () => {
    scrim.remove();
    rest.forEach((child) => { child.inert = false; });
    before?.focus?.();
  };
  const scrim = h("div", { class: "scrim", on: { click: (event) => event.target === scrim && close() } },
    h("div", { class: "sheet", role: "dialog", "aria-modal": "true", "aria-label": label }, ...children));
  scrim.addEventListener("keydown", (event) => event.key === "Escape" && close());
  screen.querySelectorAll(".scrim").forEach((old) => old.remove());
  rest.forEach((child) => { child.inert = true; });
  screen.append(scrim);
  (scrim.querySelector("[data-focus]") ?? scrim.querySelector("input, button"))?.focus();
  return close;
}
