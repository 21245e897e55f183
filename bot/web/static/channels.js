// The channel form: names put where the cursor is, one row of a link at a time.
"use strict";
(() => {
  document.querySelectorAll("[data-put], [data-more-links]").forEach((part) => { part.hidden = false; });

  document.addEventListener("click", (event) => {
    const put = event.target.closest("[data-put]");
    if (put) {
      const text = put.form.elements.text;
      text.setRangeText(put.dataset.put, text.selectionStart, text.selectionEnd, "end");
      text.focus();
      text.dispatchEvent(new Event("input", { bubbles: true }));
    }
    if (event.target.closest("[data-more-links]")) showLinks(1)?.querySelector("input").focus();
  });

  const links = [...document.querySelectorAll("[data-link]")];
  const isEmpty = (row) => [...row.querySelectorAll("input")].every((field) => !field.value);
  let shown = 0;
  function showLinks(more) {
    shown = Math.min(links.length, Math.max(1, shown) + more);
    links.forEach((row, n) => { row.hidden = n >= shown && isEmpty(row); });
    const button = document.querySelector("[data-more-links]");
    if (button) button.hidden = shown >= links.length;
    return links[shown - 1];
  }
  if (links.length) { shown = links.filter((row) => !isEmpty(row)).length; showLinks(0); }

  const form = document.getElementById("channel-form");
  const week = form?.querySelector("[data-week]");
  const showWeek = () => { if (week) week.hidden = form.elements.shift.value !== "custom"; };
  form?.addEventListener("change", showWeek);
  showWeek();
})();
