"""What the page shows of the sandbox's memory, in queries cheap enough to be polled: no list is ever read whole."""

from __future__ import annotations

import json
import re
from typing import Any

from bot.sandbox import faults, people, welcome
from bot.sandbox.errors import ControlError
from bot.sandbox.state import State, dump, iso

MOST_PEOPLE, DEFAULT_PEOPLE = 100, 30
MOST_SCANS, SCAN_DEPTH = 50, 400  # contact callbacks shown, deliveries looked through for them
MOST_MESSAGES = 200  # of one chat
PAIR = re.compile(
    r"<UserID><!\[CDATA\[(?P<userid>[^\]]*)\]\]></UserID>"
    r"<ExternalUserID><!\[CDATA\[(?P<customer>[^\]]*)\]\]></ExternalUserID>"
    r"(?:<State><!\[CDATA\[(?P<source>[^\]]*)\]\]></State>)?"
)


def summary(state: State) -> dict[str, Any]:
    """Clock, counts, the newest number of each journal, app messages by member. ``version`` changes with any of it."""
    seqs = {
        name: state.value(f"SELECT max(seq) FROM {table}") or 0  # noqa: S608 - own names
        for name, table in (
            ("messages", "message"),
            ("app_messages", "app_message"),
            ("calls", "call"),
            ("ledger", "ledger"),
            ("callbacks", "delivery"),
            ("ways", "way"),
        )
    }
    counts = {
        name: state.value(f"SELECT count(*) FROM {name}")  # noqa: S608 - own names
        for name in ("customer", "way", "request", "group_chat")
    }
    unsent = state.value("SELECT count(*) FROM delivery WHERE state = 'pending'")
    app_messages = dict(
        state.db.execute("SELECT userid, count(*) FROM app_message GROUP BY userid").fetchall()
    )
    told = ("messages", "app_messages", "ledger", "callbacks", "ways")
    version = [seqs[name] for name in told] + [*counts.values(), unsent]
    return {
        "now": iso(state.now()),
        "offset_s": state.offset,
        "company": state.value("SELECT name FROM department ORDER BY parentid, id LIMIT 1") or "",
        "seqs": seqs,
        "counts": {"customers": counts["customer"], "ways": counts["way"]},
        "app_messages": app_messages,
        "faults": faults.list_faults(state),
        "version": "-".join(str(number) for number in version),
    }


def _cursor(text: str) -> tuple[float, str] | None:
    if not text:
        return None
    at, _, customer = text.partition("~")
    try:
        return float(at), customer
    except ValueError:
        raise ControlError(400, "bad_field", "cursor 不是上一页给出的值") from None


def list_people(state: State, *, q: str, staff: str, cursor: str, limit: int) -> dict[str, Any]:
    """A page of customers, newest first, whose name (or, for ``staff``, remark) contains ``q``.

    With ``staff`` they are this member's, with remark, tags and how things stand between the two.
    """
    if not 1 <= limit <= MOST_PEOPLE:
        raise ControlError(400, "bad_field", f"limit 必须是 1 到 {MOST_PEOPLE} 的整数")
    like = "%" + re.sub(r"([%_\\])", r"\\\1", q.strip()) + "%"
    if staff:
        staff = people.access_staff(state, staff)["userid"]
        source = "relation r JOIN customer c ON c.id = r.customer"
        where, at = (
            "r.userid = ?1 AND (c.name LIKE ?2 ESCAPE '\\' OR r.remark LIKE ?2 ESCAPE '\\')",
            "r.created_at",
        )
        columns = "c.id, c.name, c.avatar, c.type, r.created_at AS at, r.*"
    else:
        source, where, at = "customer c", "?1 = '' AND c.name LIKE ?2 ESCAPE '\\'", "c.created_at"
        columns = "c.id, c.name, c.avatar, c.type, c.created_at AS at"
    total = state.value(f"SELECT count(*) FROM {source} WHERE {where}", staff, like)  # noqa: S608
    after = _cursor(cursor)
    rows = state.all(
        f"SELECT {columns} FROM {source} WHERE {where}"  # noqa: S608 - own names
        f" AND (?3 IS NULL OR ({at}, c.id) < (?3, ?4)) ORDER BY {at} DESC, c.id DESC LIMIT ?5",
        staff, like, after[0] if after else None, after[1] if after else None, limit + 1,
    )  # fmt: skip
    page = rows[:limit]
    more = f"{page[-1]['at']!r}~{page[-1]['id']}" if len(rows) > limit else None
    ids = [row["id"] for row in page]
    if staff:
        items = _with_pairs(state, page, staff)
    else:
        friends = _reps_of(state, ids)
        items = [{**_person(row), "staff": friends.get(row["id"], [])} for row in page]
    return {"items": items, "total": total, "next_cursor": more}


def _person(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "avatar": row["avatar"],
        "type": row["type"],
        "at": iso(row["at"]),
    }


def _reps_of(state: State, ids: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in state.all(
        "SELECT r.customer, s.name FROM relation r JOIN staff s ON s.userid = r.userid WHERE r.deleted_by_customer = 0"
        " AND r.customer IN (SELECT value FROM json_each(?)) ORDER BY r.created_at", dump(ids),
    ):  # fmt: skip
        found.setdefault(row["customer"], []).append(row["name"])
    return found


def _with_pairs(state: State, page: list[Any], staff: str) -> list[dict[str, Any]]:
    ids = [row["id"] for row in page]
    tags: dict[str, list[dict[str, str]]] = {}
    for row in state.all(
        "SELECT r.customer, t.id, t.name FROM relation_tag r JOIN tag t ON t.id = r.tag_id WHERE r.userid = ?"
        " AND r.customer IN (SELECT value FROM json_each(?)) ORDER BY t.rowid", staff, dump(ids),
    ):  # fmt: skip
        tags.setdefault(row["customer"], []).append({"id": row["id"], "name": row["name"]})
    return [
        {
            **_person(row),
            "remark": row["remark"],
            "description": row["description"],
            "company": row["company"],
            "mobiles": json.loads(row["mobiles_json"]),
            "half": bool(row["half"]),
            "deleted_by_customer": bool(row["deleted_by_customer"]),
            "tags": tags.get(row["id"], []),
        }
        for row in page
    ]


def list_requests(state: State, staff: str) -> list[dict[str, Any]]:
    """Customers who wait for this member to accept them."""
    rows = state.all(
        "SELECT c.id, c.name, c.avatar, c.type, r.at FROM request r JOIN customer c ON c.id = r.customer"
        " WHERE r.userid = ? ORDER BY r.at DESC LIMIT ?", staff, MOST_PEOPLE,
    )  # fmt: skip
    return [_person(row) for row in rows]


def phone(state: State, name_or_id: str) -> dict[str, Any]:
    """One customer's phone: a chat per member, the one with the newest message first."""
    customer = people.access_customer(state, name_or_id)
    chats: dict[str, dict[str, Any]] = {}
    for row in state.all(
        "SELECT s.userid, s.name, s.position, s.avatar, r.half, r.deleted_by_customer, r.created_at, r.customer,"
        " q.at AS asked_at FROM staff s"
        " LEFT JOIN relation r ON r.userid = s.userid AND r.customer = ?1"
        " LEFT JOIN request q ON q.userid = s.userid AND q.customer = ?1"
        " WHERE r.customer IS NOT NULL OR q.customer IS NOT NULL"
        " OR s.userid IN (SELECT userid FROM message WHERE customer = ?1)", customer["id"],
    ):  # fmt: skip
        added = row["created_at"] or row["asked_at"]
        chats[row["userid"]] = {
            "staff": {name: row[name] for name in ("userid", "name", "position", "avatar")},
            "standing": _standing(row),
            "added_at": iso(added) if added else None,
            "messages": [],
        }
    messages = welcome.list_messages(state, customer["id"], incoming=None)
    for message in messages:
        if message["staff"] in chats:
            chats[message["staff"]]["messages"].append(message)
    for chat in chats.values():
        chat["messages"] = chat["messages"][-MOST_MESSAGES:]
        _describe_media(state, chat["messages"])
    ordered = sorted(chats.values(), key=_newest, reverse=True)
    return {"id": customer["id"], "name": customer["name"], "avatar": customer["avatar"], "chats": ordered}


def _newest(chat: dict[str, Any]) -> str:
    messages = chat["messages"]
    return max(messages[-1]["at"] if messages else "", chat["added_at"] or "")


def _standing(row: Any) -> str:
    """How the two stand, as the customer sees it: friend, deleted (by the customer), removed (by the rep), asked."""
    if row["customer"] is None:
        return "asked" if row["asked_at"] else "removed"
    if row["deleted_by_customer"]:
        return "deleted"
    return "half" if row["half"] else "friend"


def _describe_media(state: State, messages: list[dict[str, Any]]) -> None:
    """Add filename, size and type to attachments that name a media_id."""
    for message in messages:
        for attachment in message["attachments"]:
            part = attachment.get(attachment.get("msgtype", "")) if isinstance(attachment, dict) else None
            media_id = (part.get("media_id") or part.get("pic_media_id")) if isinstance(part, dict) else None
            row = state.one(
                "SELECT filename, content_type, length(data) AS size FROM media WHERE id = ?", media_id
            ) if media_id else None  # fmt: skip
            if row is not None:
                attachment["media"] = {"id": media_id, **dict(row)}


def list_scans(state: State, limit: int) -> list[dict[str, Any]]:
    """The newest callbacks about a customer, newest first, with the names of who it is about."""
    newest = state.value("SELECT max(seq) FROM delivery") or 0
    found = []
    for row in state.all(
        "SELECT * FROM delivery WHERE seq > ? AND event = 'change_external_contact' ORDER BY seq DESC",
        newest - SCAN_DEPTH,
    ):
        pair = PAIR.search(row["xml"])
        if pair is not None:
            found.append(_scan(state, row, pair))
        if len(found) >= min(limit, MOST_SCANS):
            break
    return found


def _scan(state: State, row: Any, pair: re.Match[str]) -> dict[str, Any]:
    customer, userid, source = pair["customer"], pair["userid"], pair["source"]
    way = state.one("SELECT body_json FROM way WHERE state = ? ORDER BY seq DESC", source) if source else None
    return {
        "seq": row["seq"],
        "at": iso(row["at"]),
        "change_type": row["change_type"],
        "state": row["state"],
        "customer": {"id": customer, "name": state.value("SELECT name FROM customer WHERE id = ?", customer)},
        "staff": {"userid": userid, "name": state.value("SELECT name FROM staff WHERE userid = ?", userid)},
        "channel": json.loads(way["body_json"]).get("remark", "") if way else "",
    }
