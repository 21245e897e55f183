// One tap sends a reply or material into the open chat, after asking the client that it is this customer's; where the
// client cannot send, a text is copied. A use is told to us only once it happened.
"use strict";
(() => {
  const page = document.querySelector("[data-library]");
  const told = document.querySelector("[data-told]");
  const { form } = page.dataset;
  const shownFor = 4000;
  let isBusy = false, timer = 0;

  const tell = (text, isBad = false) => {
    clearTimeout(timer);
    told.textContent = text;
    told.classList.toggle("is-bad", isBad);
    told.hidden = false;
    if (!isBad) timer = setTimeout(() => { told.hidden = true; }, shownFor);
  };
  const why = (error) => error.errMsg ?? error.message ?? "";

  const use = (item, way) => fetch(item.dataset.use, { method: "POST", keepalive: true, body: new URLSearchParams({ form, way }) }).catch(() => {});
  const send = async (item) => {
    const messages = item.dataset.messages ? JSON.parse(item.dataset.messages) : [];
    if (!messages.length) return tell(page.dataset.waiting, true);
    const open = await lianke.openChat();
    if (open === "other") return tell(page.dataset.other, true);
    if (open === "no") {
      const text = messages.find((message) => message.msgtype === "text")?.text.content;
      if (!text || !await lianke.copy(text)) return tell(page.dataset.noCopy, true);
      tell(page.dataset.copied);
      return use(item, "copy");
    }
    let sent = 0;
    try {
      for (const message of messages) { await lianke.send(message); sent += 1; }
    } catch (error) {
      tell((sent ? page.dataset.partly : page.dataset.failed).replace("{why}", why(error)), true);
      return sent ? use(item, "chat") : undefined;
    }
    tell(page.dataset.sent.replace("{title}", item.dataset.title));
    return use(item, "chat");
  };

  document.addEventListener("click", async (event) => {
    const item = event.target.closest("[data-item]");
    if (!item || isBusy) return;
    isBusy = true;
    const label = item.querySelector(".lib-send");
    const before = label.textContent;
    item.setAttribute("aria-disabled", "true");
    label.textContent = page.dataset.sending;
    try { await send(item); } finally {
      isBusy = false;
      item.removeAttribute("aria-disabled");
      label.textContent = before;
    }
  });
  document.querySelector("#add form")?.addEventListener("submit", (event) => {
    const button = event.target.querySelector("[type=submit]");
    if (button.getAttribute("aria-disabled")) return event.preventDefault();
    button.setAttribute("aria-disabled", "true");
  });
})();
