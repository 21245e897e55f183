// The palette: Ctrl/Cmd+K opens it, arrows choose, Enter goes there. Its results come by htmx.
"use strict";
(() => {
  const palette = document.getElementById("palette");
  if (!palette) return;
  const input = palette.querySelector("[role=combobox]");
  const found = palette.querySelector("[role=listbox]");
  const said = palette.querySelector("[role=status]");
  const hits = () => [...found.querySelectorAll("[role=option]")];
  const chosen = () => found.querySelector("[aria-selected=true]");
  const choose = (hit) => {
    for (const one of hits()) one.setAttribute("aria-selected", String(one === hit));
    if (!hit) { input.removeAttribute("aria-activedescendant"); return; }
    input.setAttribute("aria-activedescendant", hit.id);
    hit.scrollIntoView({ block: "nearest" });
  };
  const step = (by) => {
    const all = hits();
    if (all.length) choose(all[(all.indexOf(chosen()) + by + all.length) % all.length]);
  };
  const open = () => {
    if (!palette.open) palette.showModal();
    input.select();
    input.dispatchEvent(new Event("palette-open"));
  };

  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k") return;
    event.preventDefault();
    open();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-palette]")) open();
    else if (event.target === palette) palette.close();
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") { event.preventDefault(); step(1); }
    else if (event.key === "ArrowUp") { event.preventDefault(); step(-1); }
    else if (event.key === "Enter" && chosen() && found.firstElementChild?.dataset.q === input.value.trim()) {
      event.preventDefault();
      chosen().click();
    }
  });
  found.addEventListener("htmx:afterSwap", () => {
    choose(hits()[0]);
    input.setAttribute("aria-expanded", "true");
    said.textContent = hits().length === 1 ? said.dataset.one : said.dataset.text.replace("{n}", hits().length);
  });
  palette.addEventListener("close", () => input.setAttribute("aria-expanded", "false"));
})();
