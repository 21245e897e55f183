"""Who makes which outbound call: claims under a lease, and what becomes of those whose worker vanished."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Table, and_, bindparam, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from scrm.dialects import insert_ignore
from scrm.leases import Claim, claim
from scrm.outbox import pause
from scrm.outbox.commands import DUPLICATE_CHECK
from scrm.outbox.models import CallState, OutboxAttempt, OutboxCall, Recovery
from scrm.outbox.service import Outcome, Verdict, finish

LEASE = timedelta(seconds=18)  # connect 3 s + read 5 s + 10 s
WELCOME_LEASE = timedelta(seconds=12)  # profile read 3 s + connect 3 s + read 5 s
READY = (CallState.PENDING, CallState.UNKNOWN)
BUSY = (CallState.PENDING, CallState.SENDING, CallState.UNKNOWN)
CLAIM = Claim(READY, BUSY, CallState.SENDING)
CLAIM_WELCOMES = Claim(READY, BUSY, CallState.SENDING, where=(OutboxCall.priority == 0,), newest_first=True)
CLAIM_OTHERS = Claim(READY, BUSY, CallState.SENDING, where=(OutboxCall.priority > 0,))

_CALLS = cast("Table", OutboxCall.__table__)


def claim_calls(
    session: Session,
    *,
    owner: str,
    now: datetime,
    limit: int,
    welcome: bool | None = None,
    except_apis: Collection[str] = (),
) -> list[OutboxCall]:
    """Lease due calls and write their attempt rows: commit before the socket opens.

    ``welcome`` restricts to the welcome lane (True) or to everything else (False). Calls past their deadline come
    back too: the worker marks them expired without sending. While the outbox is paused there is nothing to claim.
    """
    if pause.is_paused(session):
        return []
    rule = CLAIM if welcome is None else CLAIM_WELCOMES if welcome else CLAIM_OTHERS
    where = [OutboxCall.api.not_in(except_apis)] if except_apis else []
    lease = WELCOME_LEASE if welcome else LEASE
    rows = claim(session, OutboxCall, rule, owner=owner, lease=lease, limit=limit, now=now, where=where)
    if rows:
        started = [{"outbox_id": row.id, "n": row.attempts, "started_at": now} for row in rows]
        insert_ignore(session, OutboxAttempt, started)
        _open_windows(session, rows, now)
    return rows


def welcomes_wait(session: Session, *, now: datetime) -> bool:
    """Whether a welcome is due that nobody is sending yet, and that may be sent: nobody gives way to a paused one.

    Nor to those that came too late: where no process sends welcomes, they would hold up everything else for good.
    """
    newest = session.execute(_NEWEST_WELCOME, {"due_at": now}).first()
    is_late = newest is None or (newest.expires_at is not None and newest.expires_at <= now)
    return not is_late and not pause.is_paused(session)


_NEWEST_WELCOME = (
    select(_CALLS.c.expires_at)
    .where(
        _CALLS.c.state == CallState.PENDING,
        _CALLS.c.priority == 0,
        _CALLS.c.available_at <= bindparam("due_at"),
    )
    .order_by(_CALLS.c.available_at.desc(), _CALLS.c.id.desc())
    .limit(1)
)


def _open_windows(session: Session, rows: Sequence[OutboxCall], now: datetime) -> None:
    """The platform's window for identical calls starts with the first attempt."""
    opened = [row for row in rows if row.recovery == Recovery.WINDOW and row.repeat_until is None]
    if not opened:
        return
    until = now + DUPLICATE_CHECK - timedelta(minutes=5)
    session.execute(_OPEN_WINDOWS, {"opened": [row.id for row in opened], "repeat_until": until})
    for row in opened:
        set_committed_value(row, "repeat_until", until)


_OPEN_WINDOWS = update(_CALLS).where(_CALLS.c.id.in_(bindparam("opened", expanding=True)))


def sweep_expired_leases(
    session: Session, *, now: datetime, everyone: bool = False, limit: int = 500
) -> list[OutboxCall]:
    """Calls whose worker vanished in mid-air become unknown, never pending: they may have taken effect.

    ``everyone``: nobody else can be working (embedded start), so leases that still run are over too.
    """
    over = OutboxCall.state == CallState.SENDING
    stale = (
        select(OutboxCall)
        .where(over if everyone else and_(over, OutboxCall.available_at <= now))
        .order_by(OutboxCall.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = list(session.scalars(stale))
    for row in rows:
        outcome = Outcome(Verdict.UNKNOWN, reason="发送进程中断，结果未知")
        finish(session, row, outcome, now=now)
    return rows


def release_unsent(session: Session, row: OutboxCall, *, now: datetime) -> None:
    """Give back a claimed call whose socket was surely never opened, as on shutdown."""
    finish(session, row, Outcome(Verdict.PAUSED, reason=None, retry_at=now, bytes_sent=False), now=now)
