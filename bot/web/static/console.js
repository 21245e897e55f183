// Keys, the colours' switch, and what a page asks for again by itself. Pages work without it.
"use strict";
(() => {
  const THEME = "lianke-theme";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const kept = () => { try { return localStorage.getItem(THEME); } catch { return null; } };
  const told = document.documentElement.dataset.theme; // what the account chose
  const paint = () => { document.documentElement.dataset.bsTheme = told || kept() || (dark.matches ? "dark" : "light"); };
  paint();
  dark.addEventListener("change", paint);

  const rows = () => [...document.querySelectorAll(".rows tbody tr")];
  const choose = (step) => {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.classList.contains("is-chosen"));
    const next = all[Math.max(0, Math.min(all.length - 1, at + step))];
    all.forEach((row) => row.classList.toggle("is-chosen", row === next));
    next.scrollIntoView({ block: "nearest" });
  };
  const go = (key) => document.querySelector(`.rail nav a[data-key="${CSS.escape(key)}"]`)?.click();
  let afterG = 0;

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    const search = document.querySelector("[data-search]");
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && typing?.form) { typing.form.requestSubmit(); return; }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (Date.now() < afterG) { afterG = 0; go(event.key); return; }
    if (event.key === "/" && search) { event.preventDefault(); search.focus(); }
    else if (event.key === "?") document.getElementById("keys")?.showModal();
    else if (event.key === "g") afterG = Date.now() + 1500;
    else if (event.key === "j") choose(1);
    else if (event.key === "k") choose(-1);
    else if (event.key === "Enter") document.querySelector(".rows tr.is-chosen a.open")?.click();
  });

  document.querySelectorAll("[data-print]").forEach((button) => { button.hidden = false; });
  addEventListener("beforeprint", () => document.querySelectorAll("details.more:not(:has(form))").forEach((fold) => { fold.open = true; }));

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) print();
    const theme = event.target.closest("[data-theme-switch]");
    if (theme) { // kept for the account, and here for the login page
      theme.value = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
      try { localStorage.setItem(THEME, theme.value); } catch { /* this page only */ }
    }
    const menu = document.querySelector(".me[open]");
    if (menu && !event.target.closest(".me")) menu.open = false;
  });

  document.addEventListener("change", (event) => {
    if (event.target.closest("form[data-at-once]")) event.target.form.requestSubmit();
  });

  // Long choices are narrowed by typing; what is chosen stays in sight.
  document.querySelectorAll("[data-narrow]").forEach((field) => { field.hidden = false; });
  document.addEventListener("input", (event) => {
    const narrow = event.target.closest("[data-narrow]");
    if (!narrow) return;
    const wanted = narrow.value.trim().toLowerCase(), choice = narrow.closest("[data-narrowed]");
    choice.querySelectorAll("[data-text]").forEach((box) => {
      box.hidden = !box.dataset.text.toLowerCase().includes(wanted) && !box.querySelector("input").checked;
    });
    choice.querySelectorAll("[data-narrow-group]").forEach((group) => { group.hidden = !group.querySelector("[data-text]:not([hidden])"); });
  });

  // A file is chosen by a click or dropped; without this script the browser's own field is there.
  const size = (bytes) => bytes < 1048576 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
  document.querySelectorAll("input[type=file][data-choose]").forEach((field) => {
    const box = document.createElement("div"), told = document.createElement("span");
    const tell = () => {
      const file = field.files[0];
      told.textContent = file ? `${file.name} · ${size(file.size)}` : field.dataset.choose;
      box.classList.toggle("is-filled", Boolean(file));
    };
    box.className = "drop";
    told.ariaHidden = "true"; // the field says it by itself
    field.replaceWith(box);
    box.append(field, told);
    field.addEventListener("change", tell);
    ["dragenter", "dragleave", "drop"].forEach((name) => box.addEventListener(name, () => box.classList.toggle("is-over", name === "dragenter")));
    tell();
  });

  // A form is sent once: a second click changes nothing while the first is on its way.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || [...form.attributes].some((one) => one.name.startsWith("hx-"))) return;
    const what = `${event.submitter?.formAction} ${event.submitter?.name} ${event.submitter?.value}`;
    if (form.dataset.sent === what) return event.preventDefault();
    form.dataset.sent = what;
    setTimeout(() => { delete form.dataset.sent; }, 3000); // a file to download leaves the page where it is
  });
  addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach((form) => { delete form.dataset.sent; }));

  // What scrolls sideways can be scrolled by keys.
  const reach = () => document.querySelectorAll(".rows").forEach((box) => {
    if (box.scrollWidth <= box.clientWidth) return box.removeAttribute("tabindex");
    Object.assign(box, { tabIndex: 0, role: "region", ariaLabel: box.ariaLabel || document.querySelector("h1")?.textContent.trim() });
  });
  reach();
  addEventListener("resize", reach);
})();
