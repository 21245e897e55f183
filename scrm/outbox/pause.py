"""The switch that holds every owed call back, and what a person decides about the calls that wait behind it.

After a restore nobody knows which of the owed calls were made between the backup and now. So the outbox starts paused,
in the database itself: no process claims a call until a person has looked and resumed. New work goes on being owed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from scrm.accounts.models import Setting
from scrm.db import affected
from scrm.errors import Conflict
from scrm.inbox.models import InboxEvent
from scrm.outbox.commands import COMMANDS
from scrm.outbox.models import CallState, OutboxCall, Recovery

KEY = "outbox.paused"
WAITING = (CallState.PENDING, CallState.SENDING, CallState.UNKNOWN)
DOUBT = "可能在备份之后已经发出，结果未知"

_CALLS, _SETTINGS = cast("Table", OutboxCall.__table__), cast("Table", Setting.__table__)
_IS_PAUSED = select(_SETTINGS.c.key).where(_SETTINGS.c.key == bindparam("key"))
_READS = tuple(name for name, command in COMMANDS.items() if command.is_read)


@dataclass(frozen=True)
class Pause:
    """Why and since when nothing is sent. ``last_event`` is the newest event the restored database had.

    None as long as the restore is not done: then nobody may resume.
    """

    reason: str
    since: datetime
    last_event: int | None


@dataclass(frozen=True)
class Waiting:
    """The calls of one API that wait. ``dead``: past their deadline. ``doubtful``: they may have been made before."""

    api: str
    count: int
    dead: int
    doubtful: int
    for_person: int
    oldest: datetime
    newest: datetime


def is_paused(session: Session) -> bool:
    """Whether calls are held back; one read by primary key, asked before every claim."""
    return session.execute(_IS_PAUSED, {"key": KEY}).first() is not None


def find_pause(session: Session) -> Pause | None:
    """The pause in force, or None."""
    setting = session.get(Setting, KEY)
    if setting is None:
        return None
    value: Mapping[str, Any] = setting.value
    return Pause(str(value["reason"]), setting.updated_at, value["last_event"])


def pause(session: Session, reason: str, *, actor: str, now: datetime) -> None:
    """From the commit on nothing is claimed. A second pause replaces the first."""
    last = session.scalar(select(func.max(InboxEvent.id))) or 0
    value = {"reason": reason, "last_event": last}
    session.execute(delete(Setting).where(Setting.key == KEY))
    session.execute(insert(Setting).values(key=KEY, value=value, updated_at=now, updated_by=actor[:128]))


def doubt_owed(session: Session) -> int:
    """Every owed call that changes something may have been made since the backup: it becomes unknown. How many.

    So each is treated by its own recovery, and none is plainly repeated: see the state machine in ``models``. A first
    notice opens no new window of the platform's dropping copies: a person decides.
    """
    return _doubt(session, repeat_until=OutboxCall.created_at)


def resume(session: Session) -> int:
    """Let calls go again. Answers how many became unknown first; raises Conflict when nothing is paused.

    Events that were waiting in the backup were handled once before, in the time that was lost: what they owed anew
    during the pause may have been made then, under other ids.
    """
    found = find_pause(session)
    if found is None:
        raise Conflict("outbox_not_paused", "发送没有暂停，无需恢复")
    if found.last_event is None:
        raise Conflict("restore_unfinished", "从备份恢复没有做完：请重新运行 lianke restore")
    again = and_(OutboxCall.created_at >= found.since, OutboxCall.caused_by <= found.last_event)
    doubted = _doubt(session, again, repeat_until=literal(found.since, OutboxCall.created_at.type))
    session.execute(delete(Setting).where(Setting.key == KEY))
    return doubted


def _doubt(session: Session, *which: ColumnElement[bool], repeat_until: Any) -> int:
    person = OutboxCall.recovery == Recovery.OPERATOR
    statement = (
        update(OutboxCall)
        .where(*which, OutboxCall.state == CallState.PENDING, OutboxCall.command_kind.not_in(_READS))
        .values(
            state=CallState.UNKNOWN,
            uncertain=True,
            reason=DOUBT,
            repeat_until=func.coalesce(OutboxCall.repeat_until, repeat_until),
            available_at=case((person, None), else_=OutboxCall.available_at),
        )
        .execution_options(synchronize_session=False)
    )
    return affected(session.execute(statement))


def drop(session: Session, reason: str, *, apis: Sequence[str] = (), now: datetime) -> int:
    """Discard the waiting calls, of these APIs or all: they are skipped, for good. How many.

    Raises Conflict unless paused: a call that a sender holds cannot be taken back.
    """
    if not is_paused(session):
        raise Conflict("outbox_not_paused", "只能在发送暂停时放弃等待的调用")
    waiting = OutboxCall.state.in_((CallState.PENDING, CallState.UNKNOWN))
    statement = (
        update(OutboxCall)
        .where(waiting, OutboxCall.api.in_(apis) if apis else literal(value=True))
        .values(state=CallState.SKIPPED, reason=reason, done_at=now)
        .execution_options(synchronize_session=False)
    )
    return affected(session.execute(statement))


def list_waiting(session: Session, *, now: datetime) -> list[Waiting]:
    """What would be sent, by API, the largest first."""
    for_person = and_(OutboxCall.state == CallState.UNKNOWN, OutboxCall.available_at.is_(None))
    rows = session.execute(
        select(
            OutboxCall.api,
            func.count().label("count"),
            _count(OutboxCall.expires_at <= now),
            _count(
                and_(OutboxCall.uncertain, or_(OutboxCall.expires_at.is_(None), OutboxCall.expires_at > now))
            ),
            _count(for_person),
            func.min(OutboxCall.created_at),
            func.max(OutboxCall.created_at),
        )
        .where(OutboxCall.state.in_(WAITING))
        .group_by(OutboxCall.api)
        .order_by(func.count().desc(), OutboxCall.api)
    )
    return [Waiting(row[0], row[1], int(row[2]), int(row[3]), int(row[4]), row[5], row[6]) for row in rows]


def _count(condition: ColumnElement[bool]) -> Any:
    return func.sum(case((condition, 1), else_=0))
