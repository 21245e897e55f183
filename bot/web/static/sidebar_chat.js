// Asks WeCom whose chat is open and goes to that customer's profile, or to the group's page; says in words when it cannot.
"use strict";
(async () => {
  const page = document.querySelector("[data-chat]");
  const { corp, agent, csrf, signature, open, home } = page.dataset;
  const single = ["contact_profile", "single_chat_tools", "chat_attachment", "single_kf_tools"];
  const patience = 8000; // ms after which a silent client counts as failed

  const tell = (state, told = "") => {
    for (const part of page.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== state;
    page.querySelector("[data-told]").textContent = told;
  };
  const getAgentConfigSignature = async () => {
    const body = new URLSearchParams({ url: location.href.split("#")[0] });
    const answer = await fetch(signature, { method: "POST", headers: { "X-CSRF-Token": csrf }, body });
    if (!answer.ok) throw new Error(`signature ${answer.status}`);
    return answer.json();
  };
  const inTime = (work) => Promise.race([work, new Promise((_, fail) => { setTimeout(() => fail(new Error("timeout")), patience); })]);

  try {
    ww.register({ corpId: corp, agentId: agent, jsApiList: ["getContext", "getCurExternalContact", "getCurExternalChat", "sendChatMessage"], getAgentConfigSignature });
    const { entry } = await inTime(ww.getContext());
    if (entry !== "group_chat_tools" && !single.includes(entry)) return location.replace(home);
    const address = new URL(open, location.href);
    if (entry === "group_chat_tools") address.searchParams.set("chat_id", (await inTime(ww.getCurExternalChat())).chatId);
    else address.searchParams.set("external_userid", (await inTime(ww.getCurExternalContact())).userId);
    location.replace(address);
  } catch (error) { tell("failed", error.errMsg ?? error.message ?? ""); }
})();
