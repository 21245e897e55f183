"""Customers and who follows them (path/92571, 92113, 92114, 92994, 92115)."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from bot.sandbox import people
from bot.sandbox.cursors import limit_of, make_cursor, read_cursor
from bot.sandbox.errors import ApiError
from bot.sandbox.registry import Call, endpoint
from bot.sandbox.state import dump
from bot.sandbox.wecom_api.media import check_media

WECHAT = 1
FOLLOWERS_PER_PAGE = 500
MOST_STAFF = 100
CORP_TAG = 1


@endpoint("externalcontact/get_follow_user_list", method="GET", empty={"follow_user": []})
def get_follow_user_list(call: Call) -> dict[str, Any]:
    """Members who may serve customers."""
    rows = call.state.all(
        "SELECT userid FROM staff WHERE follow_user = 1 AND status != ? ORDER BY rowid", people.LEFT
    )
    return {"follow_user": [row["userid"] for row in rows]}


@endpoint("externalcontact/list", method="GET", empty={"external_userid": []})
def list_customers(call: Call) -> dict[str, Any]:
    """All customers of a member, one-way losses included; 84061 instead of an empty list (community)."""
    staff = people.get_follower(call.state, call.param("userid"))
    rows = call.state.all(
        "SELECT customer FROM relation WHERE userid = ? AND half = 0 ORDER BY created_at, customer",
        staff["userid"],
    )
    if not rows:
        raise ApiError(84061)
    return {"external_userid": [row["customer"] for row in rows]}


def customer_fields(row: sqlite3.Row) -> dict[str, Any]:
    """``external_contact`` of an answer; what WeCom users and WeChat users have differs."""
    fields = {
        "external_userid": row["id"],
        "name": row["name"],
        "avatar": row["avatar"],
        "type": row["type"],
        "gender": row["gender"],
    }
    if row["type"] == WECHAT:
        return fields | ({"unionid": row["unionid"]} if row["unionid"] else {})
    company = {"corp_name": row["corp_name"], "corp_full_name": row["corp_name"]}
    return fields | company | {"position": row["position"], "external_profile": {}}


def follow_fields(row: sqlite3.Row) -> dict[str, Any]:
    """What both get and batch/get_by_user say about a pair; state is absent when there is none."""
    fields = {
        "userid": row["userid"],
        "remark": row["remark"],
        "description": row["description"],
        "createtime": int(row["created_at"]),
        "remark_corp_name": row["company"],
        "remark_mobiles": json.loads(row["mobiles_json"]),
        "oper_userid": row["oper_userid"],
        "add_way": row["add_way"],
    }
    return fields | ({"state": row["state"]} if row["state"] else {})


def tags_of_pair(call: Call, userid: str, customer: str) -> list[sqlite3.Row]:
    """The live tags of one pair."""
    return call.state.all(
        "SELECT t.id, t.name, g.name AS group_name FROM relation_tag r JOIN tag t ON t.id = r.tag_id"
        " JOIN tag_group g ON g.id = t.group_id WHERE r.userid = ? AND r.customer = ? ORDER BY t.rowid",
        userid, customer,
    )  # fmt: skip


@endpoint("externalcontact/get", method="GET", empty={"follow_user": []})
def get_customer(call: Call) -> dict[str, Any]:
    """The customer and every member who follows; a half-added one may appear already."""
    customer = call.param("external_userid")
    people.check_external_id(customer)
    start = read_cursor(call, 0)
    rows = call.state.all(
        "SELECT * FROM relation WHERE customer = ? ORDER BY created_at, userid LIMIT ? OFFSET ?",
        customer, FOLLOWERS_PER_PAGE + 1, start,
    )  # fmt: skip
    known = call.state.one("SELECT * FROM customer WHERE id = ?", customer)
    if known is None or not rows:
        raise ApiError(84061)
    followers = []
    for row in rows[:FOLLOWERS_PER_PAGE]:
        tags = [
            {"group_name": tag["group_name"], "tag_name": tag["name"], "tag_id": tag["id"], "type": CORP_TAG}
            for tag in tags_of_pair(call, row["userid"], customer)
        ]
        followers.append(follow_fields(row) | {"tags": tags})
    more = len(rows) > FOLLOWERS_PER_PAGE
    return {
        "external_contact": customer_fields(known),
        "follow_user": followers,
        "next_cursor": make_cursor(call, start + FOLLOWERS_PER_PAGE) if more else "",
    }


@endpoint("externalcontact/batch/get_by_user", empty={"external_contact_list": []})
def get_by_user(call: Call) -> dict[str, Any]:
    """Customers of up to 100 members, a page at a time; a page may be short or empty and still have a cursor."""
    userids = call.items("userid_list")
    if not userids:
        raise ApiError(40063, "userid_list")
    if len(userids) > MOST_STAFF:
        raise ApiError(40032)
    for userid in userids:
        people.get_follower(call.state, userid)
    limit, (after, page) = limit_of(call, 50, 100), read_cursor(call, (["", ""], 0))
    if call.settings.short_pages:
        limit = 0 if page % 3 == 1 else max(1, limit // 2)
    marks = ",".join("?" * len(userids))
    rows = call.state.all(
        "SELECT r.*, c.id, c.name, c.type, c.gender, c.avatar, c.unionid, c.corp_name, c.position"  # noqa: S608
        f" FROM relation r JOIN customer c ON c.id = r.customer WHERE r.userid IN ({marks})"
        " AND r.half = 0 AND (r.userid, r.customer) > (?, ?) ORDER BY r.userid, r.customer LIMIT ?",
        *userids, *after, limit + 1,
    )  # fmt: skip
    found = []
    for row in rows[:limit]:
        info = follow_fields(row) | {
            "tag_id": [tag["id"] for tag in tags_of_pair(call, row["userid"], row["id"])]
        }
        found.append({"external_contact": customer_fields(row), "follow_info": info})
        after = [row["userid"], row["customer"]]
    more = len(rows) > limit
    return {
        "external_contact_list": found,
        "next_cursor": make_cursor(call, (after, page + 1)) if more else "",
    }


REMARK_FIELDS = {
    "remark": ("remark", 20),
    "description": ("description", 150),
    "remark_company": ("company", 20),
}


@endpoint("externalcontact/remark", write=True, raw_utf8=True)
def remark(call: Call) -> dict[str, Any]:
    """Overwrite the given fields of one pair; at least one of the five is needed."""
    userid, customer = call.need("userid"), call.need("external_userid")
    people.check_external_id(customer)
    staff = people.get_follower(call.state, userid)
    people.get_full_relation(call.state, staff["userid"], customer)
    if not {*REMARK_FIELDS, "remark_mobiles", "remark_pic_mediaid"} & set(call.body):
        raise ApiError(40058, "nothing to change")
    columns = {
        column: call.text(name, longest=longest)
        for name, (column, longest) in REMARK_FIELDS.items()
        if name in call.body
    }
    kind = call.state.value("SELECT type FROM customer WHERE id = ?", customer)
    if columns.get("company") and kind != WECHAT:
        raise ApiError(40058, "remark_company is for WeChat customers")
    if "remark_mobiles" in call.body:
        columns["mobiles_json"] = dump([mobile for mobile in call.items("remark_mobiles") if mobile])
    if call.text("remark_pic_mediaid"):
        check_media(call, call.text("remark_pic_mediaid"), ("image",))
    for column, value in columns.items():
        call.state.run(
            f"UPDATE relation SET {column} = ? WHERE userid = ? AND customer = ?",  # noqa: S608 - own names
            value, staff["userid"], customer,
        )  # fmt: skip
    return {}
