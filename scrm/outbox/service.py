"""Owe outbound calls, and move each through its states by what an attempt came to."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import Table, and_, bindparam, or_, select, update
from sqlalchemy.orm import Session, aliased

from scrm import batch
from scrm.db import affected
from scrm.dialects import insert_ignore
from scrm.errors import Conflict, LeaseLost, NotFound
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent
from scrm.leases import backoff, change_held
from scrm.outbox.commands import COMMANDS, Command, to_json
from scrm.outbox.models import TERMINAL, CallState, OutboxAttempt, OutboxCall, Recovery
from scrm.timeline import service as timeline

MAX_ATTEMPTS = 8
# In ``session.info``: there is a call to make once committed.
OWED, OWED_WELCOME = "outbox.owed", "outbox.owed_welcome"

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


def drop_held(session: Session, effect_keys: Collection[str], reason: str, *, now: datetime) -> int:
    """Drop those of these calls that have not started, because what they would tell is no longer so. How many."""
    values = {"state": CallState.SKIPPED, "reason": reason, "done_at": now}
    return affected(session.execute(_DROP_HELD, {"keys": list(effect_keys), **values}))


_DROP_HELD = update(_CALLS).where(
    _CALLS.c.effect_key.in_(bindparam("keys", expanding=True)),
    _CALLS.c.state == CallState.PENDING,
    _CALLS.c.attempts == 0,
)


def greeting_brought_profile(session: Session, event_id: int, *, lane: str) -> bool:
    """Whether a greeting this event caused was sent, and the profile read for it waits in ``lane`` of the inbox.

    If so it goes on waiting until this transaction ends, and is handled with all that is in it. One that another
    worker has in hand does not count, for that worker cannot see what is not committed; nor does a reading of another
    cause: it may have been refused, or be older than the add.
    """
    asked = {"of_event": event_id, "of_lane": lane}
    return session.execute(_PROFILE_WAITS, asked).first() is not None


_ADD = aliased(InboxEvent)
_OUR_CLAIM = select(_ADD.lease_token).where(_ADD.id == bindparam("of_event")).scalar_subquery()
_PROFILE_WAITS = (
    select(InboxEvent.id)
    .join(OutboxCall, OutboxCall.id == InboxEvent.caused_by_call)
    .where(
        InboxEvent.lane == bindparam("of_lane"),
        or_(
            InboxEvent.state == EventState.PENDING,
            and_(InboxEvent.state == EventState.LEASED, InboxEvent.lease_token == _OUR_CLAIM),
        ),
        OutboxCall.caused_by == bindparam("of_event"),
        OutboxCall.priority == 0,
    )
    .limit(1)
    .with_for_update(of=InboxEvent, skip_locked=True)
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
