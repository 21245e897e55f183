"""What is past its time goes, in bounded batches; what is young, waits or is stuck stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, func, insert, select
from sqlalchemy.orm import Session

from bot.scheduler import retention
from scrm.accounts.models import Account, IdempotencyKey, Login, LoginWay
from scrm.accounts.roles import Reach, Role
from scrm.db import Database
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent
from scrm.inbox.service import Arrival
from scrm.jobs import files
from scrm.jobs import service as jobs
from scrm.jobs.models import FileKind, Job, JobFile
from scrm.outbox import service as outbox
from scrm.outbox.models import CallState, OutboxAttempt, OutboxCall
from tests.scrm.outbox.factory import remark

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def days(number: float) -> datetime:
    """So many days ago."""
    return NOW - timedelta(days=number)


def put_event(session: Session, name: str, state: EventState, at: datetime) -> None:
    inbox.record(session, [Arrival(source="t", kind=name, payload=f"<xml>{name}</xml>", received_at=at)])
    row = session.scalars(select(InboxEvent).where(InboxEvent.kind == name)).one()
    row.state = state


def put_call(session: Session, name: str, state: CallState, at: datetime) -> None:
    outbox.enqueue(session, remark(name), now=at)
    row = session.scalars(select(OutboxCall).order_by(OutboxCall.id.desc()).limit(1)).one()
    row.state = state
    session.add(OutboxAttempt(outbox_id=row.id, n=1, started_at=at))


def test_events_keep_their_key_for_400_days_and_their_payload_for_30(database: Database) -> None:
    with database.write() as session:
        for name, state, age in (
            ("gone", EventState.DONE, 401),
            ("stuck", EventState.DEAD, 401),
            ("erased", EventState.IGNORED, 31),
            ("held", EventState.QUARANTINED, 31),
            ("young", EventState.DONE, 29),
        ):
            put_event(session, name, state, days(age))

    retention.prune(database, now=NOW)

    with database.read() as session:
        kept = dict(session.execute(select(InboxEvent.kind, InboxEvent.payload.is_not(None))).all())
    assert kept == {"stuck": True, "erased": False, "held": True, "young": True}


def test_calls_that_ended_go_after_400_days_with_their_attempts(database: Database) -> None:
    with database.write() as session:
        put_call(session, "gone", CallState.SENT, days(401))
        put_call(session, "stuck", CallState.UNKNOWN, days(401))
        put_call(session, "young", CallState.SENT, days(399))

    assert retention.prune(database, now=NOW) == 1

    with database.read() as session:
        assert list(session.scalars(select(OutboxCall.command).order_by(OutboxCall.id))) == [
            {**remark(name).__dict__} for name in ("stuck", "young")
        ]
        ids = list(session.scalars(select(OutboxCall.id)))
        assert list(session.scalars(select(OutboxAttempt.outbox_id))) == ids


def test_many_rows_go_in_batches_of_bounded_size(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # given more of everything than a few batches hold
    monkeypatch.setattr(retention, "BATCH", 10)
    with database.write() as session:
        for number in range(35):
            put_event(session, f"e{number}", EventState.DONE, days(500))
            put_call(session, f"c{number}", CallState.SENT, days(500))
        keys = [
            {"token_id": "t", "key": str(number), "request_hash": "h", "created_at": days(8 - number / 10)}
            for number in range(35)
        ]
        session.execute(insert(IdempotencyKey), keys)
    commits = []
    event.listen(database.engine, "commit", lambda _: commits.append(1))

    # when
    retention.prune(database, now=NOW)

    # then all are gone, the ten keys of the first day too, and no transaction was larger than a batch
    with database.read() as session:
        counts = [
            session.scalar(select(func.count()).select_from(model))
            for model in (InboxEvent, OutboxCall, OutboxAttempt, IdempotencyKey)
        ]
    assert counts == [0, 0, 0, 25]
    assert len(commits) == 4 + 4 + 4 + 2 + 1 + 1 + 1  # of sessions, files and drafts there are none


def test_sessions_go_90_days_after_their_end(database: Database) -> None:
    with database.write() as session:
        account = Account(name="王敏", role=Role.SALES, reach=Reach.OWN, created_at=NOW)
        session.add(account)
        session.flush()
        for name, until in (("old", days(91)), ("young", days(89)), ("live", days(-1))):
            fields = {"account_id": account.id, "way": LoginWay.SCAN, "created_at": NOW, "seen_at": NOW}
            session.add(Login(id=name, until=until, **fields))

    retention.prune(database, now=NOW)

    with database.read() as session:
        assert sorted(session.scalars(select(Login.id))) == ["live", "young"]


def test_files_of_jobs_stay_30_days_and_drafts_one(database: Database) -> None:
    with database.write() as session:
        for age in (31, 29):
            job = jobs.start_job(session, "t", created_by="x", now=days(age), queue=True)
            files.save(session, job, FileKind.RESULT, "a", b"x", now=days(age))
        for age in (1.1, 0.9):
            draft = jobs.start_job(session, "t", created_by="x", now=days(age), queue=True, draft=True)
            files.save(session, draft, FileKind.INPUT, "a", b"x", now=days(age))

    retention.prune(database, now=NOW)

    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 3
        left = [NOW - at for at in session.scalars(select(JobFile.created_at).order_by(JobFile.id))]
    assert left == [timedelta(days=29), timedelta(days=0.9)]
