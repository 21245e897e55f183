// Stands for WeCom's JS-SDK where the sandbox plays WeCom. The chat that is open is named in the address: ?chat=external_userid or chat_id.
"use strict";
window.ww = (() => {
  const { sandbox, staff } = document.currentScript.dataset;
  const asked = new URLSearchParams(location.search).get("chat");
  const key = "lianke-sandbox-chat";
  const kept = () => { try { return sessionStorage.getItem(key) ?? ""; } catch { return ""; } };
  try { if (asked !== null || location.pathname === "/sidebar") sessionStorage.setItem(key, asked ?? ""); } catch { /* a browser that keeps nothing */ }
  const chat = asked ?? kept();
  const isGroup = chat.startsWith("wr");
  let options = null, configured = null;

  const fail = (api, told) => Object.assign(new Error(`${api}:fail ${told}`), { errMsg: `${api}:fail ${told}` });
  // text/plain: a plain request, which needs no leave of the sandbox beforehand
  const post = async (path, body) => {
    const answer = await fetch(`${sandbox}/sandbox/${path}`, { method: "POST", headers: { "Content-Type": "text/plain" }, body: JSON.stringify(body) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error?.message ?? String(answer.status));
    return told;
  };
  const configure = async () => {
    const url = location.href.split("#")[0];
    const signed = await options.getAgentConfigSignature(url);
    const { errcode } = await post("agent_config", { ...signed, url, corpid: options.corpId, agentid: String(options.agentId) });
    if (errcode) throw fail("agentConfig", String(errcode));
  };
  const call = async (api, work) => {
    if (!options) throw fail(api, "no register");
    await (configured ??= configure());
    if (!options.jsApiList.includes(api)) throw fail(api, "no such method");
    return { errMsg: `${api}:ok`, ...await work() };
  };

  return {
    register: (chosen) => { options = chosen; configured = null; },
    getContext: () => call("getContext", () => ({ entry: isGroup ? "group_chat_tools" : chat ? "single_chat_tools" : "normal" })),
    getCurExternalContact: () => call("getCurExternalContact", () => {
      if (!chat || isGroup) throw fail("getCurExternalContact", "without context of external contact");
      return { userId: chat };
    }),
    getCurExternalChat: () => call("getCurExternalChat", () => {
      if (!isGroup) throw fail("getCurExternalChat", "without context of external chat");
      return { chatId: chat };
    }),
    sendChatMessage: (message) => call("sendChatMessage", async () => {
      if (!chat || isGroup) throw fail("sendChatMessage", "no permission");
      const { errcode, errmsg } = await post("send_chat_message", { staff, customer: chat, message });
      if (errcode) throw fail("sendChatMessage", errmsg);
      return {};
    }),
  };
})();
