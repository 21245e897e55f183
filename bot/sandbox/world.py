"""Filling the sandbox: the tiny default world, and loading a whole one in one call."""

from __future__ import annotations

import json
from typing import Any

from bot.sandbox.errors import ControlError
from bot.sandbox.groups import Joining, put_group
from bot.sandbox.people import ACTIVE
from bot.sandbox.state import State, dump, new_id
from bot.sandbox.ways import put_way

ROOT = 1  # the root department's id, on every corp
DEFAULT_WORLD: dict[str, Any] = {
    "departments": [
        {"id": ROOT, "name": "联客演示公司", "parentid": 0, "order": 100},
        {"id": 2, "name": "销售部", "parentid": ROOT, "order": 90},
        {"id": 3, "name": "市场部", "parentid": ROOT, "order": 80},
    ],
    "staff": [
        {"userid": "zhangsan", "name": "张三", "department": [2], "position": "销售顾问"},
        {"userid": "lisi", "name": "李四", "department": [2], "position": "销售顾问"},
        {"userid": "wangwu", "name": "王五", "department": [3], "position": "市场专员"},
    ],
    "tag_groups": [
        {
            "group_id": "etDefaultGroupSource000000000001",
            "name": "来源",
            "tags": [
                {"id": "etDefaultTagExhibition0000000001", "name": "展会"},
                {"id": "etDefaultTagWebsite0000000000002", "name": "官网"},
                {"id": "etDefaultTagReferral000000000003", "name": "转介绍"},
            ],
        }
    ],
}
SECTIONS = ("departments", "staff", "tag_groups", "ways", "customers", "groups")
DEFAULTS_OF = {"departments": ("department",), "staff": ("staff",), "tag_groups": ("tag_group", "tag")}


def reset(state: State) -> None:
    """Only the default world is left."""
    with state.transaction():
        state.wipe()
        ensure(state)


def ensure(state: State) -> None:
    """An empty database gets the default world; any other stays as it is."""
    if state.get_meta("filled", ""):
        return
    load(state, DEFAULT_WORLD)
    state.set_meta("filled", "1")
    for section in DEFAULTS_OF:
        state.set_meta(f"default:{section}", "1")


def load(state: State, body: dict[str, Any], *, keep_default: bool = False) -> dict[str, int]:
    """Upsert the sections of ``body`` by their ids; answers how many rows of each it named.

    Over a sandbox that still has its default world, a section replaces the default rows of its kind. Refers to
    unknown staff or tags, lacks a name or id → 400 and nothing is changed.
    """
    unknown = set(body) - set(SECTIONS)
    if unknown:
        raise ControlError(400, "bad_field", f"不认识的字段：{'、'.join(sorted(unknown))}")
    loaders = {
        "departments": _load_department, "staff": _load_staff, "tag_groups": _load_tag_group, "ways": _load_way,
        "customers": _load_customer, "groups": _load_group,
    }  # fmt: skip
    with state.transaction():
        if not keep_default:
            _clear_default(state, body)
        for section in SECTIONS:
            rows = body.get(section, [])
            if not isinstance(rows, list):
                raise ControlError(400, "bad_field", f"{section} 必须是数组")
            for number, row in enumerate(rows, 1):
                try:
                    loaders[section](state, row)
                except (KeyError, TypeError, ValueError, AttributeError) as error:
                    message = f"{section} 第 {number} 条不完整或类型不对：{error}"
                    raise ControlError(400, "bad_row", message) from None
    return {section: len(body.get(section, [])) for section in SECTIONS}


def _clear_default(state: State, body: dict[str, Any]) -> None:
    for section, tables in DEFAULTS_OF.items():
        if body.get(section) and state.get_meta(f"default:{section}", ""):
            for table in tables:
                state.run(f"DELETE FROM {table}")  # noqa: S608 - own names
            state.run("DELETE FROM meta WHERE key = ?", f"default:{section}")


def _load_department(state: State, row: dict[str, Any]) -> None:
    state.insert(
        "department", id=int(row["id"]), name=row["name"], parentid=int(row.get("parentid", ROOT)),
        ord=int(row.get("order", 0)),
    )  # fmt: skip


def _load_staff(state: State, row: dict[str, Any]) -> None:
    departments = [int(department) for department in row.get("department", [ROOT])]
    state.run(
        "INSERT INTO staff (userid, name, department_json, position, avatar, status, follow_user, console_welcome)"
        " VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (userid) DO UPDATE SET name = excluded.name,"
        " department_json = excluded.department_json, position = excluded.position, avatar = excluded.avatar,"
        " status = excluded.status, follow_user = excluded.follow_user, console_welcome = excluded.console_welcome",
        row["userid"], row["name"], dump(departments), row.get("position", ""), row.get("avatar", ""),
        int(row.get("status", ACTIVE)), int(row.get("follow_user", True)), int(row.get("console_welcome", False)),
    )  # fmt: skip


def _load_tag_group(state: State, row: dict[str, Any]) -> None:
    """``by_api`` (default true): the app may edit and delete these tags, as if it had made them."""
    by_api = int(row.get("by_api", True))
    state.run(
        "INSERT INTO tag_group (id, name, ord, created_at, by_api) VALUES (?,?,?,?,?)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, ord = excluded.ord, deleted = 0",
        row["group_id"], row["name"], int(row.get("order", 0)), int(state.now()), by_api,
    )  # fmt: skip
    for tag in row.get("tags", []):
        state.run(
            "INSERT INTO tag (id, group_id, name, ord, created_at, by_api) VALUES (?,?,?,?,?,?)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, ord = excluded.ord, deleted = 0,"
            " group_id = excluded.group_id",
            tag["id"], row["group_id"], tag["name"], int(tag.get("order", 0)), int(state.now()), by_api,
        )  # fmt: skip


def _load_way(state: State, row: dict[str, Any]) -> None:
    config_id = row.get("config_id") or new_id("", 32)
    known = state.value("SELECT body_json FROM way WHERE config_id = ?", config_id)
    body: dict[str, Any] = {
        "type": 2,
        "scene": 2,
        "skip_verify": True,
        "state": "",
        "remark": "",
        "user": [],
        "party": [],
    }
    body |= json.loads(known) if known else {}
    body |= {name: value for name, value in row.items() if name != "config_id"}
    _check_staff(state, body["user"])
    put_way(state, config_id, body)


def _check_staff(state: State, userids: list[str]) -> None:
    for userid in userids:
        if state.value("SELECT 1 FROM staff WHERE userid = ?", userid) is None:
            raise ControlError(400, "staff_unknown", f"引用了不存在的员工：{userid}")


def _load_customer(state: State, row: dict[str, Any]) -> None:
    customer = row["external_userid"]
    kind = int(row.get("type", 2 if customer.startswith("wo") else 1))
    state.run(
        "INSERT INTO customer (id, name, type, gender, avatar, unionid, corp_name, position, created_at)"
        " VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, type = excluded.type,"
        " gender = excluded.gender, avatar = excluded.avatar, unionid = excluded.unionid,"
        " corp_name = excluded.corp_name, position = excluded.position",
        customer, row["name"], kind, int(row.get("gender", 0)), row.get("avatar") or "", row.get("unionid") or "",
        row.get("corp_name", ""), row.get("position", ""), state.now(),
    )  # fmt: skip
    for relation in row.get("relations", []):
        _load_relation(state, customer, relation)


def _load_relation(state: State, customer: str, row: dict[str, Any]) -> None:
    userid = row["userid"]
    _check_staff(state, [userid])
    state.insert(
        "relation", userid=userid, customer=customer, half=int(row.get("half", False)),
        deleted_by_customer=int(row.get("deleted_by_customer", False)),
        created_at=int(row.get("createtime") or state.now()), state=row.get("state") or "",
        add_way=int(row.get("add_way", 1)), oper_userid=row.get("oper_userid") or customer,
        remark=row.get("remark") or "", description=row.get("description") or "",
        company=row.get("remark_corp_name") or "", mobiles_json=dump(row.get("remark_mobiles", [])),
    )  # fmt: skip
    state.run("DELETE FROM relation_tag WHERE userid = ? AND customer = ?", userid, customer)
    for tag_id in row.get("tag_ids", []):
        if state.value("SELECT 1 FROM tag WHERE id = ? AND deleted = 0", tag_id) is None:
            raise ControlError(400, "tag_unknown", f"引用了不存在的标签：{tag_id}")
        state.insert("relation_tag", userid=userid, customer=customer, tag_id=tag_id)


def _load_group(state: State, row: dict[str, Any]) -> None:
    """``members`` as in groupchat/get; whoever starts with wm or wo is a customer. The list replaces the one before."""
    _check_staff(state, [row["owner"]])
    members = [
        Joining(
            userid=member["userid"],
            at=int(member.get("join_time") or state.now()),
            scene=int(member.get("join_scene", 1)),
            invitor=member.get("invitor") or "",
            state=member.get("state") or "",
        )
        for member in row.get("members", [])
    ]
    _check_staff(state, [member.userid for member in members if not member.is_customer])
    put_group(
        state, row["chat_id"], name=row.get("name", ""), owner=row["owner"], notice=row.get("notice", ""),
        at=int(row.get("create_time") or state.now()), members=members,
    )  # fmt: skip
