// Speaks to the open chat through WeCom's JS-SDK: window.lianke.send(message). Asks for a signature when first used.
"use strict";
window.lianke = (() => {
  const { corp, agent, csrf, signature } = document.currentScript.dataset;
  const patience = 8000; // ms after which a silent client counts as failed
  let isReady = false;

  const getAgentConfigSignature = async () => {
    const body = new URLSearchParams({ url: location.href.split("#")[0] });
    const answer = await fetch(signature, { method: "POST", headers: { "X-CSRF-Token": csrf }, body });
    if (!answer.ok) throw new Error(`signature ${answer.status}`);
    return answer.json();
  };
  const inTime = (work) => Promise.race([work, new Promise((_, fail) => { setTimeout(() => fail(new Error("timeout")), patience); })]);
  const ready = () => {
    if (!isReady) ww.register({ corpId: corp, agentId: agent, jsApiList: ["getContext", "getCurExternalContact", "sendChatMessage"], getAgentConfigSignature });
    isReady = true;
  };
  const send = async (message) => { ready(); await inTime(ww.sendChatMessage({ enterChat: false, ...message })); };
  return { send, sendText: (content) => send({ msgtype: "text", text: { content } }) };
})();
