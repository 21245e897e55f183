"""Staff, customers and the relation between them, as the platform keeps it: per (member, customer) pair."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from bot.sandbox.errors import ApiError, ControlError
from bot.sandbox.state import State, new_id

ACTIVE, DISABLED, NOT_ACTIVATED, LEFT = 1, 2, 4, 5  # staff.status
EXTERNAL_ID_LENGTH = 32  # of the ids the sandbox makes
EXTERNAL_ID = re.compile(r"w[mo][A-Za-z0-9_-]{1,62}")
ADD_WAY_QR = 1


def find_staff(state: State, userid: str) -> sqlite3.Row | None:
    """The member, unless unknown or gone from the corp. Ids compare case-insensitively."""
    return state.one("SELECT * FROM staff WHERE userid = ? AND status != ?", userid, LEFT)


def get_staff(state: State, userid: str, errcode: int = 60111) -> sqlite3.Row:
    """The member. Raises ``errcode`` when unknown."""
    row = find_staff(state, userid)
    if row is None:
        raise ApiError(errcode, userid)
    return row


def get_follower(state: State, userid: str) -> sqlite3.Row:
    """The member, who must have the customer-contact right (84074)."""
    row = get_staff(state, userid)
    if not row["follow_user"]:
        raise ApiError(84074)
    return row


def staff_of_department(state: State, department: int) -> list[sqlite3.Row]:
    """Members directly in a department, in the order they were made."""
    return [
        row
        for row in state.all("SELECT * FROM staff WHERE status != ? ORDER BY rowid", LEFT)
        if department in json.loads(row["department_json"])
    ]


def check_external_id(customer: str) -> None:
    """Raises 40096 for what cannot be an external_userid."""
    if not EXTERNAL_ID.fullmatch(customer):
        raise ApiError(40096, customer)


def find_relation(state: State, userid: str, customer: str) -> sqlite3.Row | None:
    """The pair's relation of whatever kind, or None."""
    return state.one("SELECT * FROM relation WHERE userid = ? AND customer = ?", userid, customer)


def get_full_relation(state: State, userid: str, customer: str) -> sqlite3.Row:
    """The pair's effective relation. Raises 84061 when there is none or the member has not confirmed yet.

    A customer who deleted the member stays on the member's side, so the call works (unconfirmed).
    """
    row = find_relation(state, userid, customer)
    if row is None or row["half"]:
        raise ApiError(84061)
    return row


def find_customer(state: State, name_or_id: str) -> sqlite3.Row | None:
    """By external_userid, else by exact name (the oldest wins)."""
    row = state.one("SELECT * FROM customer WHERE id = ?", name_or_id)
    return row or state.one("SELECT * FROM customer WHERE name = ? ORDER BY rowid LIMIT 1", name_or_id)


def access_customer(state: State, name_or_id: str) -> sqlite3.Row:
    """For control calls: the customer, or a 404 in words."""
    row = find_customer(state, name_or_id)
    if row is None:
        raise ControlError(404, "customer_unknown", f"没有这个客户：{name_or_id}")
    return row


def access_staff(state: State, userid: str) -> sqlite3.Row:
    """For control calls: the member, or a 404 in words."""
    row = find_staff(state, userid)
    if row is None:
        raise ControlError(404, "staff_unknown", f"没有这个员工：{userid}")
    return row


def make_customer(state: State, name: str, **columns: Any) -> str:
    """A new WeChat customer; answers the external_userid (wm…, 32 characters)."""
    customer = new_id("wm", EXTERNAL_ID_LENGTH)
    state.insert("customer", id=customer, name=name, created_at=state.now(), **columns)
    return customer


def put_relation(state: State, userid: str, customer: str, *, half: bool, source: str, add_way: int) -> None:
    """Make or renew the relation. A renewed one gets a new time and state and keeps remark and tags."""
    known = find_relation(state, userid, customer)
    if known is not None and known["half"] and not half:
        state.run("UPDATE relation SET half = 0 WHERE userid = ? AND customer = ?", userid, customer)
        return
    state.run(
        "INSERT INTO relation (userid, customer, half, created_at, state, add_way, oper_userid)"
        " VALUES (?,?,?,?,?,?,?) ON CONFLICT (userid, customer) DO UPDATE SET half = excluded.half,"
        " deleted_by_customer = 0, created_at = excluded.created_at, state = excluded.state,"
        " add_way = excluded.add_way, oper_userid = excluded.oper_userid",
        userid, customer, int(half), int(state.now()), source, add_way, customer,
    )  # fmt: skip


def drop_relation(state: State, userid: str, customer: str) -> None:
    """The member's side of the relation is gone, with its tags."""
    state.run("DELETE FROM relation WHERE userid = ? AND customer = ?", userid, customer)
    state.run("DELETE FROM relation_tag WHERE userid = ? AND customer = ?", userid, customer)
