"""Whether anything changed since a page was read: version numbers that cost an index's end.

A version names the newest rows, not only the newest id: rows that were numbered earlier and committed later change it.
"""

from __future__ import annotations

import zlib
from typing import Any, cast

from sqlalchemy import ScalarSelect, Select, Table, func, select
from sqlalchemy.orm import Session

from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox.models import CallState, OutboxCall
from scrm.timeline.models import TimelineEntry

NEWEST = 50  # rows a version looks at; a page of the logs shows as many
MOST = 99  # changes counted; more are "99+"
OPEN_EVENTS = (EventState.PENDING, EventState.LEASED, EventState.DEAD, EventState.QUARANTINED)
OPEN_CALLS = (CallState.PENDING, CallState.SENDING, CallState.UNKNOWN)

Version = tuple[int, int]  # the newest id, and a digest of what the version covers
_entries = TimelineEntry.__table__  # not narrowed: that something happened is no secret, what happened is


def _waiting(table: Table, state: EventState | CallState) -> ScalarSelect[int]:
    """The first rows in this state, as the worker's index has them."""
    columns = table.c
    order = (columns.priority, columns.available_at, columns.id)
    first = select(columns.id).where(columns.state == state).order_by(*order).limit(NEWEST).subquery()
    return select(func.sum(first.c.id)).scalar_subquery()


_newest = select(_entries.c.id).order_by(_entries.c.id.desc()).limit(NEWEST).subquery()
_NEWEST_ENTRIES = select(func.max(_newest.c.id), func.sum(_newest.c.id))
_events, _calls = cast(Table, InboxEvent.__table__), cast(Table, OutboxCall.__table__)
_NEWEST_EVENTS, _NEWEST_CALLS = (
    select(table.c.id, table.c.state, table.c.attempts).order_by(table.c.id.desc()).limit(NEWEST)
    for table in (_events, _calls)
)
_WAITING_EVENTS = select(*(_waiting(_events, state) for state in OPEN_EVENTS))
_WAITING_CALLS = select(*(_waiting(_calls, state) for state in OPEN_CALLS))


def people_version(session: Session) -> Version:
    """What happened with any customer."""
    return _of(session, _NEWEST_ENTRIES)


def contact_version(session: Session, contact_id: str) -> Version:
    """What happened with this customer."""
    query = select(func.max(TimelineEntry.id), func.count()).where(TimelineEntry.contact_id == contact_id)
    return _of(session, query)


def events_version(session: Session) -> Version:
    """The newest events with their states, and which older ones wait."""
    return _log_version(session, _NEWEST_EVENTS, _WAITING_EVENTS)


def calls_version(session: Session) -> Version:
    """The newest calls with their states, and which older ones wait."""
    return _log_version(session, _NEWEST_CALLS, _WAITING_CALLS)


def event_version(session: Session, event_id: int) -> Version:
    """One event and the calls it caused."""
    event = select(InboxEvent.id, InboxEvent.state, InboxEvent.attempts).where(InboxEvent.id == event_id)
    calls = select(OutboxCall.id, OutboxCall.state, OutboxCall.attempts).where(
        OutboxCall.caused_by == event_id
    )
    rows = [*session.execute(event), *session.execute(calls.order_by(OutboxCall.id).limit(NEWEST))]
    return event_id, _digest([tuple(row) for row in rows])


def call_version(session: Session, call_id: int) -> Version:
    """One call."""
    query = select(OutboxCall.id, OutboxCall.state, OutboxCall.attempts).where(OutboxCall.id == call_id)
    return call_id, _digest([tuple(row) for row in session.execute(query)])


def count_entries_since(session: Session, newest: int, contact_id: str | None = None) -> int:
    """What happened since then that this session may see, at most ``MOST`` + 1."""
    query = select(TimelineEntry.id).where(TimelineEntry.id > newest)
    if contact_id is not None:
        query = query.where(TimelineEntry.contact_id == contact_id)
    return _counted(session, query)


def count_events_since(session: Session, newest: int) -> int:
    """Events since then, likewise."""
    return _counted(session, select(InboxEvent.id).where(InboxEvent.id > newest))


def count_calls_since(session: Session, newest: int) -> int:
    """Calls since then, likewise."""
    return _counted(session, select(OutboxCall.id).where(OutboxCall.id > newest))


def _counted(session: Session, query: Select[int]) -> int:
    return session.scalar(select(func.count()).select_from(query.limit(MOST + 1).subquery())) or 0


def _log_version(
    session: Session, newest: Select[*tuple[Any, ...]], waiting: Select[*tuple[Any, ...]]
) -> Version:
    rows = [tuple(row) for row in session.execute(newest)]
    first = tuple(int(number or 0) for number in session.execute(waiting).one())
    return (rows[0][0] if rows else 0), _digest([*rows, first])


def _of(session: Session, query: Select[int, int]) -> Version:
    newest, covered = session.execute(query).one()
    return int(newest or 0), int(covered or 0)


def _digest(rows: list[tuple[object, ...]]) -> int:
    return zlib.crc32(repr(rows).encode())
