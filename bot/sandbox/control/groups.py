"""What people do in group chats with customers: make one, join, leave, rename, dismiss. Each fires its callback."""

from __future__ import annotations

import sqlite3
from typing import Any

from bot.sandbox import groups, people
from bot.sandbox.control.routes import Args, Box, control
from bot.sandbox.errors import ControlError
from bot.sandbox.events import Field, chat_event
from bot.sandbox.groups import Joining
from bot.sandbox.state import State, iso, new_id

CHAT_ID_LENGTH = 32
MOST_SHOWN = 100
EVENT_SCENE = {groups.INVITED: 0, groups.BY_LINK: 0, groups.BY_CODE: 3}  # the callback's JoinScene


def access_group(state: State, chat_id: str) -> sqlite3.Row:
    """The group of a call. 404 for an unknown one, 400 for one that is over."""
    row = groups.find_group(state, chat_id)
    if row is None:
        raise ControlError(404, "group_unknown", f"没有这个客户群：{chat_id}")
    if row["dismissed_at"] is not None:
        raise ControlError(400, "group_dismissed", "这个群已经解散")
    return row


def customers_named(box: Box, args: Args) -> list[str]:
    """The external_userids of ``customers`` (and ``customer``); a name nobody has is somebody new, without a friend."""
    found = []
    for name in [*args.items("customers"), *filter(None, [args.text("customer")])]:
        row = people.find_customer(box.state, name)
        found.append(str(row["id"]) if row else people.make_customer(box.state, name))
    return found


def people_named(box: Box, args: Args, *, scene: int, invitor: str) -> list[Joining]:
    """The customers and the members of the corp that a call lets in."""
    now, code_state = box.state.now(), args.text("state")
    staff = [str(people.access_staff(box.state, userid)["userid"]) for userid in args.items("staff")]
    return [
        Joining(userid, now, scene, invitor, code_state) for userid in [*staff, *customers_named(box, args)]
    ]


async def tell(box: Box, args: Args, chat_id: str, change: str, fields: list[Field]) -> dict[str, Any]:
    """Queue the event (in a transaction that may be over already) and send it."""
    with box.state.transaction():
        event = chat_event(box.settings.corp_id, box.state.now(), chat_id, change, fields)
        seq = box.queue(event, args)
    return {"chat_id": chat_id, "callback_status": await box.send([seq], args)}


@control("POST", "/groups")
async def make_group(box: Box, args: Args) -> dict[str, Any]:
    """``owner`` makes a group ``name`` with ``customers`` (names or ids) and ``staff`` (userids)."""
    with box.state.transaction():
        owner = people.access_staff(box.state, args.need("owner"))["userid"]
        members = people_named(box, args, scene=groups.INVITED, invitor=owner)
        chat_id = new_id("wr", CHAT_ID_LENGTH)
        groups.put_group(
            box.state, chat_id, name=args.text("name"), owner=owner, notice=args.text("notice"),
            at=box.state.now(), members=[member for member in members if member.userid != owner],
        )  # fmt: skip
    return await tell(box, args, chat_id, "create", [])


def membership(changed: list[str], before: str, after: str) -> list[Field]:
    """What both add_member and del_member say."""
    items: list[Field] = [("Item", userid) for userid in changed]
    counted: list[Field] = [("MemChangeCnt", len(changed)), ("MemChangeList", items)]
    return [*counted, ("LastMemVer", before), ("CurMemVer", after)]


@control("POST", "/groups/{chat_id}/join")
async def join(box: Box, args: Args) -> dict[str, Any]:
    """``customers`` and ``staff`` join; ``scene`` 1 invited by ``invitor``, 2 by a link, 3 by a code with ``state``."""
    scene = int(args.number("scene", groups.INVITED))
    if scene not in EVENT_SCENE:
        raise ControlError(400, "bad_field", "scene 只能是 1、2 或 3")
    with box.state.transaction():
        group = access_group(box.state, args.path["chat_id"])
        invitor = args.text("invitor", group["owner"] if scene == groups.INVITED else "")
        inside = {row["userid"] for row in groups.members_of(box.state, group["id"])}
        joining = people_named(box, args, scene=scene, invitor=invitor)
        joining = [member for member in joining if member.userid not in inside]
        if not joining:
            raise ControlError(400, "already_member", "已经在群里了")
        version = groups.change_members(box.state, group, joining=joining)
    ids = [member.userid for member in joining]
    fields: list[Field] = [
        ("UpdateDetail", "add_member"),
        ("JoinScene", EVENT_SCENE[scene]),
        ("QuitScene", 0),
    ]
    answer = await tell(box, args, group["id"], "update", fields + membership(ids, group["version"], version))
    return {**answer, "members": ids}


@control("POST", "/groups/{chat_id}/leave")
async def leave(box: Box, args: Args) -> dict[str, Any]:
    """``member`` (a userid, an external_userid or a customer's name) leaves, or is ``removed``."""
    with box.state.transaction():
        group = access_group(box.state, args.path["chat_id"])
        wanted = args.need("member")
        rows = groups.members_of(box.state, group["id"])
        found = next((row for row in rows if wanted in (row["userid"], row["name"])), None)
        if found is None:
            raise ControlError(404, "not_in_group", f"{wanted} 不在这个群里")
        if found["userid"] == group["owner"]:
            raise ControlError(400, "is_owner", "群主不能退群，请先转让或解散")
        version = groups.change_members(box.state, group, leaving=[found["userid"]])
    scene = int(args.flag("removed"))
    fields: list[Field] = [("UpdateDetail", "del_member"), ("QuitScene", scene)]
    fields += membership([found["userid"]], group["version"], version)
    return await tell(box, args, group["id"], "update", fields)


async def change_column(box: Box, args: Args, column: str, value: str, detail: str) -> dict[str, Any]:
    """Overwrite one field and say so; the event names no value."""
    with box.state.transaction():
        group = access_group(box.state, args.path["chat_id"])
        box.state.run(f"UPDATE group_chat SET {column} = ? WHERE id = ?", value, group["id"])  # noqa: S608
    return await tell(box, args, group["id"], "update", [("UpdateDetail", detail)])


@control("POST", "/groups/{chat_id}/rename")
async def rename(box: Box, args: Args) -> dict[str, Any]:
    """Give the group another ``name``."""
    return await change_column(box, args, "name", args.need("name"), "change_name")


@control("POST", "/groups/{chat_id}/notice")
async def set_notice(box: Box, args: Args) -> dict[str, Any]:
    """Post a ``notice``."""
    return await change_column(box, args, "notice", args.text("notice"), "change_notice")


@control("POST", "/groups/{chat_id}/owner")
async def set_owner(box: Box, args: Args) -> dict[str, Any]:
    """Hand the group to ``owner``, who must be in it."""
    group = access_group(box.state, args.path["chat_id"])
    owner = people.access_staff(box.state, args.need("owner"))["userid"]
    if owner not in {row["userid"] for row in groups.members_of(box.state, group["id"])}:
        raise ControlError(400, "not_in_group", f"{owner} 不在这个群里")
    return await change_column(box, args, "owner", owner, "change_owner")


@control("POST", "/groups/{chat_id}/dismiss")
async def dismiss(box: Box, args: Args) -> dict[str, Any]:
    """The group is over."""
    with box.state.transaction():
        group = access_group(box.state, args.path["chat_id"])
        box.state.run("UPDATE group_chat SET dismissed_at = ? WHERE id = ?", box.state.now(), group["id"])
    return await tell(box, args, group["id"], "dismiss", [])


@control("GET", "/groups")
async def list_groups(box: Box, args: Args) -> dict[str, Any]:
    """Groups with their members, newest first; with ``staff`` those this member is in."""
    rows = box.state.all(
        "SELECT g.*, s.name AS owner_name FROM group_chat g LEFT JOIN staff s ON s.userid = g.owner"
        " WHERE ?1 = '' OR g.id IN (SELECT chat FROM group_member WHERE userid = ?1)"
        " ORDER BY g.dismissed_at IS NOT NULL, g.created_at DESC, g.id LIMIT ?2",
        args.query.get("staff", ""), MOST_SHOWN,
    )  # fmt: skip
    return {"items": [group_view(box.state, row) for row in rows]}


def group_view(state: State, row: sqlite3.Row) -> dict[str, Any]:
    """One group as a person reads it."""
    members = [
        {
            "userid": member["userid"],
            "name": member["name"],
            "avatar": member["avatar"],
            "type": member["type"],
            "scene": member["scene"],
            "joined_at": iso(member["joined_at"]),
        }
        for member in groups.members_of(state, row["id"])
    ]
    return {
        "chat_id": row["id"],
        "name": row["name"],
        "owner": row["owner"],
        "owner_name": row["owner_name"] or row["owner"],
        "notice": row["notice"],
        "created_at": iso(row["created_at"]),
        "dismissed": row["dismissed_at"] is not None,
        "members": members,
    }
