"""What the databases do differently, and must not show: keys, row counts, times, claims, prefixes, lost connections."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import Session

from scrm.accounts.models import Setting, Staff
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind
from scrm.db import Database, affected
from scrm.dialects import MYSQL, begins_with, epoch, insert_ignore
from scrm.ids import new_id
from scrm.inbox import service as inbox
from scrm.inbox.models import InboxEvent
from scrm.inbox.service import Arrival
from scrm.outbox import claims
from scrm.outbox import service as outbox
from scrm.outbox.models import OutboxAttempt, OutboxCall
from tests.databases import closing_database, disconnect_all
from tests.envelopes import NOW
from tests.scrm.outbox.factory import remark

pytestmark = pytest.mark.every_engine


def setting(key: str, value: Any = 1) -> dict[str, Any]:
    return {"key": key, "value": value, "updated_at": NOW, "updated_by": "test"}


def keys(session: Session) -> list[str]:
    return sorted(session.scalars(select(Setting.key)))


# insert_ignore


def test_only_rows_with_new_keys_are_inserted_and_counted(session: Session):
    assert insert_ignore(session, Setting, [setting("a", "first")]) == 1
    assert insert_ignore(session, Setting, [setting("a", "second")]) == 0
    assert insert_ignore(session, Setting, [setting("b"), setting("a"), setting("c"), setting("b")]) == 2
    assert insert_ignore(session, Setting, []) == 0

    assert keys(session) == ["a", "b", "c"]
    assert session.get_one(Setting, "a").value == "first"


def test_any_unique_key_counts_not_the_primary_one_alone(session: Session):
    staff = {"name": "王敏", "position": "", "status": "active", "serves": True, "on_leave": False}
    rows = [{"id": new_id(), "userid": "wangmin", "updated_at": NOW, **staff} for _ in range(2)]

    assert insert_ignore(session, Staff, rows[:1]) == 1
    assert insert_ignore(session, Staff, rows[1:]) == 0


@pytest.mark.parametrize("others", [0, 2])
def test_an_error_that_is_no_taken_key_is_raised(others: int, database: Database):
    # given a row without what it must have, alone or among good ones
    rows = [setting("good" + str(n)) for n in range(others)] + [setting("bad") | {"updated_by": None}]

    # when
    with pytest.raises(DBAPIError), database.write() as session:
        insert_ignore(session, Setting, rows)

    # then
    with database.read() as session:
        assert keys(session) == []


def test_an_orphan_is_an_error_and_not_a_taken_key(database: Database):
    orphan = {
        "id": new_id(),
        "contact_id": new_id(),
        "kind": IdentityKind.WECOM,
        "value": "wm1",
        "created_at": NOW,
    }

    with pytest.raises(DBAPIError), database.write() as session:
        insert_ignore(session, ContactIdentity, [orphan])


def test_what_was_done_before_a_taken_key_stays_done(database: Database):
    with database.write() as session:
        session.add(Contact(name="王", created_at=NOW))
        session.flush()
        insert_ignore(session, Setting, [setting("a"), setting("b")])
        insert_ignore(session, Setting, [setting("c"), setting("a")])

    with database.read() as session:
        assert keys(session) == ["a", "b", "c"]
        assert session.scalar(select(func.count()).select_from(Contact)) == 1


def test_a_key_taken_by_many_threads_at_once_is_new_to_one(database: Database):
    names = [f"k{n}" for n in range(20)]
    new: list[int] = []

    def insert() -> None:
        for name in names:
            with database.write() as session:
                new.append(insert_ignore(session, Setting, [setting(name)]))

    in_threads([insert] * 3)

    assert (len(new), sum(new)) == (60, 20)


# texts and times


def test_keys_differ_by_case_accent_width_and_blanks(session: Session):
    names = ["abc", "ABC", "abç", "ａｂｃ", "abc ", "ß", "ss"]

    assert insert_ignore(session, Setting, [setting(name) for name in names]) == len(names)

    for name in names:
        assert list(session.scalars(select(Setting.key).where(Setting.key == name))) == [name]


def test_any_character_is_kept(session: Session):
    text = "𠮷野家 👩‍💻 \\ ' \" % :a é\u3000。"
    session.add(Setting(key="text", value={"text": text}, updated_at=NOW, updated_by=text))
    session.flush()
    session.expire_all()

    row = session.get_one(Setting, "text")

    assert (row.updated_by, row.value) == (text, {"text": text})


def test_a_text_too_long_for_its_column_is_refused_by_servers(database: Database):
    if database.dialect == "sqlite":
        pytest.skip("SQLite knows no lengths")

    with pytest.raises(DBAPIError), database.write() as session:
        insert_ignore(session, Setting, [setting("x" * 65)])


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("王", ["王", "王敏", "王🚚"]),
        ("ab", ["abc"]),
        ("AB", ["ABc"]),
        ("50%", ["50% 折"]),
        ("a_", ["a_b"]),
        ("\\", ["\\"]),
    ],
)
def test_a_prefix_is_literal_and_case_counts(session: Session, prefix: str, found: list[str]):
    names = ["王", "王敏", "王🚚", "汪", "abc", "ABc", "50% 折", "500", "a_b", "\\"]
    session.add_all(Contact(name=name, created_at=NOW) for name in names)
    session.flush()

    names = session.scalars(select(Contact.name).where(begins_with(session, Contact.name, prefix)))

    assert sorted(names) == sorted(found)


def test_an_instant_comes_back_in_utc_to_the_microsecond(session: Session):
    at = datetime(2026, 11, 23, 10, 0, 0, 123457, tzinfo=timezone(timedelta(hours=8)))
    session.add(Contact(id="c1", name="王", created_at=at))
    session.flush()
    session.expire_all()

    kept = session.get_one(Contact, "c1").created_at

    assert kept == at
    assert kept.tzinfo is UTC
    assert session.scalar(select(Contact.id).where(Contact.created_at == at)) == "c1"
    after = at + timedelta(microseconds=1)
    assert session.scalar(select(Contact.id).where(Contact.created_at >= after)) is None


@pytest.mark.parametrize(
    "at", [NOW, datetime(2026, 3, 29, 0, 59, 59, 250_000, UTC), datetime(1999, 12, 31, tzinfo=UTC)]
)
def test_an_instant_is_told_in_seconds_wherever_the_session_thinks_it_is(session: Session, at: datetime):
    insert_ignore(session, Setting, [setting("at") | {"updated_at": at}])
    if session.get_bind().dialect.name in MYSQL:
        session.execute(text("SET time_zone = '+08:00'"))
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET TIME ZONE 'Asia/Shanghai'"))

    told = session.scalars(select(epoch(Setting.updated_at))).one()

    assert type(told) is int
    assert told == math.floor(at.timestamp())
    assert session.scalars(select(epoch(func.nullif(Setting.updated_at, Setting.updated_at)))).one() is None


def test_an_instant_without_a_zone_is_refused(session: Session):
    with pytest.raises(StatementError, match="naive datetime"):
        session.execute(update(Setting).values(updated_at=datetime(2026, 1, 1)))  # noqa: DTZ001 - what is refused


@pytest.mark.sqlite
def test_a_commit_is_on_the_disk_when_it_returns(tmp_path: Path):
    with closing_database(f"sqlite:///{tmp_path / 'lianke.db'}") as database:
        for connect in (database.write_connection, database.engine.connect):
            with connect() as connection:
                modes = [
                    connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                    for name in ("synchronous", "journal_mode")
                ]
            assert modes == [2, "wal"]  # FULL: a sync at each commit


def test_an_update_that_changes_nothing_counts_the_rows_it_found(session: Session):
    insert_ignore(session, Setting, [setting("a"), setting("b")])

    same = update(Setting).values(updated_by="test")

    assert affected(session.execute(same)) == 2


# claims by several workers at once


def events(*payloads: str, **changes: Any) -> list[Arrival]:
    made = {"source": "wecom", "kind": "wecom.click", "received_at": NOW, **changes}
    return [Arrival(payload=payload, **made) for payload in payloads]


def claim(session: Session, owner: str, limit: int = 20) -> list[InboxEvent]:
    return inbox.claim_events(session, owner=owner, now=NOW, limit=limit)


def test_a_worker_claims_past_what_another_one_is_claiming(database: Database):
    if database.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with database.write() as session:
        inbox.record(session, events(*"abcdefgh"))

    with database.write() as first, database.write() as second:
        mine, others = claim(first, "w1", 3), claim(second, "w2", 3)

    assert [row.payload for row in mine] == ["a", "b", "c"]
    assert [row.payload for row in others] == ["d", "e", "f"]


def test_a_lane_is_not_claimed_twice_by_workers_at_the_same_time(database: Database):
    if database.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with database.write() as session:
        inbox.record(session, events("a1", "a2", lane="a") + events("b1", "b2", lane="b"))

    with database.write() as first, database.write() as second:
        mine, others = claim(first, "w1", 1), claim(second, "w2")

    assert [row.payload for row in mine + others] == ["a1", "b1"]


def test_threads_claim_and_finish_each_event_once_and_lanes_in_order(database: Database):
    # given
    with database.write() as session:
        for number in range(12):
            inbox.record(session, events(*(f"{number}-{lane}" for lane in "abcd"), lane=None))
            inbox.record(session, events(f"lane-{number:02}", lane="one"))
    done: list[str] = []

    def work(owner: str) -> None:
        while True:
            with database.write() as session:
                rows = claim(session, owner, 4)
            if not rows and finished(database, InboxEvent.done_at):
                return
            for row in rows:
                with database.write() as session:
                    inbox.mark_done(session, row, now=NOW)
                done.append(row.payload or "")

    # when
    in_threads([lambda: work("w1"), lambda: work("w2")])

    # then
    assert len(done) == len(set(done)) == 60
    laned = [payload for payload in done if payload.startswith("lane-")]
    assert laned == sorted(laned)


def test_threads_claim_and_finish_each_call_once(database: Database):
    with database.write() as session:
        for number in range(40):
            outbox.enqueue(session, remark(str(number), whom=f"wm{number}"), now=NOW)
    sent: list[int] = []

    def work(owner: str) -> None:
        while True:
            with database.write() as session:
                rows = claims.claim_calls(session, owner=owner, now=NOW, limit=4)
            if not rows and finished(database, OutboxCall.done_at):
                return
            for row in rows:
                with database.write() as session:
                    outbox.finish(session, row, outbox.Outcome(outbox.Verdict.SENT), now=NOW)
                sent.append(row.id)

    in_threads([lambda: work("w1"), lambda: work("w2")])

    assert sorted(sent) == list(range(1, 41))
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(OutboxAttempt)) == 40


def finished(database: Database, done_at: Any) -> bool:
    with database.read() as session:
        return session.scalar(select(func.count()).where(done_at.is_(None))) == 0


# lost connections


def test_a_connection_lost_at_rest_is_replaced_unnoticed(database: Database):
    if database.dialect == "sqlite":
        pytest.skip("a file has no connections to lose")
    with database.write() as session:
        insert_ignore(session, Setting, [setting("a")])

    disconnect_all(database)

    with database.write() as session:
        assert keys(session) == ["a"]


def test_a_transaction_whose_connection_is_lost_fails_whole_and_the_next_one_works(database: Database):
    if database.dialect == "sqlite":
        pytest.skip("a file has no connections to lose")

    def broken() -> None:
        with database.write() as session:
            insert_ignore(session, Setting, [setting("a")])
            disconnect_all(database)
            insert_ignore(session, Setting, [setting("b")])

    with pytest.raises(DBAPIError) as caught:
        broken()

    assert caught.value.connection_invalidated
    with database.write() as session:
        assert keys(session) == []
        insert_ignore(session, Setting, [setting("c")])
        assert keys(session) == ["c"]


def test_a_server_that_vanished_is_given_up_sooner_than_by_tcp(database_url: str):
    if not database_url.startswith("postgresql"):
        pytest.skip("libpq's settings")
    url = f"{database_url}?keepalives_idle=7"
    with closing_database(url) as database, database.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        set_for = driver.info.get_parameters()

    assert set_for["keepalives_idle"] == "7"  # the operator's word goes first
    assert (set_for["connect_timeout"], set_for["tcp_user_timeout"]) == ("10", "30000")


def in_threads(tasks: list[Callable[[], None]]) -> None:
    """Run them at the same time; raise what one of them raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], None]) -> None:
        try:
            start.wait(10)
            task()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads)
