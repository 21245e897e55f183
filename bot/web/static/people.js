// Addresses keep only the filters that are set; with a script no button is needed to apply them.
"use strict";
(() => {
  document.addEventListener("formdata", (event) => {
    if (!event.target.matches("form[data-tidy]")) return;
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });
  for (const button of document.querySelectorAll("[data-without-script]")) button.hidden = true;
  const all = document.querySelector("[data-tick-all]");
  if (all) {
    all.hidden = false;
    all.addEventListener("change", () => { for (const box of document.querySelectorAll("[name=id][form=bulk]")) box.checked = all.checked; });
  }
})();
