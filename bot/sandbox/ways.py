"""Contact ways (「联系我」): their rows, and which member the platform gives to a customer who scans one."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from bot.sandbox.people import ACTIVE, staff_of_department
from bot.sandbox.state import State, dump

CODE_IN_URL = re.compile(r"(?:/qr/|[?&]code=|/)([A-Za-z0-9_-]+)(?:\.(?:png|svg))?(?:[?#&].*)?$")
STATE_IN_BODY = "state"


def put_way(state: State, config_id: str, body: dict[str, Any]) -> None:
    """Make or overwrite a way; its place in list order and its pick counter stay."""
    known = state.one("SELECT seq, created_at, picks FROM way WHERE config_id = ?", config_id)
    seq = known["seq"] if known else (state.value("SELECT max(seq) FROM way") or 0) + 1
    state.insert(
        "way", config_id=config_id, state=body.get(STATE_IN_BODY, ""), seq=seq,
        created_at=known["created_at"] if known else state.now(), picks=known["picks"] if known else 0,
        body_json=dump(body),
    )  # fmt: skip


def find_way(state: State, code: str) -> sqlite3.Row | None:
    """The way behind a config_id, a QR url or a state (the newest with that state)."""
    row = state.one("SELECT * FROM way WHERE config_id = ?", code)
    if row is None and "/" in code and (match := CODE_IN_URL.search(code)):
        row = state.one("SELECT * FROM way WHERE config_id = ?", match[1])
    if row is None and code:
        row = state.one("SELECT * FROM way WHERE state = ? ORDER BY seq DESC LIMIT 1", code)
    return row


def qr_url(base_url: str, config_id: str) -> str:
    """Where a way's QR image is."""
    return f"{base_url}/sandbox/qr/{config_id}.png"


def members_of_way(state: State, body: dict[str, Any]) -> list[str]:
    """The active members a customer can be given: users, then members of the parties, each once."""
    userids = list(body.get("user", []))
    for party in body.get("party", []):
        userids += [row["userid"] for row in staff_of_department(state, party) if row["follow_user"]]
    found = []
    for userid in dict.fromkeys(userids):
        row = state.one("SELECT userid FROM staff WHERE userid = ? AND status = ?", userid, ACTIVE)
        if row is not None:
            found.append(row["userid"])
    return found


def pick_member(state: State, way: sqlite3.Row, customer: str | None) -> str | None:
    """The member for this customer: one already related (friends first), else the next in turn."""
    members = members_of_way(state, json.loads(way["body_json"]))
    if not members:
        return None
    if customer is not None:
        marks = ",".join("?" * len(members))
        row = state.one(
            f"SELECT userid FROM relation WHERE customer = ? AND userid IN ({marks})"  # noqa: S608
            " ORDER BY deleted_by_customer, half, created_at LIMIT 1",
            customer, *members,
        )  # fmt: skip
        if row is not None:
            return next(userid for userid in members if userid.lower() == row["userid"].lower())
    state.run("UPDATE way SET picks = picks + 1 WHERE config_id = ?", way["config_id"])
    return members[way["picks"] % len(members)]
