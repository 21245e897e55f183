// Speaks to the open chat through WeCom's JS-SDK, as window.lianke; asks for a signature when first used.
"use strict";
window.lianke = (() => {
  const { corp, agent, csrf, signature, external } = document.currentScript.dataset;
  const patience = 8000; // ms after which a silent client counts as failed
  const entered = location.href.split("#")[0]; // a search changes the address; iOS signs the one that was entered
  let isReady = false;

  const getAgentConfigSignature = async () => {
    const body = new URLSearchParams({ url: entered });
    const answer = await fetch(signature, { method: "POST", headers: { "X-CSRF-Token": csrf }, body });
    if (!answer.ok) throw new Error(`signature ${answer.status}`);
    return answer.json();
  };
  const inTime = (work) => Promise.race([work, new Promise((_, fail) => { setTimeout(() => fail(new Error("timeout")), patience); })]);
  const ready = () => {
    if (!isReady) ww.register({ corpId: corp, agentId: agent, jsApiList: ["getContext", "getCurExternalContact", "sendChatMessage"], getAgentConfigSignature });
    isReady = true;
  };

  /** Whether the client has this customer's chat open: "yes", "other" for somebody else's, "no" where it cannot send. */
  const openChat = async () => {
    if (!csrf || !external || typeof ww === "undefined") return "no";
    try {
      ready();
      const { entry } = await inTime(ww.getContext());
      if (!entry || entry === "normal" || entry === "contact_profile") return "no";
      const { userId } = await inTime(ww.getCurExternalContact());
      return userId === external ? "yes" : "other";
    } catch { return "no"; }
  };
  const send = async (message) => { ready(); await inTime(ww.sendChatMessage(message)); };
  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); return true; } catch { /* an older client */ }
    const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "unseen" });
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  };
  if (csrf && external) addEventListener("DOMContentLoaded", openChat); // ready before the tap
  return { openChat, send, copy };
})();
