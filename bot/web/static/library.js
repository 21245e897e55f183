// A file that is too large is told at once, before it is sent.
"use strict";
(() => {
  const field = document.querySelector("input[type=file][data-most]");
  const told = document.querySelector("[data-file-told]");
  if (!field || !told) return;
  const check = () => {
    const isLarge = [...field.files].some((file) => file.size > Number(field.dataset.most));
    told.textContent = isLarge ? field.dataset.large : "";
    told.hidden = !isLarge;
    field.classList.toggle("is-invalid", isLarge);
    return !isLarge;
  };
  field.addEventListener("change", check);
  field.form.addEventListener("submit", (event) => {
    if (!check()) { event.preventDefault(); field.focus(); return; }
    event.submitter?.setAttribute("aria-disabled", "true");
  });
})();
