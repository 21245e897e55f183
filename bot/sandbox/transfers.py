"""On-job transfers of customers: waiting 24 h, then accepted, unless the customer answers (path/92125)."""

from __future__ import annotations

import sqlite3

from bot.sandbox import people
from bot.sandbox.callbacks import Callbacks
from bot.sandbox.events import Event, Field, contact_event
from bot.sandbox.settings import SandboxSettings
from bot.sandbox.state import State

DONE, WAITING, REFUSED, LIMIT = 1, 2, 3, 4  # transfer_result's status
ADD_WAY_ASSIGNED = 202
WINDOW_S, MOST_IN_WINDOW = 90 * 86400, 2
OUTCOMES = {"accept": DONE, "refuse": REFUSED, "limit": LIMIT}
FAIL_REASON = {REFUSED: "customer_refused", LIMIT: "customer_limit_exceed"}


def item_errcode(state: State, handover: str, customer: str) -> int:
    """Why this customer cannot be transferred now; 0 when it can."""
    if not people.EXTERNAL_ID.fullmatch(customer):
        return 40096
    relation = people.find_relation(state, handover, customer)
    if relation is None or relation["half"]:
        return 40131
    if state.value("SELECT 1 FROM transfer WHERE customer = ? AND status = ?", customer, WAITING):
        return 40129
    since = state.now() - WINDOW_S
    done = state.value(
        "SELECT count(*) FROM transfer WHERE customer = ? AND status = ? AND at > ?", customer, DONE, since
    )
    return 40128 if done >= MOST_IN_WINDOW else 0


def settle(
    state: State, settings: SandboxSettings, callbacks: Callbacks, row: sqlite3.Row, outcome: int
) -> list[int]:
    """End one waiting transfer; answers the queued deliveries."""
    now = state.now()
    state.run("UPDATE transfer SET status = ?, done_at = ? WHERE seq = ?", outcome, now, row["seq"])
    events: list[Event] = []
    if outcome == DONE:
        events = _move(state, settings, row, now)
    else:
        reason = FAIL_REASON[outcome]
        xml = contact_event(
            settings.corp_id, now, "transfer_fail", row["takeover"], row["customer"], [("FailReason", reason)]
        )
        events = [xml]
    return [callbacks.queue(event) for event in events]


def _move(state: State, settings: SandboxSettings, row: sqlite3.Row, now: float) -> list[Event]:
    """Tags and remark go along (unconfirmed for personal ones); State does not (unconfirmed)."""
    handover, takeover, customer = row["handover"], row["takeover"], row["customer"]
    source: list[Field] = [("Source", "DELETE_BY_TRANSFER")]
    events = [contact_event(settings.corp_id, now, "del_external_contact", handover, customer, source)]
    friend = people.find_relation(state, takeover, customer)
    if friend is None:
        old = people.find_relation(state, handover, customer)
        people.put_relation(state, takeover, customer, half=False, source="", add_way=ADD_WAY_ASSIGNED)
        if old is not None:
            state.run(
                "UPDATE relation SET remark = ?, description = ?, company = ?, mobiles_json = ?, oper_userid = ?"
                " WHERE userid = ? AND customer = ?",
                old["remark"], old["description"], old["company"], old["mobiles_json"], handover, takeover, customer,
            )  # fmt: skip
        state.run(
            "INSERT OR IGNORE INTO relation_tag SELECT ?, customer, tag_id FROM relation_tag"
            " WHERE userid = ? AND customer = ?",
            takeover, handover, customer,
        )  # fmt: skip
        if not _had_handed_over(state, takeover, customer):
            events.append(contact_event(settings.corp_id, now, "add_external_contact", takeover, customer))
    people.drop_relation(state, handover, customer)
    return events


def _had_handed_over(state: State, userid: str, customer: str) -> bool:
    """No add event for a member who had transferred that customer away before."""
    return bool(
        state.value(
            "SELECT 1 FROM transfer WHERE handover = ? AND customer = ? AND status = ?",
            userid,
            customer,
            DONE,
        )
    )


def settle_due(state: State, settings: SandboxSettings, callbacks: Callbacks) -> list[int]:
    """Transfers nobody answered within the wait are accepted; answers the queued deliveries."""
    rows = state.all("SELECT * FROM transfer WHERE status = ? AND due_at <= ?", WAITING, state.now())
    return [seq for row in rows for seq in settle(state, settings, callbacks, row, DONE)]
