// About a rep on the customer's phone: who it is, scan again, delete.
import { post } from "./api.js";
import { act, avatar, h, iconButton, show } from "./dom.js";
import { chatOf } from "./phone_chat.js";
import { openSheet } from "./phone_sheet.js";
import { emit, refresh, state } from "./store.js";
import { t } from "./words.js";

export function showProfile(view) {
  const chat = chatOf();
  if (!chat) return;
  const { staff } = chat;
  const line = (label, text) => text && h("div", { class: "wx-cell" }, h("span", { class: "wx-quiet" }, label), h("bdi", { class: "cut" }, text));
  const friend = chat.standing === "friend" || chat.standing === "half";
  show(view,
    h("div", { class: "wx-bar" }, iconButton("back", t("back"), () => emit("open", { screen: "chat" })), h("h3", {}, t("profile.title")), h("span")),
    h("div", { class: "wx-body" },
      h("div", { class: "profile" }, avatar(staff, "big"), h("div", {}, h("h4", { class: "cut2" }, h("bdi", {}, staff.name)),
        h("small", { class: "at cut2" }, `@${state.summary?.company ?? ""}`))),
      line(t("profile.position"), staff.position), line(t("profile.standing"), t(`standing.${chat.standing}`)),
      h("div", { class: "profile-actions" },
        h("button", { class: "wx-button second", type: "button", on: { click: () => emit("open", { screen: "codes" }) } }, t("scan.again")),
        friend && h("button", { class: "wx-button red", type: "button", id: "leave", on: { click: () => confirmLeave(staff) } }, t("leave")))));
}

function confirmLeave(staff) {
  const leave = (event) => act(event.currentTarget, async () => {
    await post("/leave", { customer: state.me, staff: staff.userid, mode: "async" });
    close();
    emit("scanned", { customer_id: state.me });
    await refresh();
    emit("open", { screen: "chat" });
  });
  const close = openSheet(document.getElementById("screen"), t("leave"),
    h("h4", {}, t("leave.title", { name: staff.name })), h("p", { class: "wx-quiet" }, t("leave.text")),
    h("button", { class: "wx-button red", type: "button", id: "leave-yes", on: { click: leave } }, t("leave")),
    h("button", { class: "wx-button second", type: "button", data: { focus: "" }, on: { click: () => close() } }, t("cancel")));
}
