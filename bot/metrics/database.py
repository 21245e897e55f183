"""Gauges measured from the database, so that they are true for all processes that share it.

Rows that are over and fine (done, sent) are not counted: there are millions of them, and counters tell how many
there were. Every query here stays within an index on the state; ``tests/bot/metrics`` proves it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog
from prometheus_client import Gauge
from sqlalchemy import Select, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot.backup.take import LAST
from scrm.accounts.models import Setting
from scrm.db import Database
from scrm.inbox.models import EventState, InboxEvent
from scrm.jobs.models import Job, JobState
from scrm.outbox.models import CallState, OutboxCall
from scrm.sync.service import KIND as SYNC

log = structlog.get_logger(__name__)

ROWS = Gauge("lianke_rows", "Rows that are not over, or ended badly, by state", ["table", "state"])
OLDEST = Gauge("lianke_oldest_waiting_seconds", "Age of the oldest row that is not over", ["table", "lane"])
OVERDUE = Gauge(
    "lianke_overdue_seconds", "How long the row due longest waits for a worker", ["table", "lane"]
)
LAST_SYNC = Gauge("lianke_last_sync_timestamp_seconds", "When the last sync ended well; 0 for never")
LAST_BACKUP = Gauge("lianke_last_backup_timestamp_seconds", "When the last backup was taken; 0 for never")
UP = Gauge("lianke_database_up", "Whether the database answered when it was last asked")

WELCOME, OTHER = "welcome", "other"


@dataclass(frozen=True)
class Watched:
    """A table with leases: since when its rows are owed, which states wait, and which ended badly."""

    name: str
    model: Any
    since: Any
    waiting: tuple[StrEnum, ...]
    bad: tuple[StrEnum, ...]
    lanes: tuple[str, ...] = (WELCOME, OTHER)

    def counts(self) -> Select[Any]:
        """Rows by state."""
        state = self.model.state
        return select(state, func.count()).where(state.in_(self.waiting + self.bad)).group_by(state)

    def ages(self) -> Select[Any]:
        """By priority: since when the oldest row is owed, and since when one is due."""
        found = select(self.model.priority, func.min(self.since), func.min(self.model.available_at))
        return found.where(self.model.state.in_(self.waiting)).group_by(self.model.priority)


WATCHED = (
    Watched(
        "inbox",
        InboxEvent,
        InboxEvent.received_at,
        (EventState.PENDING, EventState.LEASED),
        (EventState.DEAD, EventState.QUARANTINED),
    ),
    Watched(
        "outbox",
        OutboxCall,
        OutboxCall.created_at,
        (CallState.PENDING, CallState.SENDING),
        (CallState.UNKNOWN, CallState.FAILED, CallState.EXPIRED),
    ),
    Watched(
        "job", Job, Job.created_at, (JobState.PENDING, JobState.RUNNING), (JobState.FAILED,), lanes=(OTHER,)
    ),
)
LAST_SYNC_ENDED = (
    select(Job.finished_at)
    .where(Job.lane == SYNC, Job.state == JobState.DONE)
    .order_by(Job.id.desc())
    .limit(1)
)


def measure(database: Database, now: datetime) -> None:
    """Set all gauges. When the database cannot be asked only ``UP`` is told: old figures would look like news."""
    try:
        with database.read() as session:
            for watched in WATCHED:
                _count(session, watched)
                _age(session.execute(watched.ages()), watched, now)
            ended = session.scalar(LAST_SYNC_ENDED)
            backup = session.get(Setting, LAST)
    except SQLAlchemyError as error:
        log.warning("metrics_without_database", why=type(error).__name__)
        for gauge in (ROWS, OLDEST, OVERDUE):
            gauge.clear()
        UP.set(0)
        return
    LAST_SYNC.set(ended.timestamp() if ended else 0)
    LAST_BACKUP.set(backup.updated_at.timestamp() if backup else 0)
    UP.set(1)


def _count(session: Session, watched: Watched) -> None:
    counts: dict[StrEnum, int] = {row[0]: row[1] for row in session.execute(watched.counts())}
    for state in watched.waiting + watched.bad:  # also those no row has any more: an alert must clear
        ROWS.labels(watched.name, state.value).set(counts.get(state, 0))


def _age(rows: Iterable[Any], watched: Watched, now: datetime) -> None:
    oldest, overdue = dict.fromkeys(watched.lanes, 0.0), dict.fromkeys(watched.lanes, 0.0)
    for priority, since, due in rows:
        lane = WELCOME if priority == 0 and WELCOME in watched.lanes else OTHER
        oldest[lane] = max(oldest[lane], (now - since).total_seconds())
        if due is not None:
            overdue[lane] = max(overdue[lane], (now - due).total_seconds())
    for lane in watched.lanes:
        OLDEST.labels(watched.name, lane).set(oldest[lane])
        OVERDUE.labels(watched.name, lane).set(overdue[lane])
