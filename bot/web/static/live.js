// Keeps a page up to date: asks whether its version is still the newest, fetches the page again where it is not, and
// puts its parts marked data-live in place. Where rows would move under the pointer, or a form is in use, it only says so.
"use strict";
(() => {
  const hint = document.querySelector("[data-live-from]");
  const button = hint.querySelector("button");
  const PACE = Number(hint.dataset.liveEvery) * 1000, FARTHEST = 60000;
  const headers = { "X-Lianke-Live": "1" };
  let shown = hint.dataset.liveSince; // the version in front of the reader
  let fetched = shown, waiting = null; // a newer page that was not put in place, and its version
  let delay = PACE, timer = 0, running = false, over = false;

  const first = (select) => Math.max(0, [...select.options].findIndex((option) => option.defaultSelected));
  const dirty = (field) => field.matches("select") ? field.selectedIndex !== first(field)
    : ["checkbox", "radio"].includes(field.type) ? field.checked !== field.defaultChecked
    : !["hidden", "submit"].includes(field.type) && field.value !== field.defaultValue;
  const inUse = (part) => part.querySelector("details[open] form") || part.querySelector("dialog[open]")
    || part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")
    || [...part.querySelectorAll("input, textarea, select")].some(dirty);
  const rows = (part) => [...part.querySelectorAll("a.open, .entry")].map((row) => row.href ?? row.textContent).join("\n");
  const moves = (part, fresh) => part.dataset.live === "rows" && rows(part) !== rows(fresh)
    && (part.matches(":hover") || part.getBoundingClientRect().top < 0 || part.querySelector("[data-grown]") || part.contains(document.activeElement));
  const reads = (part) => { const chosen = getSelection(); return chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode); };

  const keep = (old, fresh) => {
    const folds = [...fresh.querySelectorAll("details")];
    [...old.querySelectorAll("details")].forEach((fold, n) => { if (folds[n]) folds[n].open = fold.open; });
    const chosen = old.querySelector(".is-chosen a.open")?.getAttribute("href");
    if (chosen) fresh.querySelector(`a.open[href="${CSS.escape(chosen)}"]`)?.closest("tr")?.classList.add("is-chosen");
    const focus = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    return () => { if (focus) fresh.querySelector(`a[href="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true }); };
  };
  const place = (page, all) => {
    let left = 0;
    for (const old of document.querySelectorAll("[data-live][id]")) {
      const fresh = page.getElementById(old.id);
      if (!fresh || fresh.isEqualNode(old)) continue;
      if (inUse(old) || (!all && (reads(old) || moves(old, fresh)))) { left += 1; continue; }
      const node = document.importNode(fresh, true), after = keep(old, node);
      old.replaceWith(node);
      after();
      window.htmx?.process(node);
      node.dispatchEvent(new CustomEvent("lianke:fresh", { bubbles: true }));
    }
    return left;
  };
  const say = (count) => {
    const news = count === 1 ? hint.dataset.newsOne : hint.dataset.news.replace("{n}", count > 99 ? "99+" : count);
    button.textContent = count ? news : hint.dataset.changed;
    button.hidden = false;
  };
  const settle = (left, version, page, count) => {
    fetched = version;
    waiting = left ? page : null;
    if (left) return say(count);
    shown = version;
    button.hidden = true;
  };

  const look = async () => {
    const asked = await fetch(`${hint.dataset.liveFrom}&since=${encodeURIComponent(shown)}`, { headers, credentials: "same-origin" });
    if ([401, 403, 404].includes(asked.status) || asked.redirected) { over = true; return; }
    if (!asked.ok) throw new Error(String(asked.status));
    if (asked.status === 204) return;
    const { version, count } = await asked.json();
    if (version === fetched && waiting) return say(count);
    const answer = await fetch(location.href, { headers, credentials: "same-origin" });
    if (answer.redirected || !answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const since = page.querySelector("[data-live-since]")?.dataset.liveSince;
    if (since) settle(place(page, false), since, page, count);
  };
  const turn = async () => {
    if (running || over || document.hidden) return;
    running = true;
    const began = performance.now();
    try {
      await look();
      delay = Math.max(PACE, Math.min(FARTHEST, (performance.now() - began) * 10)); // a slow server is asked less often
    } catch { delay = Math.min(FARTHEST, delay * 2); }
    running = false;
    clearTimeout(timer);
    if (!over && !document.hidden) timer = setTimeout(turn, delay);
  };

  button.addEventListener("click", () => { if (waiting) settle(place(waiting, true), fetched, waiting, 0); });
  document.addEventListener("visibilitychange", () => { clearTimeout(timer); if (!document.hidden) turn(); });
  addEventListener("pagehide", () => clearTimeout(timer));
  addEventListener("pageshow", (event) => { if (event.persisted) turn(); });
  timer = setTimeout(turn, PACE);
})();
