"""What handling an event now would do: run in a transaction that is rolled back, for the command and the console."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy.orm import Session

from bot.redact import Redactor
from bot.workers.changes import Change, Watch, changes_of
from handlers.context import Context, Corp
from handlers.dispatch import dispatch
from scrm.channels.media import media_ids
from scrm.channels.rules import build_welcome_request, media_of
from scrm.db import Database
from scrm.errors import Conflict, NotFound
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox.commands import Command as OwedCommand
from scrm.outbox.commands import SendWelcome, from_json
from scrm.outbox.models import OutboxCall

LONGEST = 200
OWN_TABLE = OutboxCall.__tablename__


@dataclass(frozen=True)
class Owed:
    """A call that would be owed; ``is_late``: it would be kept as expired and never sent."""

    api: str
    request: dict[str, Any]
    is_late: bool


@dataclass
class Trial:
    """What was seen. ``error`` says why the event cannot be handled."""

    kind: str = ""
    received_at: datetime | None = None
    state: EventState = EventState.PENDING
    handled: bool = False
    changes: list[Change] = field(default_factory=list)  # without the calls owed
    owed: list[Owed] = field(default_factory=list)
    error: str | None = None


class _Undo(Exception):
    """Rolls the transaction back; carries nothing."""


def try_event(database: Database, corp: Corp, event_id: int, *, now: datetime) -> Trial:
    """What handling the event now would do. Changes nothing.

    Raises NotFound, or Conflict for an event whose payload is past its retention.
    """
    trial = Trial()
    try:
        with database.write() as session:
            row = session.get(InboxEvent, event_id)
            if row is None:
                raise NotFound("event_not_found", f"没有编号为 {event_id} 的事件")
            if row.payload is None:
                raise Conflict("event_pruned", "该事件的内容已超过保存期，无法试运行")
            trial.kind, trial.received_at, trial.state = row.kind, row.received_at, row.state
            _run(database, corp, session, row, trial, now)
            raise _Undo  # noqa: TRY301 - leaving the block by an exception is what rolls back
    except _Undo:
        pass
    return trial


def _run(
    database: Database, corp: Corp, session: Session, row: InboxEvent, trial: Trial, now: datetime
) -> None:
    context = Context(now=now, received_at=row.received_at, caused_by=row.id, corp=corp)
    try:
        with database.read() as before, Watch(session, before) as watch:
            trial.handled = dispatch(session, row, context)
            session.flush()
            changes = changes_of(watch)
    except Exception as error:  # noqa: BLE001 - the handler's error is what the caller wants to see
        where = traceback.format_exc(limit=-1).strip().splitlines()[1].strip()
        trial.error = f"{type(error).__name__}: {error}（{where}）"
        return
    trial.changes = [change for change in changes if change.table != OWN_TABLE]
    for change in changes:
        if change.table == OWN_TABLE and change.before is None:
            call = session.get_one(OutboxCall, change.after["id"])
            request = _request(session, from_json(call.command_kind, call.command))
            is_late = call.expires_at is not None and call.expires_at <= now
            trial.owed.append(Owed(call.api, request, is_late))


def _request(session: Session, command: OwedCommand) -> dict[str, Any]:
    if isinstance(command, SendWelcome):
        media = media_ids(session, media_of(command.attachments)) if command.attachments else {}
        return build_welcome_request(command, customer=command.customer_name, media=media)
    return command.request()


def shown(column: str, value: Any, redactor: Redactor, tz: tzinfo) -> str:
    """A value for people, without secrets and phone numbers; long ones are cut, times are local."""
    if isinstance(value, datetime):
        return f"{value.astimezone(tz):%Y-%m-%d %H:%M:%S}"
    safe = redactor.mapping({column: value})[column]
    text = safe if isinstance(safe, str) else json.dumps(safe, ensure_ascii=False, default=str)
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST else f"{flat[:LONGEST]}……"
