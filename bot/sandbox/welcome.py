"""Welcome codes: one use, 20 seconds, corp-wide (path/92137), and what customers have read on their phones."""

from __future__ import annotations

import json
from typing import Any

from bot.sandbox.errors import ApiError
from bot.sandbox.state import State, dump, iso, new_id

CODE_LENGTH = 43


def issue_code(state: State, userid: str, customer: str, ttl: float) -> str:
    """A code for this pair that dies ``ttl`` seconds from now; delivery time counts."""
    code = new_id("", CODE_LENGTH)
    state.insert("welcome_code", code=code, userid=userid, customer=customer, expires_at=state.now() + ttl)
    return code


def pair_of_code(state: State, code: str, now: float) -> tuple[str, str]:
    """The (member, customer) a code stands for. Raises 41050 unknown or too old, 41051 spent."""
    row = state.one("SELECT * FROM welcome_code WHERE code = ?", code)
    if row is None:
        raise ApiError(41050)
    if row["spent"]:
        raise ApiError(41051)
    if row["expires_at"] <= now:
        raise ApiError(41050)
    return row["userid"], row["customer"]


def spend_codes(state: State, userid: str, customer: str) -> None:
    """All codes of the pair are spent: a welcome went out, or the two began to chat."""
    state.run("UPDATE welcome_code SET spent = 1 WHERE customer = ? AND userid = ?", customer, userid)


def has_spent_code(state: State, userid: str, customer: str, since: float) -> bool:
    """Whether a code of this pair issued since ``since`` has been spent."""
    return bool(
        state.value(
            "SELECT 1 FROM welcome_code WHERE customer = ? AND userid = ? AND spent = 1 AND expires_at > ?",
            customer, userid, since,
        )
    )  # fmt: skip


def put_message(
    state: State,
    userid: str,
    customer: str,
    kind: str,
    text: str,
    attachments: list[Any],
    *,
    incoming: bool = True,
) -> int:
    """One message on the customer's phone; ``incoming`` False is one the customer wrote."""
    return state.insert(
        "message", at=state.now(), customer=customer, userid=userid, incoming=int(incoming), kind=kind, text=text,
        attachments_json=dump(attachments),
    )  # fmt: skip


def list_messages(
    state: State, customer: str | None, *, incoming: bool | None = True
) -> list[dict[str, Any]]:
    """Messages in order, of one customer or (None) of all; ``incoming`` None means both directions."""
    rows = state.all(
        "SELECT * FROM message WHERE (?1 IS NULL OR customer = ?1) AND (?2 IS NULL OR incoming = ?2) ORDER BY seq",
        customer, None if incoming is None else int(incoming),
    )  # fmt: skip
    return [
        {
            "seq": row["seq"],
            "at": iso(row["at"]),
            "kind": row["kind"],
            "text": row["text"],
            "attachments": json.loads(row["attachments_json"]),
            "staff": row["userid"],
            "customer": row["customer"],
            "from": "staff" if row["incoming"] else "customer",
        }
        for row in rows
    ]
