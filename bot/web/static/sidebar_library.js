// One tap sends a reply or material into the open chat, after asking the client that it is this customer's; where the
// client cannot send, a text is copied. A use is told to us only once it happened.
"use strict";
(() => {
  const page = document.querySelector("[data-library]");
  const told = document.querySelector("[data-told]");
  const { corp, agent, csrf, external, signature, form } = page.dataset;
  const patience = 8000; // ms after which a silent client counts as failed
  const shownFor = 4000;
  const entered = location.href.split("#")[0]; // a search changes the address; iOS signs the one that was entered
  let isRegistered = false, isBusy = false, timer = 0;

  const tell = (text, isBad = false) => {
    clearTimeout(timer);
    told.textContent = text;
    told.classList.toggle("is-bad", isBad);
    told.hidden = false;
    if (!isBad) timer = setTimeout(() => { told.hidden = true; }, shownFor);
  };
  const getAgentConfigSignature = async () => {
    const body = new URLSearchParams({ url: entered });
    const answer = await fetch(signature, { method: "POST", headers: { "X-CSRF-Token": csrf }, body });
    if (!answer.ok) throw new Error(`signature ${answer.status}`);
    return answer.json();
  };
  const inTime = (work) => Promise.race([work, new Promise((_, fail) => { setTimeout(() => fail(new Error("timeout")), patience); })]);
  const register = () => {
    if (isRegistered) return;
    ww.register({ corpId: corp, agentId: agent, jsApiList: ["getContext", "getCurExternalContact", "sendChatMessage"], getAgentConfigSignature });
    isRegistered = true;
  };
  const why = (error) => error.errMsg ?? error.message ?? "";

  /** Whether the client has this customer's chat open: "yes", "other" for somebody else's, "no" where it cannot send. */
  const chat = async () => {
    if (!csrf || !external || typeof ww === "undefined") return "no";
    try {
      register();
      const { entry } = await inTime(ww.getContext());
      if (!entry || entry === "normal" || entry === "contact_profile") return "no";
      const { userId } = await inTime(ww.getCurExternalContact());
      return userId === external ? "yes" : "other";
    } catch { return "no"; }
  };
  if (csrf && external && typeof ww !== "undefined") { register(); inTime(ww.getContext()).catch(() => {}); } // ready before the tap
  const use = (item, way) => fetch(item.dataset.use, { method: "POST", keepalive: true, body: new URLSearchParams({ form, way }) }).catch(() => {});
  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); return true; } catch { /* an older client */ }
    const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "unseen" });
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  };

  const send = async (item) => {
    const messages = item.dataset.messages ? JSON.parse(item.dataset.messages) : [];
    if (!messages.length) return tell(page.dataset.waiting, true);
    const open = await chat();
    if (open === "other") return tell(page.dataset.other, true);
    if (open === "no") {
      const text = messages.find((message) => message.msgtype === "text")?.text.content;
      if (!text || !await copy(text)) return tell(page.dataset.noCopy, true);
      tell(page.dataset.copied);
      return use(item, "copy");
    }
    let sent = 0;
    try {
      for (const message of messages) { await inTime(ww.sendChatMessage(message)); sent += 1; }
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
