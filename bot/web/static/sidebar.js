// Everything works without this file. With it: earlier lines come in place, drafts survive, one save is one save.
"use strict";
(() => {
  const form = document.querySelector("[data-write]");
  const field = (name) => form.elements.namedItem(name);
  const key = `lianke-draft-${form.dataset.contact}`;
  const kept = ["kind", "content", "next", "date", "next_step"];
  const storage = (work) => { try { return work(localStorage); } catch { return null; } };
  const sheet = form.closest(".sheet");

  const keep = () => {
    const values = Object.fromEntries(kept.map((name) => [name, field(name).value]));
    storage((s) => values.content || values.next_step ? s.setItem(key, JSON.stringify(values)) : s.removeItem(key));
  };
  const restore = () => {
    const text = storage((s) => s.getItem(key));
    if (!text || sheet.classList.contains("is-open")) return;
    let values;
    try { values = JSON.parse(text); } catch { return; }
    for (const name of kept) if (typeof values[name] === "string") field(name).value = values[name];
    const told = form.querySelector("[data-restored-here]");
    told.textContent = form.dataset.restored;
    told.hidden = false;
  };
  const isOpen = () => location.hash === "#write" || sheet.classList.contains("is-open");
  const shown = () => { if (isOpen()) field("content").focus({ preventScroll: true }); };

  if (document.querySelector("[data-saved]")) {
    storage((s) => s.removeItem(key));
    const address = new URL(location.href);
    address.searchParams.delete("saved");
    history.replaceState(null, "", address);
  }
  restore();
  shown();
  addEventListener("hashchange", shown);
  form.addEventListener("input", keep);
  form.addEventListener("submit", (event) => {
    const button = form.querySelector("[type=submit]");
    if (button.getAttribute("aria-disabled")) return event.preventDefault();
    button.setAttribute("aria-disabled", "true");
    button.textContent = form.dataset.saving;
  });
  addEventListener("keydown", (event) => {
    if (!isOpen()) return;
    if (event.key === "Escape") form.querySelector("[data-close]").click();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  const append = (page) => {
    const lines = document.getElementById("lines");
    lines.dataset.grown = "";
    for (const day of page.querySelectorAll("#lines > .day")) {
      const last = lines.lastElementChild;
      if (last && last.dataset.day === day.dataset.day) last.querySelector("ol").append(...day.querySelector("ol").children);
      else lines.append(day);
    }
  };
  document.addEventListener("click", async (event) => {
    const more = event.target.closest("[data-more]");
    if (!more || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (more.getAttribute("aria-busy")) return;
    more.setAttribute("aria-busy", "true");
    const label = more.textContent;
    more.textContent = more.dataset.loading;
    try {
      const answer = await fetch(more.href, { credentials: "same-origin" });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      append(page);
      const next = page.querySelector("[data-more]");
      if (next) { more.href = next.getAttribute("href"); more.textContent = label; } else more.remove();
    } catch { more.textContent = more.dataset.failed; }
    more.removeAttribute("aria-busy");
  });
})();
