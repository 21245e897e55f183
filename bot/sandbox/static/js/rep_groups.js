// A rep's group chats: make one, let people in and out, rename, dismiss. What a rep does in the WeCom client.
import { get, post } from "./api.js";
import { act, ask, avatar, bdi, empty, h, icon, problem, show, skeleton, syncList, toast } from "./dom.js";
import { fullTime, shortTime } from "./format.js";
import { refresh, state } from "./store.js";
import { t } from "./words.js";

const LONGEST_NAME = 40, LONGEST_PEOPLE = 300;
let place = null, list = null, opened = "", turn = 0;

export function showGroups(body) {
  place = body;
  opened = "";
  list = h("div", {}, skeleton(3));
  show(body, newGroup(), list);
  updateGroups();
}

export async function updateGroups() {
  if (!place?.isConnected || !state.rep || list.contains(document.activeElement?.closest("input"))) return;
  const mine = (turn += 1);
  try {
    const { items } = await get("/groups", { staff: state.rep });
    if (mine !== turn || state.tab !== "groups") return;
    if (!items.length) {
      list.keyed = undefined;
      return show(list, empty("chat", t("groups.empty"), t("groups.empty.text")));
    }
    if (!list.keyed) show(list);
    syncList(list, items, (group) => group.chat_id, row);
  } catch (error) {
    if (mine === turn && !list.keyed) show(list, problem(error, updateGroups));
  }
}

const namesIn = (text) => text.split(/[,，、\n]/).map((name) => name.trim()).filter(Boolean);
const done = async (word) => {
  toast(t(word));
  await refresh();
  await updateGroups();
};

function newGroup() {
  const name = h("input", { class: "input", maxlength: LONGEST_NAME, required: true });
  const customers = h("input", { class: "input", maxlength: LONGEST_PEOPLE, placeholder: t("groups.people.hint") });
  const submit = (event) => {
    event.preventDefault();
    return act(event.submitter, async () => {
      const answer = await post("/groups", { owner: state.rep, name: name.value.trim(), customers: namesIn(customers.value), mode: "async" });
      name.value = customers.value = "";
      opened = answer.chat_id;
      await done("groups.made");
    });
  };
  return h("form", { class: "group-new", on: { submit } },
    h("label", { class: "field" }, h("span", {}, t("groups.name")), name),
    h("label", { class: "field" }, h("span", {}, t("groups.people")), customers),
    h("button", { class: "button primary", type: "submit" }, t("groups.make")));
}

function row(group) {
  const customers = group.members.filter((member) => member.type === 2).length;
  const isOpen = opened === group.chat_id;
  const panel = h("div", { class: "editor", id: `group-${group.chat_id}`, hidden: !isOpen }, editor(group));
  const button = h("button", { type: "button", "aria-expanded": String(isOpen), "aria-controls": panel.id },
    avatar({ id: group.chat_id, name: group.name || "群" }), h("div", {},
      h("span", { class: "customer-line" }, h("strong", { class: "cut" }, bdi(group.name || t("groups.unnamed"))),
        h("time", { datetime: group.created_at, title: fullTime(group.created_at) }, shortTime(group.created_at))),
      h("small", { class: "quiet cut" }, t("groups.counts", { owner: group.owner_name, customers, staff: group.members.length - customers })),
      group.dismissed && h("span", { class: "gone" }, icon("cross", "small"), t("groups.over"))),
    icon("down", "small turn"));
  button.addEventListener("click", () => {
    panel.hidden = !panel.hidden;
    opened = panel.hidden ? "" : group.chat_id;
    button.setAttribute("aria-expanded", String(!panel.hidden));
  });
  return h("article", { class: "customer" }, button, panel);
}

function editor(group) {
  const members = h("ul", { class: "group-members", "aria-label": t("groups.members") }, group.members.map((member) => memberLine(group, member)));
  const sidebar = h("a", { class: "button", target: "_blank", rel: "noopener", href: `/sandbox/sidebar?${new URLSearchParams({ staff: state.rep, group: group.chat_id })}` }, t("sidebar.open"));
  if (group.dismissed) return [members, h("div", { class: "row" }, sidebar)];
  const dismiss = async (event) => {
    const button = event.currentTarget;
    if (!(await ask(t("groups.dismiss.title", { name: group.name }), t("groups.dismiss.text"), t("groups.dismiss")))) return;
    await act(button, async () => {
      await post(`/groups/${group.chat_id}/dismiss`, { mode: "async" });
      await done("groups.dismissed");
    });
  };
  return [members, joinForm(group), renameForm(group),
    h("div", { class: "row" }, sidebar, h("button", { class: "button danger", type: "button", on: { click: dismiss } }, icon("trash", "small"), t("groups.dismiss")))];
}

function memberLine(group, member) {
  const out = (removed) => (event) => act(event.currentTarget, async () => {
    await post(`/groups/${group.chat_id}/leave`, { member: member.userid, removed, mode: "async" });
    await done(removed ? "groups.removed" : "groups.left");
  });
  const isOwner = member.userid === group.owner;
  const kind = isOwner ? t("groups.owner") : t(member.type === 2 ? "groups.customer" : "groups.colleague");
  return h("li", {}, avatar({ id: member.userid, ...member }, "small"), h("span", { class: "cut" }, bdi(member.name)), h("small", { class: "quiet" }, kind),
    !isOwner && !group.dismissed && h("button", { class: "plain", type: "button", "aria-label": t("groups.leave.of", { name: member.name }), on: { click: out(false) } }, t("groups.leave")),
    !isOwner && !group.dismissed && h("button", { class: "plain", type: "button", "aria-label": t("groups.remove.of", { name: member.name }), on: { click: out(true) } }, t("groups.remove")));
}

function joinForm(group) {
  const who = h("input", { class: "input", maxlength: LONGEST_PEOPLE, required: true, placeholder: t("groups.people.hint") });
  const scene = h("select", { class: "input" }, [1, 2, 3].map((number) => h("option", { value: String(number) }, t(`groups.scene.${number}`))));
  const submit = (event) => {
    event.preventDefault();
    return act(event.submitter, async () => {
      await post(`/groups/${group.chat_id}/join`, { customers: namesIn(who.value), scene: Number(scene.value), mode: "async" });
      who.value = "";
      who.blur();
      await done("groups.joined");
    });
  };
  return h("form", { class: "group-form", on: { submit } },
    h("label", { class: "field" }, h("span", {}, t("groups.join.who")), who), h("label", { class: "field" }, h("span", {}, t("groups.join.how")), scene),
    h("button", { class: "button", type: "submit" }, t("groups.join")));
}

function renameForm(group) {
  const name = h("input", { class: "input", maxlength: LONGEST_NAME, required: true, value: group.name });
  const submit = (event) => {
    event.preventDefault();
    return act(event.submitter, async () => {
      name.blur();
      await post(`/groups/${group.chat_id}/rename`, { name: name.value.trim(), mode: "async" });
      await done("groups.renamed");
    });
  };
  return h("form", { class: "group-form", on: { submit } }, h("label", { class: "field" }, h("span", {}, t("groups.name")), name),
    h("button", { class: "button", type: "submit" }, t("groups.rename")));
}
