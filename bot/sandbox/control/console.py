"""What an administrator does in WeCom's console: members, departments, corp tags. Each fires its callback."""

from __future__ import annotations

import json
from typing import Any

from bot.sandbox import people, world
from bot.sandbox.control.rep import find_tag
from bot.sandbox.control.routes import Args, Box, control
from bot.sandbox.errors import ControlError
from bot.sandbox.events import Field, system_event, tag_event
from bot.sandbox.state import State, dump, new_id
from bot.sandbox.tagging import delete_group, delete_tag

OPS = ("create", "update", "delete")
USERID_TABLES = (
    "staff",
    "relation",
    "relation_tag",
    "request",
    "welcome_code",
    "message",
    "app_message",
    "group_member",
)


def need_op(args: Args, ops: tuple[str, ...] = OPS) -> str:
    """The call's ``op``. Raises 400 for any other than ``ops``."""
    op = args.need("op")
    if op not in ops:
        raise ControlError(400, "bad_field", f"op 只能是 {'、'.join(ops)} 之一")
    return op


async def contact_change(box: Box, args: Args, change_type: str, fields: list[Field]) -> int | None:
    """Queue and send a change_contact event. It carries ids only, as for URLs saved since 2022-08-15."""
    with box.state.transaction():
        event = system_event(box.settings.corp_id, box.state.now(), "change_contact", change_type, fields)
        seq = box.queue(event, args)
    return await box.send([seq], args)


def apply_staff_change(box: Box, args: Args, op: str) -> list[Field]:
    """Change the member; answers the event's fields."""
    userid = args.need("userid")
    if op == "create":
        if people.find_staff(box.state, userid) is not None:
            raise ControlError(400, "staff_exists", f"员工 {userid} 已经存在")
        row = {
            name: value for name, value in args.body.items() if name not in ("op", "mode", "lost", "delay_ms")
        }
        world.load(box.state, {"staff": [{"name": userid, **row}]}, keep_default=True)
    staff = people.access_staff(box.state, userid)
    if op == "delete":
        box.state.run("UPDATE staff SET status = ? WHERE userid = ?", people.LEFT, userid)
        return [("UserID", staff["userid"])]
    fields: list[Field] = [("UserID", staff["userid"])]
    if op == "update":
        update_staff(box.state, args, staff["userid"])
        if new_userid := args.text("new_userid"):
            rename_staff(box.state, staff["userid"], new_userid)
            fields.append(("NewUserID", new_userid))
    if "department" in args.body or op == "create":
        departments = args.items("department") or json.loads(staff["department_json"])
        fields.append(("Department", ",".join(str(department) for department in departments)))
    return fields


def update_staff(state: State, args: Args, userid: str) -> None:
    """Overwrite the columns the call names."""
    columns: dict[str, Any] = {
        name: args.body[name] for name in ("name", "position", "avatar") if name in args.body
    }
    columns |= {
        name: int(args.body[name])
        for name in ("status", "follow_user", "console_welcome")
        if name in args.body
    }
    if "department" in args.body:
        columns["department_json"] = dump(args.items("department"))
    for name, value in columns.items():
        state.run(f"UPDATE staff SET {name} = ? WHERE userid = ?", value, userid)  # noqa: S608 - own names


def rename_staff(state: State, userid: str, new_userid: str) -> None:
    """Give a member another id, everywhere. Raises 400 when it is taken."""
    if people.find_staff(state, new_userid) is not None and new_userid.lower() != userid.lower():
        raise ControlError(400, "staff_exists", f"员工 {new_userid} 已经存在")
    for table in USERID_TABLES:
        state.run(f"UPDATE {table} SET userid = ? WHERE userid = ?", new_userid, userid)  # noqa: S608
    state.run("UPDATE group_chat SET owner = ? WHERE owner = ?", new_userid, userid)
    for row in state.all("SELECT config_id, body_json FROM way"):
        body = json.loads(row["body_json"])
        if userid in body.get("user", []):
            body["user"] = [new_userid if user == userid else user for user in body["user"]]
            state.run("UPDATE way SET body_json = ? WHERE config_id = ?", dump(body), row["config_id"])


@control("POST", "/staff_change")
async def staff_change(box: Box, args: Args) -> dict[str, Any]:
    """``op`` create, update or delete of ``userid``; update may carry ``new_userid`` (an id may change once)."""
    op = need_op(args)
    with box.state.transaction():
        fields = apply_staff_change(box, args, op)
    return {"callback_status": await contact_change(box, args, f"{op}_user", fields)}


@control("POST", "/department_change")
async def department_change(box: Box, args: Args) -> dict[str, Any]:
    """``op`` create, update or delete of department ``id``."""
    op = need_op(args)
    number = args.number("id")
    fields: list[Field] = [("Id", int(number))]
    with box.state.transaction():
        row = box.state.one("SELECT * FROM department WHERE id = ?", number)
        if (row is None) != (op == "create"):
            message = f"部门 {number} {'已经存在' if op == 'create' else '不存在'}"
            raise ControlError(400, "department", message)
        if op == "delete":
            box.state.run("DELETE FROM department WHERE id = ?", number)
        else:
            known: dict[str, Any] = dict(row) if row else {"name": "", "parentid": world.ROOT, "ord": 0}
            parent = int(args.number("parentid", known["parentid"]))
            box.state.insert(
                "department", id=int(number), name=args.text("name", known["name"]), parentid=parent,
                ord=int(args.number("order", known["ord"])),
            )  # fmt: skip
            if op == "create" or "parentid" in args.body:
                fields.append(("ParentId", str(parent)))
    return {"callback_status": await contact_change(box, args, f"{op}_party", fields)}


def find_group(state: State, name_or_id: str) -> str:
    """A live tag group by id or name. Raises 404."""
    group_id: str | None = state.value(
        "SELECT id FROM tag_group WHERE deleted = 0 AND (id = ?1 OR name = ?1) LIMIT 1", name_or_id
    )
    if group_id is None:
        raise ControlError(404, "tag_group_unknown", f"没有这个标签组：{name_or_id}")
    return group_id


def create_tags(state: State, args: Args, kind: str) -> list[tuple[str, str]]:
    """Console-made tags: the app may read and mark them, not edit them. Answers (id, kind) to tell."""
    told = []
    if kind == "group":
        group_id = new_id("et")
        state.insert("tag_group", id=group_id, name=args.need("name"), created_at=int(state.now()), by_api=0)
        told.append((group_id, "tag_group"))
        names = args.items("tags")
    else:
        group_id = find_group(state, args.need("group"))
        names = [args.need("name")]
    for name in names:
        tag_id = new_id("et")
        state.insert(
            "tag", id=tag_id, group_id=group_id, name=name, created_at=int(state.now()), by_api=0,
            ord=int(args.number("order")),
        )  # fmt: skip
        told.append((tag_id, "tag"))
    return told


def change_tag(state: State, args: Args, op: str, kind: str) -> list[tuple[str, str]]:
    """Change a tag or group; answers the (id, kind) pairs to tell the app about."""
    if op == "create":
        return create_tags(state, args, kind)
    wanted = args.text("id") or args.need("name")
    group = kind == "group"
    found = find_group(state, wanted) if group else find_tag(state, wanted)
    if op == "delete":
        (delete_group if group else delete_tag)(state, found)
    elif op == "update":
        table = "tag_group" if group else "tag"
        if new_name := args.text("new_name") or (args.text("name") if "id" in args.body else ""):
            state.run(f"UPDATE {table} SET name = ? WHERE id = ?", new_name, found)  # noqa: S608
        if "order" in args.body:
            state.run(f"UPDATE {table} SET ord = ? WHERE id = ?", int(args.number("order")), found)  # noqa: S608
    return [(found, "tag_group" if group else "tag")]


@control("POST", "/tag_change")
async def tag_change(box: Box, args: Args) -> dict[str, Any]:
    """``op`` create, update, delete or shuffle; ``kind`` tag or group. Deleting a group fires one event."""
    op = need_op(args, (*OPS, "shuffle"))
    kind = args.text("kind", "tag")
    if kind not in ("tag", "group"):
        raise ControlError(400, "bad_field", "kind 只能是 tag 或 group")
    with box.state.transaction():
        told = change_tag(box.state, args, op, kind)
        now = box.state.now()
        seqs = [
            box.queue(
                tag_event(box.settings.corp_id, now, op, tag_id, "" if op == "shuffle" else told_kind), args
            )
            for tag_id, told_kind in told
        ]
    return {"ids": [tag_id for tag_id, _ in told], "callback_status": await box.send(seqs, args)}
