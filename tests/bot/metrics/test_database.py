"""Gauges from the database: what waits, by lane; what ended badly; and that no query reads what is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from bot.backup.take import take
from bot.metrics import database as measured
from scrm.db import Database
from scrm.inbox.models import EventState, InboxEvent
from scrm.jobs.models import Job, JobState
from scrm.outbox.models import CallState, OutboxCall
from tests.plans import Recorder, whole_reads

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def event(key: str, **changes: Any) -> InboxEvent:
    since = AT - 60 * SECOND
    values = {"source": "t", "kind": "t", "dedupe_key": key, "received_at": since, "available_at": since}
    return InboxEvent(**{**values, **changes})


def call(key: str, **changes: Any) -> OutboxCall:
    values = {
        "effect_key": key,
        "api": "a",
        "command_kind": "C",
        "command": {},
        "created_at": AT - 30 * SECOND,
    }
    return OutboxCall(**{**values, "available_at": AT - 30 * SECOND, **changes})


def told(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def measure(database: Database, *rows: Any) -> None:
    with database.write() as session:
        session.add_all(rows)
    measured.measure(database, AT)


def test_welcomes_and_the_rest_are_told_apart(database: Database) -> None:
    measure(
        database,
        event("scan", priority=0, received_at=AT - 7 * SECOND, available_at=AT - 7 * SECOND),
        event("edit"),
        call("welcome", priority=0, created_at=AT - 4 * SECOND, available_at=AT - 4 * SECOND),
        call("tag"),
    )

    assert told("lianke_oldest_waiting_seconds", table="inbox", lane="welcome") == 7
    assert told("lianke_oldest_waiting_seconds", table="inbox", lane="other") == 60
    assert told("lianke_oldest_waiting_seconds", table="outbox", lane="welcome") == 4
    assert told("lianke_oldest_waiting_seconds", table="outbox", lane="other") == 30


def test_a_row_that_waits_for_its_retry_is_old_but_not_overdue(database: Database) -> None:
    measure(database, event("retried", available_at=AT + 90 * SECOND))

    assert told("lianke_oldest_waiting_seconds", table="inbox", lane="other") == 60
    assert told("lianke_overdue_seconds", table="inbox", lane="other") == 0


def test_a_row_nobody_claims_is_overdue(database: Database) -> None:
    measure(database, event("left", received_at=AT - 500 * SECOND, available_at=AT - 45 * SECOND))

    assert told("lianke_overdue_seconds", table="inbox", lane="other") == 45
    assert told("lianke_overdue_seconds", table="inbox", lane="welcome") == 0


def test_what_is_over_and_fine_is_not_counted(database: Database) -> None:
    measure(
        database,
        event("done", state=EventState.DONE),
        event("dead", state=EventState.DEAD),
        call("sent", state=CallState.SENT),
        call("unknown", state=CallState.UNKNOWN, available_at=None),
        Job(kind="import", lane="import", created_at=AT, state=JobState.FAILED),
    )

    assert told("lianke_rows", table="inbox", state="dead") == 1
    assert told("lianke_rows", table="inbox", state="done") is None
    assert told("lianke_rows", table="outbox", state="unknown") == 1
    assert told("lianke_rows", table="outbox", state="sent") is None
    assert told("lianke_rows", table="job", state="failed") == 1


def test_the_last_sync_is_the_last_that_ended_well(database: Database) -> None:
    measure(
        database,
        Job(kind="sync", lane="sync", created_at=AT, state=JobState.DONE, finished_at=AT - 86400 * SECOND),
        Job(kind="sync", lane="sync", created_at=AT, state=JobState.DONE, finished_at=AT - 3600 * SECOND),
        Job(kind="sync", lane="sync", created_at=AT, state=JobState.FAILED, finished_at=AT - 60 * SECOND),
        Job(kind="other", lane="other", created_at=AT, state=JobState.DONE, finished_at=AT),
    )

    assert told("lianke_last_sync_timestamp_seconds") == (AT - 3600 * SECOND).timestamp()


def test_the_age_of_the_last_backup_is_told(database: Database, tmp_path: Path) -> None:
    measure(database)
    assert told("lianke_last_backup_timestamp_seconds") == 0

    take(database, tmp_path, now=AT - 3600 * SECOND, on_progress=lambda _done, _all: None)
    measure(database)
    assert told("lianke_last_backup_timestamp_seconds") == (AT - 3600 * SECOND).timestamp()


def test_a_database_that_is_away_is_told_and_leaves_no_old_figures(database: Database) -> None:
    measure(database, event("one"))
    assert told("lianke_database_up") == 1
    with database.write_connection() as connection:
        connection.execute(text("ALTER TABLE inbox RENAME TO gone"))

    measured.measure(database, AT)

    assert told("lianke_database_up") == 0
    assert told("lianke_rows", table="inbox", state="pending") is None
    assert told("lianke_overdue_seconds", table="inbox", lane="other") is None


QUERIES = {
    **{f"{watched.name}.counts": watched.counts() for watched in measured.WATCHED},
    **{f"{watched.name}.ages": watched.ages() for watched in measured.WATCHED},
    "last_sync": measured.LAST_SYNC_ENDED,
}


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_stays_within_an_index(database: Database, name: str) -> None:
    with database.write() as session:  # of an empty table MariaDB reads whatever it likes
        session.add_all(Job(kind="t", lane=f"t{n}", created_at=AT, state=JobState.DONE) for n in range(300))
    with database.read() as session, Recorder(session) as recorder:
        session.execute(QUERIES[name])
        plans = recorder.plans()

    assert whole_reads(plans) == []
    reads = [read for _, plan in plans for read in plan]
    assert any(read.is_sought and str(read.index).startswith("ix_") for read in reads), reads
