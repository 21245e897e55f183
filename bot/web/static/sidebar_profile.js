// Everything works without this file. With it: a task's messages are sent into the chat by one tap, and tags are searched.
"use strict";
(() => {
  // A message that was sent is not sent again when a later one fails: each one says so of itself.
  const sendAll = async (texts) => {
    for (const text of texts) {
      if (text.dataset.sent) continue;
      const { message } = text.dataset;
      await lianke.send(message ? JSON.parse(message) : { msgtype: "text", text: { content: text.innerText.trim() } });
      text.dataset.sent = "1";
    }
  };
  for (const form of document.querySelectorAll("form[data-send]")) {
    const button = form.querySelector("[type=submit]");
    const done = button.textContent;
    const card = form.closest(".task");
    const told = card.querySelector("[data-told]");
    if (!window.lianke) continue;
    button.textContent = form.dataset.send;
    form.addEventListener("submit", async (event) => {
      if (form.dataset.open) return;
      event.preventDefault();
      if (button.getAttribute("aria-disabled")) return;
      button.setAttribute("aria-disabled", "true");
      button.textContent = form.dataset.sending;
      const texts = [...card.querySelectorAll("[data-say]")];
      form.dataset.open = "1";
      const open = await lianke.openChat();
      try {
        if (open !== "yes") throw new Error(open);
        await sendAll(texts);
        form.submit();
      } catch {
        if (open === "other") delete form.dataset.open;
        const rest = texts.filter((text) => !text.dataset.sent && !text.dataset.message).map((text) => text.innerText.trim()).join("\n");
        told.textContent = open === "other" ? form.dataset.other : rest && await lianke.copy(rest) ? form.dataset.copied : form.dataset.byHand;
        told.hidden = false;
        button.textContent = done;
        button.removeAttribute("aria-disabled");
      }
    });
  }

  for (const filter of document.querySelectorAll("[data-filter]")) {
    const panel = filter.closest(".panel");
    filter.hidden = false;
    filter.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
    filter.addEventListener("input", () => {
      const wanted = filter.value.trim().toLowerCase();
      let found = 0;
      for (const group of panel.querySelectorAll(".tag-group")) {
        const named = group.querySelector("legend").textContent.toLowerCase().includes(wanted);
        let inside = 0;
        for (const tag of group.querySelectorAll(".chip-button")) {
          tag.hidden = !named && !tag.textContent.toLowerCase().includes(wanted);
          if (!tag.hidden) inside += 1;
        }
        group.hidden = !inside;
        found += inside;
      }
      panel.querySelector("[data-no-match]").hidden = found > 0;
    });
  }

  addEventListener("keydown", (event) => {
    const sheet = event.key === "Escape" && document.querySelector(".sheet:target:not(#write)");
    if (sheet) sheet.querySelector("[data-close]").click();
  });
})();
