"""Group chats with customers (path/92120, 92122)."""

from __future__ import annotations

from typing import Any

from bot.sandbox import groups, people
from bot.sandbox.cursors import limit_of, make_cursor, read_cursor
from bot.sandbox.errors import ApiError
from bot.sandbox.registry import Call, endpoint
from bot.sandbox.state import dump

MOST_OWNERS, MOST_GROUPS = 100, 1000
NORMAL, OWNER_LEFT = 0, 1  # group_chat_list.status: 2 and 3 come with inheritance, which is not played
LAST_STATUS = 3


@endpoint("externalcontact/groupchat/list", empty={"group_chat_list": []})
def list_groups(call: Call) -> dict[str, Any]:
    """Groups whose owner may serve customers, those of resigned owners included, a page at a time."""
    status = call.number("status_filter")
    if not 0 <= status <= LAST_STATUS:
        raise ApiError(40058, "status_filter")
    owners = _owners(call)
    limit, after = limit_of(call, 0, MOST_GROUPS), read_cursor(call, "")
    rows = call.state.all(
        "SELECT g.id, s.status = ?1 AS is_left FROM group_chat g JOIN staff s ON s.userid = g.owner"
        " WHERE g.dismissed_at IS NULL AND s.follow_user = 1 AND g.id > ?2"
        " AND (?3 = '[]' OR lower(g.owner) IN (SELECT value FROM json_each(?3)))"
        " AND (?4 = 0 OR (?4 = 1 AND s.status = ?1)) ORDER BY g.id LIMIT ?5",
        people.LEFT, after, dump([owner.lower() for owner in owners]), status, limit + 1,
    )  # fmt: skip
    found = [
        {"chat_id": row["id"], "status": OWNER_LEFT if row["is_left"] else NORMAL} for row in rows[:limit]
    ]
    more = len(rows) > limit
    return {
        "group_chat_list": found,
        "next_cursor": make_cursor(call, found[-1]["chat_id"]) if more else "",
    }


def _owners(call: Call) -> list[str]:
    """Whose groups are asked for; empty for everybody's. Raises 81017 where that would be too many."""
    value = call.mapping("owner_filter").get("userid_list") or []
    if not isinstance(value, list) or not all(isinstance(owner, str) for owner in value):
        raise ApiError(40031)
    if len(value) > MOST_OWNERS:
        raise ApiError(40032)
    for owner in value:
        if call.state.value("SELECT 1 FROM staff WHERE userid = ?", owner) is None:
            raise ApiError(60111, owner)
    serving = call.state.value(
        "SELECT count(*) FROM staff WHERE follow_user = 1 AND status != ?", people.LEFT
    )
    if not value and serving > call.settings.group_owner_cap:
        raise ApiError(81017)
    return value


@endpoint("externalcontact/groupchat/get")
def get_group(call: Call) -> dict[str, Any]:
    """One group and its members; names of members only where ``need_name`` asks for them."""
    chat_id = call.need("chat_id")
    group = groups.find_group(call.state, chat_id)
    if group is None:
        raise ApiError(40050, chat_id)
    if group["dismissed_at"] is not None:
        raise ApiError(49008)
    version, members = groups.member_list(call.state, group, lag_s=call.settings.group_lag_s)
    if not call.number("need_name"):
        members = [{key: value for key, value in one.items() if key != "name"} for one in members]
    return {
        "group_chat": {
            "chat_id": chat_id,
            "name": group["name"],
            "owner": group["owner"],
            "create_time": int(group["created_at"]),
            "notice": group["notice"],
            "member_list": members,
            "admin_list": [{"userid": group["owner"]}],
            "member_version": version,
        }
    }
