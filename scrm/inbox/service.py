"""Record, claim and finish inbound events."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, Update, bindparam, update
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from scrm import batch
from scrm.db import affected
from scrm.dialects import insert_ignore
from scrm.errors import Conflict, LeaseLost, NotFound
from scrm.inbox.models import EventState, InboxEvent
from scrm.leases import Claim, backoff, change_held, claim, holds

LEASE = timedelta(seconds=60)
URGENT_LEASE = timedelta(seconds=8)  # a worker that dies leaves the next one time to greet: codes live 20 s
MAX_ATTEMPTS = 8
FRESH = timedelta(seconds=300)  # a callback whose timestamp is further away is quarantined
ARRIVED = "inbox.arrived"  # in ``session.info``: there is an event more to handle once this is committed
OPEN = (EventState.PENDING, EventState.LEASED)
CLAIM = Claim(OPEN, OPEN, EventState.LEASED)
CLAIM_URGENT = Claim(OPEN, OPEN, EventState.LEASED, where=(InboxEvent.priority == 0,), newest_first=True)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event as it came in, not yet a row. ``payload`` is the decrypted text, unchanged."""

    source: str
    kind: str
    payload: str
    received_at: datetime
    lane: str | None = None
    priority: int = 5
    sent_at: datetime | None = None
    quarantined: bool = False
    request_id: str | None = None
    dedupe_key: str | None = None
    caused_by_call: int | None = None

    @property
    def key(self) -> str:
        return self.dedupe_key or hashlib.sha256(self.payload.encode("utf-8", "surrogatepass")).hexdigest()

    def row(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "dedupe_key": self.key,
            "kind": self.kind[:96],
            "state": EventState.QUARANTINED if self.quarantined else EventState.PENDING,
            "lane": self.lane[:80] if self.lane else None,
            "priority": self.priority,
            "payload": self.payload,
            "received_at": self.received_at,
            "sent_at": self.sent_at,
            "request_id": self.request_id,
            "available_at": self.received_at,
            "attempts": 0,
            "caused_by_call": self.caused_by_call,
        }


def record(session: Session | Connection, arrivals: Sequence[Arrival]) -> int:
    """Keep each arrival exactly once; how many were new. The caller commits before it answers the platform.

    A fresh copy of an event that lies in quarantine releases it.
    """
    inserted = insert_ignore(session, InboxEvent, [arrival.row() for arrival in arrivals])
    if inserted < len(arrivals):
        for arrival in arrivals:
            if not arrival.quarantined:
                _release_quarantined(session, arrival)
    return inserted


def _release_quarantined(session: Session | Connection, arrival: Arrival) -> None:
    session.execute(
        update(InboxEvent)
        .where(
            InboxEvent.source == arrival.source,
            InboxEvent.dedupe_key == arrival.key,
            InboxEvent.state == EventState.QUARANTINED,
        )
        .values(state=EventState.PENDING, available_at=arrival.received_at, error=None)
    )


def record_answer(  # noqa: PLR0913 - all by keyword
    session: Session,
    api: str,
    body: dict[str, Any],
    *,
    key: str,
    now: datetime,
    lane: str | None = None,
    priority: int = 3,
    call_id: int | None = None,
    asked_at: datetime | None = None,
) -> None:
    """Keep a platform answer as an event ``answer.<api>``; ``key`` makes it count once.

    ``asked_at``: when the question left us. The answer may be older than anything that happened since.
    """
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    arrival = Arrival(
        source="answer",
        kind=f"answer.{api}",
        payload=text,
        received_at=now,
        sent_at=asked_at,
        lane=lane,
        priority=priority,
        dedupe_key=hashlib.sha256(key.encode()).hexdigest(),
        caused_by_call=call_id,
    )
    session.info[ARRIVED] = True
    batch.insert(session, InboxEvent, arrival.row())


def claim_events(
    session: Session, *, owner: str, now: datetime, limit: int = 20, urgent: bool = False
) -> list[InboxEvent]:
    """Lease due events, or only those of contacts who may be greeted (``urgent``).

    Those that used up their attempts (their worker died each time) become dead instead.
    """
    rule, lease = (CLAIM_URGENT, URGENT_LEASE) if urgent else (CLAIM, LEASE)
    rows = claim(session, InboxEvent, rule, owner=owner, lease=lease, limit=limit, now=now)
    live = []
    for row in rows:
        if row.attempts > MAX_ATTEMPTS:
            row.state, row.done_at = EventState.DEAD, now
            row.error = row.error or "every worker that took this event died"
        else:
            live.append(row)
    return live


def _finish(session: Session, row: InboxEvent, **values: Any) -> None:
    if not change_held(session, row, EventState.LEASED, **values):
        raise LeaseLost("inbox", row.id)


def mark_done(session: Session, row: InboxEvent, *, now: datetime, ignored: bool = False) -> None:
    """The event took effect; call in the transaction of the effect. Raises LeaseLost when it is not ours."""
    state = EventState.IGNORED if ignored else EventState.DONE
    _finish(session, row, state=state, done_at=now, error=None)


def mark_failed(session: Session, row: InboxEvent, error: str, *, now: datetime) -> EventState:
    """The handler raised: try again later, or declare it dead after MAX_ATTEMPTS. Returns the new state."""
    if row.attempts >= MAX_ATTEMPTS:
        _finish(session, row, state=EventState.DEAD, error=error, done_at=now)
        return EventState.DEAD
    wait = backoff(row.attempts, base=timedelta(seconds=1))
    _finish(session, row, state=EventState.PENDING, error=error, available_at=now + wait)
    return EventState.PENDING


def mark_done_together(
    session: Session, rows: Sequence[InboxEvent], *, now: datetime, ignored: bool = False
) -> None:
    """``mark_done`` for events that were claimed together. Raises LeaseLost when any is not ours."""
    state = EventState.IGNORED if ignored else EventState.DONE
    _finish_together(session, rows, _DONE, {"state": state, "done_at": now})


def put_off(session: Session, rows: Sequence[InboxEvent], *, priority: int, now: datetime) -> None:
    """What could not wait is done: the rest of events claimed together comes later. Raises LeaseLost if any is lost."""
    _finish_together(session, rows, _PUT_OFF, {"priority": priority, "available_at": now})


def _finish_together(
    session: Session, rows: Sequence[InboxEvent], change: Update, values: dict[str, Any]
) -> None:
    if not rows:
        return
    mine = {"ids": [row.id for row in rows], "token": rows[0].lease_token}
    if affected(session.execute(change, {**mine, **values})) < len(rows):
        raise LeaseLost("inbox", rows[0].id)


_INBOX = cast("Table", InboxEvent.__table__)
_CLAIMED_TOGETHER = update(_INBOX).where(
    _INBOX.c.id.in_(bindparam("ids", expanding=True)),
    _INBOX.c.state == EventState.LEASED,
    _INBOX.c.lease_token == bindparam("token"),
)
_DONE = _CLAIMED_TOGETHER.values(error=None)
_PUT_OFF = _CLAIMED_TOGETHER.values(state=EventState.PENDING, attempts=_INBOX.c.attempts - 1)


def release(session: Session, rows: Sequence[InboxEvent], *, now: datetime) -> None:
    """Give claimed but unstarted events back, as on shutdown; the attempt does not count."""
    for row in rows:
        give = update(InboxEvent).where(holds(InboxEvent, row, EventState.LEASED))
        session.execute(
            give.values(state=EventState.PENDING, attempts=InboxEvent.attempts - 1, available_at=now)
        )


def release_all(session: Session, *, now: datetime) -> int:
    """Nobody else can be working (embedded start): events leased by the dead process are due at once."""
    leased = update(InboxEvent).where(InboxEvent.state == EventState.LEASED)
    return affected(session.execute(leased.values(available_at=now)))


def replay(session: Session, event_id: int, *, now: datetime) -> InboxEvent:
    """Run an event again. Effects keep their keys, so what already happened does not happen twice.

    Raises NotFound, and Conflict while the event is still on its way.
    """
    row = session.get(InboxEvent, event_id, with_for_update=True)
    if row is None:
        raise NotFound("event_not_found", f"没有编号为 {event_id} 的事件")
    if row.state in (EventState.PENDING, EventState.LEASED):
        raise Conflict("event_in_progress", "该事件正在处理中，请稍后再试")
    if row.payload is None:
        raise Conflict("event_payload_pruned", "该事件的内容已超过保存期，无法重放")
    row.state, row.attempts, row.available_at, row.error, row.done_at = EventState.PENDING, 0, now, None, None
    return row
