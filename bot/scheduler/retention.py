"""How long the tables that only grow keep their rows.

Each batch is a short transaction of its own, found by an index: a night's pruning holds up nobody, and one that is
cut off goes on the next night.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.orm import Session

from scrm.accounts.models import IdempotencyKey, Login
from scrm.db import Database
from scrm.inbox.models import EventState, InboxEvent
from scrm.jobs import files, service
from scrm.jobs.models import JobFile
from scrm.outbox.models import TERMINAL, OutboxAttempt, OutboxCall

BATCH = 500
KEEP_PAYLOADS = timedelta(days=30)  # then an event keeps only its key, so that it still counts once
KEEP_EVENTS = timedelta(days=400)  # then even a copy of it would be quarantined for its age
KEEP_CALLS = timedelta(days=400)
KEEP_IDEMPOTENCY_KEYS = timedelta(days=7)
KEEP_LOGINS = timedelta(days=90)  # after their end; that somebody was in is told by the audit trail for good

FINISHED = (EventState.DONE, EventState.IGNORED)


def prune(database: Database, *, now: datetime) -> int:
    """Erase and delete what is past its time; how many rows. What still waits, for a person too, stays."""
    return sum(
        (
            _walk(database, lambda session, after: _erase_payloads(session, now - KEEP_PAYLOADS, after)),
            _repeat(database, lambda session: _delete_events(session, now - KEEP_EVENTS)),
            _walk(database, lambda session, after: _delete_calls(session, now - KEEP_CALLS, after)),
            _repeat(database, lambda session: _delete_keys(session, now - KEEP_IDEMPOTENCY_KEYS)),
            _repeat(database, lambda session: _delete_logins(session, now - KEEP_LOGINS)),
            _repeat(database, lambda session: _delete_files(session, now - files.KEPT)),
            _repeat(database, lambda session: service.drop_drafts(session, now=now, limit=BATCH)),
        )
    )


def _repeat(database: Database, batch: Callable[[Session], int]) -> int:
    """Run a batch until one is not full."""
    total = 0
    while True:
        with database.write() as session:
            done = batch(session)
        total += done
        if done < BATCH:
            return total


def _walk(database: Database, batch: Callable[[Session, int], tuple[int, int | None]]) -> int:
    """Run a batch behind the last id of the one before, until it says None; how many rows they changed."""
    total, after = 0, 0
    while True:
        with database.write() as session:
            done, last = batch(session, after)
        total += done
        if last is None:
            return total
        after = last


def _erase_payloads(session: Session, before: datetime, after: int) -> tuple[int, int | None]:
    old = InboxEvent.received_at < before
    due = select(InboxEvent.id).where(InboxEvent.id > after, old, InboxEvent.payload.is_not(None))
    ids = list(
        session.scalars(due.where(InboxEvent.state.in_(FINISHED)).order_by(InboxEvent.id).limit(BATCH))
    )
    session.execute(update(InboxEvent).where(InboxEvent.id.in_(ids)).values(payload=None))
    return len(ids), ids[-1] if len(ids) == BATCH else None


def _delete_events(session: Session, before: datetime) -> int:
    old = InboxEvent.received_at < before
    due = select(InboxEvent.id).where(old, InboxEvent.state.in_(FINISHED)).order_by(InboxEvent.received_at)
    ids = list(session.scalars(due.limit(BATCH)))
    session.execute(delete(InboxEvent).where(InboxEvent.id.in_(ids)))
    return len(ids)


def _delete_calls(session: Session, before: datetime, after: int) -> tuple[int, int | None]:
    """Ids grow with time: the walk ends at the first call that is young enough."""
    page = select(OutboxCall.id, OutboxCall.created_at, OutboxCall.state)
    rows = session.execute(page.where(OutboxCall.id > after).order_by(OutboxCall.id).limit(BATCH)).all()
    old = [row for row in rows if row.created_at < before]
    ids = [row.id for row in old if row.state in TERMINAL]
    session.execute(delete(OutboxAttempt).where(OutboxAttempt.outbox_id.in_(ids)))
    session.execute(delete(OutboxCall).where(OutboxCall.id.in_(ids)))
    return len(ids), rows[-1].id if len(old) == BATCH else None


def _delete_keys(session: Session, before: datetime) -> int:
    key = (IdempotencyKey.token_id, IdempotencyKey.key)
    due = select(*key).where(IdempotencyKey.created_at < before).order_by(IdempotencyKey.created_at)
    found = [tuple(row) for row in session.execute(due.limit(BATCH))]
    if found:
        session.execute(delete(IdempotencyKey).where(tuple_(*key).in_(found)))
    return len(found)


def _delete_logins(session: Session, before: datetime) -> int:
    due = select(Login.id).where(Login.until < before).order_by(Login.until).limit(BATCH)
    ids = list(session.scalars(due))
    session.execute(delete(Login).where(Login.id.in_(ids)))
    return len(ids)


def _delete_files(session: Session, before: datetime) -> int:
    due = select(JobFile.id).where(JobFile.created_at < before).order_by(JobFile.created_at).limit(BATCH)
    ids = list(session.scalars(due))
    session.execute(delete(JobFile).where(JobFile.id.in_(ids)))
    return len(ids)
