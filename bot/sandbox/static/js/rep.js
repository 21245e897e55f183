// The rep's WeCom: who works here, and for the chosen one the app's messages and the customers.
import { arrows, avatar, bdi, empty, h, segmented, show, skeleton, syncList } from "./dom.js";
import { showCustomers, updateCustomers } from "./rep_customers.js";
import { showGroups, updateGroups } from "./rep_groups.js";
import { showMessages, updateMessages } from "./rep_messages.js";
import { emit, go, on, state } from "./store.js";
import { t } from "./words.js";

const SEEN = "sandbox.seen";
const seen = JSON.parse(localStorage.getItem(SEEN) ?? "{}");
const SHOW = { messages: showMessages, customers: showCustomers, groups: showGroups };
const UPDATE = { messages: updateMessages, customers: updateCustomers, groups: updateGroups };
const members = h("div", { class: "members", role: "tablist", "aria-label": t("rep.members"), "aria-orientation": "vertical" });
const desk = h("div", { class: "desk" });

export function startRep() {
  show(document.getElementById("wecom"), members, desk);
  show(members, skeleton(6));
  arrows(members, "ArrowUp", "ArrowDown");
  on("staff", drawAll);
  on("summary", (summary) => { document.getElementById("company").textContent = summary.company; });
  on("changed", () => (UPDATE[state.tab] ?? updateMessages)());
  on("scanned", (answer) => answer.staff && choose(answer.staff));
  on("read", markRead);
}

function unread(staff) {
  return Math.max(0, staff.message_count - Math.min(seen[staff.userid] ?? 0, staff.message_count));
}

/** The chosen rep's messages are on the screen: they count as read. */
function markRead() {
  const staff = state.staff?.find((one) => one.userid === state.rep);
  const visible = state.tab === "messages" && document.getElementById("rep").offsetParent !== null;
  if (!staff || !visible || seen[staff.userid] === staff.message_count) return;
  seen[staff.userid] = staff.message_count;
  localStorage.setItem(SEEN, JSON.stringify(seen));
  drawMembers();
}

function drawAll() {
  if (!state.staff.length) {
    show(members);
    return show(desk, empty("rep", t("rep.nobody"), t("rep.nobody.text")));
  }
  if (!state.staff.some((one) => one.userid === state.rep)) {
    const newest = state.staff.reduce((best, one) => (one.message_count > best.message_count ? one : best), state.staff[0]);
    go({ rep: newest.userid });
    showDesk();
  } else if (!desk.children.length) showDesk();
  drawMembers();
  markRead();
}

function drawMembers() {
  if (!members.keyed) show(members);
  const rows = state.staff.map((staff) => ({ ...staff, message_count: undefined, unread: unread(staff), chosen: staff.userid === state.rep }));
  syncList(members, rows, (row) => row.userid, memberRow);
  emit("unread", rows.reduce((sum, row) => sum + row.unread, 0));
}

function memberRow(row) {
  const label = row.unread ? t("rep.unread", { name: row.name, n: row.unread }) : row.name;
  return h("button", { class: "member", type: "button", role: "tab", id: `member-${row.userid}`, "aria-selected": String(row.chosen), "aria-controls": "desk", "aria-label": label,
    tabindex: row.chosen ? "0" : "-1", on: { click: () => choose(row.userid) } },
    avatar(row, "small"), h("div", {}, h("strong", { class: "cut" }, bdi(row.name)), h("small", { class: "cut" }, row.position)),
    row.unread > 0 && h("span", { class: "badge" }, row.unread > 99 ? "99+" : String(row.unread)));
}

function choose(userid) {
  if (userid === state.rep && desk.children.length) return;
  go({ rep: userid });
  showDesk();
  if (state.staff) drawMembers();
  markRead();
  document.querySelector(".member[aria-selected='true']")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function showDesk() {
  const body = h("div", { class: "desk-body" });
  const open = (tab) => {
    go({ tab });
    (SHOW[tab] ?? showMessages)(body);
    markRead();
  };
  desk.id = "desk";
  desk.setAttribute("role", "tabpanel");
  desk.setAttribute("aria-labelledby", `member-${state.rep}`);
  show(desk, h("div", { class: "desk-head" }, segmented(t("rep.title"), Object.keys(SHOW).map((tab) => [tab, t(`rep.${tab}`)]), state.tab, open)), body);
  open(state.tab);
}
