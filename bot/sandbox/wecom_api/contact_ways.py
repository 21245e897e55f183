"""Contact ways, 「联系我」 (path/92572)."""

from __future__ import annotations

import json
from typing import Any

from bot.sandbox import people, ways
from bot.sandbox.cursors import limit_of, make_cursor, read_cursor
from bot.sandbox.errors import ApiError
from bot.sandbox.registry import Call, endpoint
from bot.sandbox.state import new_id

SINGLE, MULTI = 1, 2
MINI_PROGRAM, QR_CODE = 1, 2
MOST_MEMBERS = 100
LONGEST_TEXT = 30  # characters of state and remark
TEMP_LIFE_S = 14 * 86400
DEFAULT_TEMP_S, DEFAULT_CHAT_S = 7 * 86400, 86400
LIST_SPAN_S = 90 * 86400


def number_in(call: Call, name: str, allowed: tuple[int, ...], missing: int, bad: int) -> int:
    """A required number of a fixed set. Raises ``missing`` or ``bad``."""
    if name not in call.body:
        raise ApiError(missing)
    value = call.body[name]
    if isinstance(value, bool) or value not in allowed:
        raise ApiError(bad)
    return int(value)


def check_users(call: Call, kind: int, users: list[str], parties: list[int]) -> None:
    """Members must exist (40003), be active (41054) and may serve customers (84074); at most 100 (41041)."""
    if kind == SINGLE and (len(users) != 1 or parties):
        raise ApiError(40058, "type 1 needs exactly one user")
    if not users and not parties:
        raise ApiError(40058, "user and party are both empty")
    for userid in users:
        row = people.get_staff(call.state, userid, 40003)
        if row["status"] != people.ACTIVE:
            raise ApiError(41054, userid)
        if not row["follow_user"]:
            raise ApiError(84074, userid)
    everyone = {userid.lower() for userid in users}
    for party in parties:
        if call.state.value("SELECT 1 FROM department WHERE id = ?", party) is None:
            raise ApiError(60003, str(party))
        everyone |= {row["userid"].lower() for row in people.staff_of_department(call.state, party)}
    if len(everyone) > MOST_MEMBERS:
        raise ApiError(41041)


def check_style(call: Call) -> None:
    """Raises 41042 for an unknown control style."""
    if "style" in call.body and call.number("style") not in (0, 1, 2, 3):
        raise ApiError(41042)


def check_temp(call: Call, kind: int, *, temp: bool) -> None:
    """Fields of temporary sessions only where they belong. Raises 40058."""
    if temp and kind != SINGLE:
        raise ApiError(40058, "is_temp needs type 1")
    if not temp and (call.text("unionid") or call.mapping("conclusions")):
        raise ApiError(40058, "unionid and conclusions need is_temp")
    for name in ("expires_in", "chat_expires_in"):
        if not 0 <= call.number(name) <= TEMP_LIFE_S:
            raise ApiError(40058, name)


@endpoint("externalcontact/add_contact_way", write=True, raw_utf8=True)
def add_contact_way(call: Call) -> dict[str, Any]:
    """A new way each time: the call is not idempotent."""
    kind = number_in(call, "type", (SINGLE, MULTI), 41037, 41039)
    scene = number_in(call, "scene", (MINI_PROGRAM, QR_CODE), 41038, 41040)
    check_style(call)
    temp = call.flag("is_temp", default=False)
    check_temp(call, kind, temp=temp)
    users, parties = call.items("user"), call.items("party", int)
    way = {
        "type": kind,
        "scene": scene,
        "style": call.number("style", 1) if scene == MINI_PROGRAM else call.number("style"),
        "remark": call.text("remark", longest=LONGEST_TEXT),
        "skip_verify": call.flag("skip_verify", default=True),
        "state": call.text("state", longest=LONGEST_TEXT),
        "user": users,
        "party": parties,
        "is_temp": temp,
        "expires_in": call.number("expires_in", DEFAULT_TEMP_S),
        "chat_expires_in": call.number("chat_expires_in", DEFAULT_CHAT_S),
        "unionid": call.text("unionid"),
        "is_exclusive": call.flag("is_exclusive", default=False),
        "mark_source": call.flag("mark_source", default=True),
        "conclusions": call.mapping("conclusions"),
    }
    check_users(call, kind, users, parties)
    if call.state.value("SELECT count(*) FROM way") >= call.settings.way_cap:
        raise ApiError(41045)
    config_id = new_id("", 32).lower()
    ways.put_way(call.state, config_id, way)
    answer = {"config_id": config_id}
    if scene == QR_CODE:
        answer["qr_code"] = ways.qr_url(call.settings.base_url, config_id)
    return answer


def get_way(call: Call) -> tuple[str, dict[str, Any]]:
    """The way a call is about. Raises 41043 no config_id, 41044 unknown or deleted."""
    config_id = call.need("config_id", 41043)
    text = call.state.value("SELECT body_json FROM way WHERE config_id = ?", config_id)
    if text is None:
        raise ApiError(41044)
    return config_id, json.loads(text)


@endpoint("externalcontact/get_contact_way")
def get_contact_way(call: Call) -> dict[str, Any]:
    """All settings of one way."""
    config_id, way = get_way(call)
    if way["scene"] == QR_CODE:
        way["qr_code"] = ways.qr_url(call.settings.base_url, config_id)
    return {"contact_way": {"config_id": config_id, **way}}


@endpoint("externalcontact/list_contact_way", empty={"contact_way": []})
def list_contact_way(call: Call) -> dict[str, Any]:
    """Ids of ways made in a span, oldest first; temporary ones are left out."""
    limit, after = limit_of(call, 100, 1000), read_cursor(call, 0)
    end = call.number("end_time", int(call.now) + 1)
    start = call.number("start_time", int(call.now) - LIST_SPAN_S)
    rows = call.state.all(
        "SELECT config_id, seq FROM way WHERE seq > ? AND created_at >= ? AND created_at <= ?"
        " AND NOT coalesce(json_extract(body_json, '$.is_temp'), 0) ORDER BY seq LIMIT ?",
        after, start, end, limit + 1,
    )  # fmt: skip
    page = rows[:limit]
    return {
        "contact_way": [{"config_id": row["config_id"]} for row in page],
        "next_cursor": make_cursor(call, page[-1]["seq"]) if len(rows) > limit else "",
    }


@endpoint("externalcontact/update_contact_way", write=True, raw_utf8=True)
def update_contact_way(call: Call) -> dict[str, Any]:
    """Overwrite what is given; user and party as whole lists. Type, scene and is_exclusive stay."""
    config_id, way = get_way(call)
    check_style(call)
    check_temp(call, way["type"], temp=bool(way.get("is_temp")))
    for name in ("remark", "state"):
        if name in call.body:
            way[name] = call.text(name, longest=LONGEST_TEXT)
    for name in ("skip_verify", "mark_source"):
        if name in call.body:
            way[name] = call.flag(name, default=True)
    for name in ("style", "expires_in", "chat_expires_in"):
        if name in call.body:
            way[name] = call.number(name)
    if "unionid" in call.body:
        way["unionid"] = call.text("unionid")
    if "conclusions" in call.body:
        way["conclusions"] = call.mapping("conclusions")
    if "user" in call.body or "party" in call.body:
        way["user"] = call.items("user") if "user" in call.body else way.get("user", [])
        way["party"] = call.items("party", int) if "party" in call.body else way.get("party", [])
        check_users(call, way["type"], way["user"], way["party"])
    ways.put_way(call.state, config_id, way)
    return {}


@endpoint("externalcontact/del_contact_way", write=True)
def del_contact_way(call: Call) -> dict[str, Any]:
    """The way is gone; scans of its printed code find nothing."""
    config_id, _ = get_way(call)
    call.state.run("DELETE FROM way WHERE config_id = ?", config_id)
    return {}
