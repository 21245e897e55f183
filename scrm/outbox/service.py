"""Enqueue, claim and finish outbound calls."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import Table, and_, bindparam, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from scrm import batch
from scrm.db import affected
from scrm.dialects import insert_ignore
from scrm.errors import Conflict, LeaseLost, NotFound
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent
from scrm.leases import Claim, backoff, change_held, claim
from scrm.outbox import pause
from scrm.outbox.commands import COMMANDS, DUPLICATE_CHECK, Command, to_json
from scrm.outbox.models import TERMINAL, CallState, OutboxAttempt, OutboxCall, Recovery
from scrm.timeline import service as timeline

LEASE = timedelta(seconds=18)  # connect 3 s + read 5 s + 10 s
WELCOME_LEASE = timedelta(seconds=12)  # profile read 3 s + connect 3 s + read 5 s
MAX_ATTEMPTS = 8
OWED, OWED_WELCOME = (
    "outbox.owed",
    "outbox.owed_welcome",
)  # in ``session.info``: there is a call to make once committed
READY = (CallState.PENDING, CallState.UNKNOWN)
BUSY = (CallState.PENDING, CallState.SENDING, CallState.UNKNOWN)
CLAIM = Claim(READY, BUSY, CallState.SENDING)
CLAIM_WELCOMES = Claim(READY, BUSY, CallState.SENDING, where=(OutboxCall.priority == 0,), newest_first=True)
CLAIM_OTHERS = Claim(READY, BUSY, CallState.SENDING, where=(OutboxCall.priority > 0,))

_CALLS, _ATTEMPTS = cast("Table", OutboxCall.__table__), cast("Table", OutboxAttempt.__table__)


def enqueue(
    session: Session,
    command: Command,
    *,
    now: datetime,
    contact_id: str | None = None,
    caused_by: int | None = None,
    deadline: datetime | None = None,
    not_before: datetime | None = None,
) -> bool:
    """Owe the platform a call, in the transaction that decided it. Whether it was new: the same effect is owed once.

    After ``deadline`` the call is dropped and reported, never made late.
    """
    row = _owed(command, now=now, contact_id=contact_id, caused_by=caused_by)
    row |= {"available_at": not_before or now, "expires_at": deadline}
    new = insert_ignore(session, OutboxCall, [row]) == 1
    if new and (not_before is None or not_before <= now):
        session.info[OWED_WELCOME if command.priority == 0 else OWED] = True
    return new


def owe(
    session: Session,
    command: Command,
    *,
    now: datetime,
    contact_id: str | None = None,
    caused_by: int | None = None,
    deadline: datetime | None = None,
    not_before: datetime | None = None,
) -> None:
    """As ``enqueue``, for those who do not ask whether it was new: a batch writes all its calls together."""
    row = _owed(command, now=now, contact_id=contact_id, caused_by=caused_by)
    batch.insert(session, OutboxCall, row | {"available_at": not_before or now, "expires_at": deadline})
    session.info[OWED_WELCOME if command.priority == 0 else OWED] = True


def _owed(
    command: Command, *, now: datetime, contact_id: str | None, caused_by: int | None
) -> dict[str, Any]:
    is_repeatable = command.recovery == Recovery.WINDOW  # inside the platform's window, if it is identical
    return {
        "effect_key": command.effect_key,
        "api": command.api,
        "command_kind": type(command).__name__,
        "command": to_json(command),
        "request": request_text(command) if is_repeatable else None,
        "lane": command.lane,
        "priority": command.priority,
        "state": CallState.PENDING,
        "recovery": command.recovery,
        "attempts": 0,
        "attempt_limit": MAX_ATTEMPTS,
        "uncertain": False,
        "available_at": now,
        "expires_at": None,
        "contact_id": contact_id,
        "caused_by": caused_by,
        "created_at": now,
    }


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


def _change(session: Session, row: OutboxCall, **values: Any) -> None:
    if not change_held(session, row, CallState.SENDING, **values):
        raise LeaseLost("outbox", row.id)


class Verdict(StrEnum):
    """What an attempt came to."""

    SENT = "sent"  # the platform said yes (or: it was so already)
    REFUSED = "refused"  # a definite no that will not change
    LATER = "later"  # a definite no for now: try again, the attempt counts
    PAUSED = "paused"  # we may not call now (quota, circuit): try again, the attempt does not count
    UNKNOWN = "unknown"  # nobody knows whether it took effect
    EXPIRED = "expired"  # the deadline passed before it was sent
    SKIPPED = "skipped"  # no longer needed


@dataclass(frozen=True)
class Outcome:
    """The result of one attempt, as the worker saw it. ``answer`` is the platform's body where there is one.

    ``asked_at`` is when the attempt began: an answer tells what was so then, not when it came.
    """

    verdict: Verdict
    errcode: int | None = None
    reason: str | None = None
    retry_at: datetime | None = None
    http_status: int | None = None
    bytes_sent: bool | None = None
    answer: dict[str, Any] | None = None
    asked_at: datetime | None = None


def finish(session: Session, row: OutboxCall, outcome: Outcome, *, now: datetime) -> CallState:
    """Record what an attempt came to and move the state machine. Returns the new state; raises LeaseLost.

    In the same transaction: the answer becomes an inbox event where the command keeps it, and the contact's
    timeline tells the outcome.
    """
    state, values = _next_state(row, outcome, now)
    _change(session, row, state=state, errcode=outcome.errcode, reason=outcome.reason, **values)
    ended = {
        "finished_at": now,
        "errcode": outcome.errcode,
        "http_status": outcome.http_status,
        "bytes_sent": outcome.bytes_sent,
        "error": outcome.reason,
    }
    batch.change(session, _END_ATTEMPT, {"of_call": row.id, "number": row.attempts, **ended})
    if state in TERMINAL or (state == CallState.UNKNOWN and values["available_at"] is None):
        _tell(session, row, state, outcome, now)
    return state


_END_ATTEMPT = update(_ATTEMPTS).where(
    _ATTEMPTS.c.outbox_id == bindparam("of_call"), _ATTEMPTS.c.n == bindparam("number")
)


def _next_state(row: OutboxCall, outcome: Outcome, now: datetime) -> tuple[CallState, dict[str, Any]]:
    done: dict[str, Any] = {"done_at": now}
    waiting = CallState.UNKNOWN if row.uncertain else CallState.PENDING
    match outcome.verdict:
        case Verdict.SENT:
            return CallState.SENT, done
        case Verdict.SKIPPED:
            return CallState.SKIPPED, done
        case Verdict.REFUSED:
            return CallState.FAILED, done
        case Verdict.EXPIRED:
            return CallState.EXPIRED, done
        case Verdict.PAUSED:
            paused = outcome.retry_at or now + timedelta(seconds=1)
            return waiting, {"available_at": _in_time(row, paused, now), "attempts": row.attempts - 1}
        case Verdict.LATER if row.attempts < row.attempt_limit:
            later = outcome.retry_at or now + _wait(row)
            return waiting, {"available_at": _in_time(row, later, now)}
        case Verdict.LATER if not row.uncertain:
            return CallState.FAILED, done
        case Verdict.UNKNOWN:
            resolve_at = _resolve_at(row, outcome, now)
            return CallState.UNKNOWN, {"available_at": resolve_at, "uncertain": True}
    return CallState.UNKNOWN, {"available_at": None}


def _in_time(row: OutboxCall, at: datetime, now: datetime) -> datetime:
    """Not later than the deadline, so that a call which misses it is reported then and not after a long pause."""
    return at if row.expires_at is None or row.expires_at <= now else min(at, row.expires_at)


def _wait(row: OutboxCall) -> timedelta:
    if row.expires_at is not None:  # a welcome has seconds, not minutes
        return backoff(row.attempts - 1, base=timedelta(seconds=0.5), most=timedelta(seconds=3))
    return backoff(row.attempts)


def _resolve_at(row: OutboxCall, outcome: Outcome, now: datetime) -> datetime | None:
    """When to find out what became of an unknown call; None when only a person can."""
    at = outcome.retry_at or _in_time(row, now + _wait(row), now)
    if row.recovery == Recovery.OPERATOR or row.attempts >= row.attempt_limit:
        return None
    if row.recovery == Recovery.WINDOW and (row.repeat_until is None or at >= row.repeat_until):
        return None
    return at


def _tell(session: Session, row: OutboxCall, state: CallState, outcome: Outcome, now: datetime) -> None:
    command = COMMANDS[row.command_kind]
    if command.keeps_answer and state != CallState.SKIPPED:
        body = {
            "call_id": row.id,
            "state": state.value,
            "errcode": outcome.errcode,
            "reason": outcome.reason,
            "command": row.command,
            "answer": outcome.answer if state == CallState.SENT else None,
        }
        inbox.record_answer(
            session,
            row.api,
            body,
            key=f"call:{row.id}:{row.attempts}",
            now=now,
            lane=row.lane,
            call_id=row.id,
            asked_at=outcome.asked_at,
        )
    if command.timeline and row.contact_id:
        detail = {"call_id": row.id, "errcode": outcome.errcode, "reason": outcome.reason}
        detail.update(
            {k: row.command[k] for k in ("userid", "staff", "add", "remove", "remark") if row.command.get(k)}
        )
        timeline.append(
            session,
            row.contact_id,
            f"{command.timeline}.{state.value}",
            at=now,
            detail={key: value for key, value in detail.items() if value is not None},
            key=f"call:{row.id}:{state.value}:{row.attempts}",
        )


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


def skip_pending(
    session: Session,
    contact_id: str,
    command: type[Command],
    reason: str,
    *,
    owed_before: datetime,
    now: datetime,
) -> int:
    """Drop a contact's calls of one kind that were owed by then and have not started: their work is done. How many."""
    which = {"of_contact": contact_id, "of_kind": command.__name__, "owed_before": owed_before}
    values = {"state": CallState.SKIPPED, "reason": reason, "done_at": now}
    return affected(session.execute(_SKIP_PENDING, {**which, **values}))


_SKIP_PENDING = update(_CALLS).where(
    _CALLS.c.contact_id == bindparam("of_contact"),
    _CALLS.c.command_kind == bindparam("of_kind"),
    _CALLS.c.state == CallState.PENDING,
    _CALLS.c.created_at <= bindparam("owed_before"),
)


def greeting_brought_profile(session: Session, event_id: int, *, lane: str) -> bool:
    """Whether a greeting this event caused was sent, and the profile read for it waits in ``lane`` of the inbox.

    A reading of another cause does not count: it may have been refused, or be older than the add.
    """
    asked = {"of_event": event_id, "of_lane": lane}
    return session.execute(_PROFILE_WAITS, asked).first() is not None


_PROFILE_WAITS = (
    select(InboxEvent.id)
    .join(OutboxCall, OutboxCall.id == InboxEvent.caused_by_call)
    .where(
        InboxEvent.lane == bindparam("of_lane"),
        InboxEvent.state.in_((EventState.PENDING, EventState.LEASED)),
        OutboxCall.caused_by == bindparam("of_event"),
        OutboxCall.priority == 0,
    )
    .limit(1)
)


def greeted_lately(session: Session, row: OutboxCall, *, now: datetime) -> bool:
    """Whether another code already greeted this very pair a moment ago (half-add and add both carry one)."""
    asked = {"in_lane": row.lane, "since": now - timedelta(seconds=60), "but": row.id}
    return session.execute(_GREETED, asked).first() is not None


_GREETED = (
    select(_CALLS.c.id)
    .where(
        _CALLS.c.lane == bindparam("in_lane"),
        _CALLS.c.state == CallState.SENT,
        _CALLS.c.done_at > bindparam("since"),
        _CALLS.c.id != bindparam("but"),
    )
    .limit(1)
)


def retry(session: Session, call_id: int, *, now: datetime) -> OutboxCall:
    """A person wants a failed or unknown call made again. Raises NotFound, Conflict when it is not stuck."""
    row = session.get(OutboxCall, call_id, with_for_update=True)
    if row is None:
        raise NotFound("call_not_found", f"没有编号为 {call_id} 的调用")
    stuck = row.state == CallState.FAILED or (row.state == CallState.UNKNOWN and row.available_at is None)
    if not stuck:
        raise Conflict(
            "call_not_stuck", f"该调用的状态是 {row.state.value}，只有失败或结果未知的调用可以重试"
        )
    if row.expires_at is not None and row.expires_at <= now:
        raise Conflict("call_expired", "该调用已超过有效期（例如欢迎语仅 20 秒内有效），不能再发送")
    row.state = CallState.UNKNOWN if row.uncertain else CallState.PENDING
    row.attempt_limit, row.available_at, row.done_at = row.attempts + MAX_ATTEMPTS, now, None
    if row.uncertain:
        row.recovery = Recovery.REPEAT  # a person decided: send it again
    return row


def request_text(command: Command) -> str:
    """The request as the exact UTF-8 JSON text that is sent (raw, not escaped: some APIs reject escapes)."""
    return json.dumps(command.request(), ensure_ascii=False, separators=(",", ":"))
