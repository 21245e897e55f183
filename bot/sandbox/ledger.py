"""What the platform did (ledger: accepted effects, append-only) and what it was asked (calls: everything)."""

from __future__ import annotations

import json
from typing import Any

from bot.sandbox.state import State, dump, iso

LONGEST_BODY = 4000  # characters of a refused call's body that are kept


def record_effect(state: State, at: float, api: str, body: dict[str, Any], result: dict[str, Any]) -> None:
    """Append an accepted effect; call it in the transaction that applies the effect."""
    state.run(
        "INSERT INTO ledger (at, api, body_json, result_json) VALUES (?,?,?,?)",
        at,
        api,
        dump(body),
        dump(result),
    )


def record_call(
    state: State, *, at: float, api: str, errcode: int | None, status: int, ms: float, note: str, body: str
) -> None:
    """Append one line about any call. ``errcode`` None: no platform answer; ``status`` 0: connection dropped."""
    state.run(
        "INSERT INTO call (at, api, errcode, status, ms, note, body) VALUES (?,?,?,?,?,?,?)",
        at, api, errcode, status, round(ms, 3), note, body[:LONGEST_BODY],
    )  # fmt: skip


def list_effects(state: State, *, after: int = 0, api: str = "", limit: int = -1) -> list[dict[str, Any]]:
    """Ledger lines after a sequence number, in order."""
    rows = state.all(
        "SELECT * FROM ledger WHERE seq > ? AND (? = '' OR api = ?) ORDER BY seq LIMIT ?",
        after,
        api,
        api,
        limit,
    )
    return [
        {
            "seq": row["seq"],
            "at": iso(row["at"]),
            "api": row["api"],
            "body": json.loads(row["body_json"]),
            "result": json.loads(row["result_json"]),
        }
        for row in rows
    ]


def list_calls(state: State, *, after: int = 0, api: str = "", limit: int = -1) -> list[dict[str, Any]]:
    """Call lines after a sequence number, in order."""
    rows = state.all(
        "SELECT * FROM call WHERE seq > ? AND (? = '' OR api = ?) ORDER BY seq LIMIT ?",
        after,
        api,
        api,
        limit,
    )
    return [{**dict(row), "at": iso(row["at"])} for row in rows]
