"""Corp customer tags and marking (path/92117, 92118)."""

from __future__ import annotations

import sqlite3
from typing import Any

from bot.sandbox import people
from bot.sandbox.errors import ApiError
from bot.sandbox.registry import Call, endpoint
from bot.sandbox.state import new_id
from bot.sandbox.tagging import delete_group, delete_tag

LONGEST_NAME = 30  # characters of a tag or group name
HIGHEST_ORDER = 2**32
MOST_PER_PAIR = 3000


def order_of(value: Any) -> int:
    """A sort order. Raises 40058 outside [0, 2^32)."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < HIGHEST_ORDER:
        raise ApiError(40058, "order")
    return value


def name_of(value: Any) -> str:
    """A tag or group name. Raises 40072 when it is empty, too long or no text."""
    if not isinstance(value, str) or not value or len(value) > LONGEST_NAME:
        raise ApiError(40072)
    return value


def tag_fields(row: sqlite3.Row, *, by_id: bool = False) -> dict[str, Any]:
    """A tag as answers show it."""
    fields = {
        "id": row["id"],
        "name": row["name"],
        "create_time": int(row["created_at"]),
        "order": row["ord"],
    }
    return fields | ({"deleted": bool(row["deleted"])} if by_id else {})


def group_fields(row: sqlite3.Row, tags: list[dict[str, Any]], *, by_id: bool = False) -> dict[str, Any]:
    """A tag group as answers show it."""
    fields: dict[str, Any] = {
        "group_id": row["id"],
        "group_name": row["name"],
        "create_time": int(row["created_at"]),
        "order": row["ord"],
    }
    return fields | ({"deleted": bool(row["deleted"])} if by_id else {}) | {"tag": tags}


@endpoint("externalcontact/get_corp_tag_list", empty={"tag_group": []})
def get_corp_tag_list(call: Call) -> dict[str, Any]:
    """All live tags; or, by group ids (which win) or tag ids, deleted ones too, marked so."""
    tag_ids, group_ids = call.items("tag_id"), call.items("group_id")
    by_id = bool(tag_ids or group_ids)
    groups = call.state.all("SELECT * FROM tag_group ORDER BY ord DESC, created_at, rowid")
    tags = call.state.all("SELECT * FROM tag ORDER BY ord DESC, created_at, rowid")
    if group_ids:
        groups = [group for group in groups if group["id"] in group_ids]
    elif tag_ids:
        tags = [tag for tag in tags if tag["id"] in tag_ids]
        groups = [group for group in groups if any(tag["group_id"] == group["id"] for tag in tags)]
    else:
        groups = [group for group in groups if not group["deleted"]]
        tags = [tag for tag in tags if not tag["deleted"]]
    found = []
    for group in groups:
        mine = [tag_fields(tag, by_id=by_id) for tag in tags if tag["group_id"] == group["id"]]
        found.append(group_fields(group, mine, by_id=by_id))
    return {"tag_group": found}


def group_for_new_tags(call: Call) -> str:
    """The group to add to: by id (40068 unknown), by name, or a new one of that name."""
    group_id = call.text("group_id")
    if group_id:
        if call.state.value("SELECT 1 FROM tag_group WHERE id = ? AND deleted = 0", group_id) is None:
            raise ApiError(40068)
        return group_id
    name = name_of(call.need("group_name"))
    known: str | None = call.state.value("SELECT id FROM tag_group WHERE name = ? AND deleted = 0", name)
    if known is not None:
        return known
    group_id = new_id("et")
    order = order_of(call.body.get("order", 0))
    call.state.insert("tag_group", id=group_id, name=name, ord=order, created_at=int(call.now), by_api=1)
    return group_id


@endpoint("externalcontact/add_corp_tag", write=True, raw_utf8=True)
def add_corp_tag(call: Call) -> dict[str, Any]:
    """Add tags to a group; a name that is there already is not made again, the answer shows the one there."""
    wanted = call.items("tag", dict)
    if not wanted:
        raise ApiError(40063, "tag")
    group_id = group_for_new_tags(call)
    tag_ids: dict[str, None] = {}
    for item in wanted:
        name = name_of(item.get("name"))
        tag_id = call.state.value(
            "SELECT id FROM tag WHERE group_id = ? AND name = ? AND deleted = 0", group_id, name
        )
        if tag_id is None:
            tag_id = new_id("et")
            order = order_of(item.get("order", 0))
            call.state.insert(
                "tag", id=tag_id, group_id=group_id, name=name, ord=order, created_at=int(call.now), by_api=1
            )
        tag_ids[tag_id] = None
    if call.state.value("SELECT count(*) FROM tag WHERE deleted = 0") > call.settings.tag_cap:
        raise ApiError(40126)
    (group,) = call.state.all("SELECT * FROM tag_group WHERE id = ?", group_id)
    tags = [
        tag_fields(row)
        for tag_id in tag_ids
        for row in call.state.all("SELECT * FROM tag WHERE id = ?", tag_id)
    ]
    return {"tag_group": group_fields(group, tags)}


def own_row(call: Call, table: str, row_id: str) -> sqlite3.Row:
    """A live tag or group that this app made. Raises 40068 unknown, 60011 made in the console."""
    row = call.state.one(f"SELECT * FROM {table} WHERE id = ? AND deleted = 0", row_id)  # noqa: S608
    if row is None:
        raise ApiError(40068)
    if not row["by_api"]:
        raise ApiError(60011)
    return row


@endpoint("externalcontact/edit_corp_tag", write=True, raw_utf8=True)
def edit_corp_tag(call: Call) -> dict[str, Any]:
    """Rename or re-order a tag or group; a name taken in the same place is 40071."""
    row_id = call.need("id")
    group = call.state.value("SELECT 1 FROM tag_group WHERE id = ?", row_id) is not None
    table = "tag_group" if group else "tag"
    row = own_row(call, table, row_id)
    if "name" in call.body:
        name = name_of(call.body["name"])
        place = "" if group else " AND group_id = :group_id"
        taken = call.state.db.execute(
            f"SELECT 1 FROM {table} WHERE name = :name AND deleted = 0 AND id != :id{place}",  # noqa: S608
            {"name": name, "id": row_id, "group_id": None if group else row["group_id"]},
        ).fetchone()
        if taken:
            raise ApiError(40071)
        call.state.run(f"UPDATE {table} SET name = ? WHERE id = ?", name, row_id)  # noqa: S608
    if "order" in call.body:
        order = order_of(call.body["order"])
        call.state.run(f"UPDATE {table} SET ord = ? WHERE id = ?", order, row_id)  # noqa: S608
    return {}


@endpoint("externalcontact/del_corp_tag", write=True)
def del_corp_tag(call: Call) -> dict[str, Any]:
    """Delete tags and groups; one unknown id and nothing is deleted. A group goes with its last tag."""
    tag_ids, group_ids = call.items("tag_id"), call.items("group_id")
    if not tag_ids and not group_ids:
        raise ApiError(40063, "tag_id and group_id")
    for tag_id in tag_ids:
        own_row(call, "tag", tag_id)
    for group_id in group_ids:
        own_row(call, "tag_group", group_id)
    for tag_id in tag_ids:
        delete_tag(call.state, tag_id)
    for group_id in group_ids:
        delete_group(call.state, group_id)
    return {}


@endpoint("externalcontact/mark_tag", write=True)
def mark_tag(call: Call) -> dict[str, Any]:
    """Set and remove tags of one pair; one bad id and nothing changes (unconfirmed)."""
    userid, customer = call.need("userid"), call.need("external_userid")
    add, remove = call.items("add_tag"), call.items("remove_tag")
    if not add and not remove:
        raise ApiError(40063, "add_tag and remove_tag")
    people.check_external_id(customer)
    staff = people.get_follower(call.state, userid)
    people.get_full_relation(call.state, staff["userid"], customer)
    for tag_id in [*add, *remove]:
        if call.state.value("SELECT 1 FROM tag WHERE id = ? AND deleted = 0", tag_id) is None:
            raise ApiError(40068)
    held = "SELECT tag_id FROM relation_tag WHERE userid = ? AND customer = ?"
    before = {row["tag_id"] for row in call.state.all(held, staff["userid"], customer)}
    # a set: the same marks again change nothing
    call.effect = bool(set(add) - before or set(remove) & before)
    for tag_id in add:
        call.state.insert("relation_tag", userid=staff["userid"], customer=customer, tag_id=tag_id)
    for tag_id in remove:
        call.state.run(
            "DELETE FROM relation_tag WHERE userid = ? AND customer = ? AND tag_id = ?",
            staff["userid"], customer, tag_id,
        )  # fmt: skip
    count = call.state.value(
        "SELECT count(*) FROM relation_tag WHERE userid = ? AND customer = ?", staff["userid"], customer
    )
    if count > MOST_PER_PAIR:
        raise ApiError(40058, "more than 3000 tags")
    return {}
