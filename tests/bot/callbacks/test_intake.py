"""Group commit: requests share commits, a bad one harms only itself, and nobody is answered before his commit."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from bot.callbacks.intake import BATCH, MAX_WAITING, Intake, Unavailable
from scrm.db import Database
from scrm.inbox.models import InboxEvent
from scrm.inbox.service import Arrival
from tests.envelopes import NOW


def arrival(number: int, **changes: Any) -> Arrival:
    return replace(
        Arrival(source="wecom", kind="wecom.click", payload=f"<xml>{number}</xml>", received_at=NOW),
        **changes,
    )


@pytest.fixture
def intake(database: Database) -> Iterator[Intake]:
    made = Intake(database, lambda _new: None)
    yield made
    made.close()


async def record_all(intake: Intake, arrivals: list[Arrival]) -> list[BaseException | None]:
    return await asyncio.gather(*(intake.record(one) for one in arrivals), return_exceptions=True)


def payloads(database: Database) -> list[str | None]:
    with database.read() as session:
        return list(session.scalars(select(InboxEvent.payload).order_by(InboxEvent.id)))


def test_concurrent_requests_share_commits(intake: Intake, database: Database):
    # given
    commits: list[int] = []
    event.listen(database.engine, "commit", lambda _connection: commits.append(1))

    # when 300 requests wait at the same moment
    results = asyncio.run(record_all(intake, [arrival(n) for n in range(300)]))

    # then: five batches of at most 64, each event kept in order of arrival
    assert results == [None] * 300
    assert BATCH == 64
    assert len(commits) == 5
    assert payloads(database) == [f"<xml>{n}</xml>" for n in range(300)]


def test_a_single_request_does_not_wait_for_others(intake: Intake, database: Database):
    assert asyncio.run(record_all(intake, [arrival(1)])) == [None]
    assert payloads(database) == ["<xml>1</xml>"]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"received_at": datetime(2026, 1, 1)}, id="naive time"),  # noqa: DTZ001
        pytest.param({"payload": "\ud800"}, id="text that is no UTF-8"),
        pytest.param({"source": None}, id="no source"),
    ],
)
@pytest.mark.parametrize("position", [0, 5, 9])
def test_a_bad_row_does_not_fail_its_neighbours(
    bad: dict[str, Any], position: int, intake: Intake, database: Database
):
    # given
    arrivals = [arrival(n) for n in range(10)]
    arrivals[position] = replace(arrivals[position], **bad)

    # when
    results = asyncio.run(record_all(intake, arrivals))

    # then
    assert isinstance(results.pop(position), Unavailable)
    assert results == [None] * 9
    assert payloads(database) == [f"<xml>{n}</xml>" for n in range(10) if n != position]


def test_after_a_bad_row_the_next_are_kept(intake: Intake, database: Database):
    async def run() -> list[BaseException | None]:
        first = await record_all(intake, [arrival(1, payload="\ud800")])
        return first + await record_all(intake, [arrival(2)])

    failed, kept = asyncio.run(run())

    assert isinstance(failed, Unavailable)
    assert kept is None
    assert payloads(database) == ["<xml>2</xml>"]


@pytest.mark.sqlite  # its lock file
def test_an_error_from_outside_the_database_is_an_answer_too(intake: Intake, database: Database):
    # given a lock file that is gone (its handle is no open file): an OSError, not one of SQLAlchemy's
    lock = database._lock
    handle, lock._file = lock._file, 987_654

    # when
    async def run() -> list[BaseException | None]:
        return await asyncio.wait_for(record_all(intake, [arrival(1), arrival(2)]), 5)

    results = asyncio.run(run())

    # then: nobody waits for ever
    assert [type(result) for result in results] == [Unavailable, Unavailable]
    lock._file = handle
    assert asyncio.run(record_all(intake, [arrival(3)])) == [None]
    assert payloads(database) == ["<xml>3</xml>"]


@pytest.mark.sqlite  # a whole database is locked only there
def test_a_locked_database_is_tried_for_one_request_not_for_each(intake: Intake, database: Database):
    # given somebody from outside who holds the write lock, and 40 requests
    database.engine.dispose()
    event.listen(
        database.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=50")
    )
    holder = database.engine.raw_connection()
    holder.driver_connection.execute("BEGIN IMMEDIATE")
    tries: list[int] = []
    event.listen(database.engine, "checkout", lambda *_: tries.append(1))

    # when
    results = asyncio.run(record_all(intake, [arrival(n) for n in range(40)]))
    holder.driver_connection.execute("ROLLBACK")
    holder.close()

    # then: nobody waits 40 times as long as the database lets us wait
    assert [type(result) for result in results] == [Unavailable] * 40
    assert len(tries) == 2
    assert asyncio.run(record_all(intake, [arrival(1)])) == [None]
    assert payloads(database) == ["<xml>1</xml>"]


def test_events_are_durable_though_the_wake_up_fails(database: Database):
    # given workers that cannot be told
    def broken(_new: int) -> None:
        raise OSError("no wake-ups today")

    intake = Intake(database, broken)

    # when
    async def run() -> list[BaseException | None]:
        return await asyncio.wait_for(record_all(intake, [arrival(n) for n in range(3)]), 5)

    results = asyncio.run(run())
    intake.close()

    # then: polling finds the events
    assert results == [None] * 3
    assert payloads(database) == [f"<xml>{n}</xml>" for n in range(3)]


@pytest.mark.sqlite  # its writer lock
def test_too_many_waiting_requests_are_turned_away_at_once(intake: Intake, database: Database):
    # given a writer that is stuck
    stuck = threading.Event()
    held = threading.Event()

    def hold() -> None:
        with database._lock():
            held.set()
            stuck.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(5)

    # when
    async def run() -> tuple[list[BaseException | None], BaseException | None]:
        first = asyncio.create_task(intake.record(arrival(0)))  # under way
        for _ in range(5):
            await asyncio.sleep(0)
        waiting = [asyncio.create_task(intake.record(arrival(n))) for n in range(1, MAX_WAITING + 1)]
        await asyncio.sleep(0)
        (refused,) = await record_all(intake, [arrival(MAX_WAITING + 1)])
        stuck.set()
        return await asyncio.gather(first, *waiting, return_exceptions=True), refused

    kept, refused = asyncio.run(run())
    holder.join()

    # then
    assert isinstance(refused, Unavailable)
    assert kept == [None] * (MAX_WAITING + 1)
    assert len(payloads(database)) == MAX_WAITING + 1


def test_a_cancelled_request_does_not_harm_its_batch(intake: Intake, database: Database):
    async def run() -> list[BaseException | None]:
        tasks = [asyncio.create_task(intake.record(arrival(n))) for n in range(5)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(run())

    assert isinstance(results.pop(2), asyncio.CancelledError)
    assert results == [None] * 4
    assert len(payloads(database)) == 5


SERVER = """
import asyncio, os, signal, sys
from datetime import UTC, datetime
from sqlalchemy import event
from bot.callbacks.intake import Intake
from scrm import seal
from scrm.db import Database
from scrm.inbox.service import Arrival

seal.use(seal.Keyring(["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]))
database, when = Database("sqlite:///" + sys.argv[1]), sys.argv[2]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if when == "before commit":
    event.listen(database.engine, "commit", die)
intake = Intake(database, die if when == "after commit" else lambda _new: None)

async def request(number):
    now = datetime(2026, 11, 23, 2, tzinfo=UTC)
    event = Arrival(source="wecom", kind="wecom.click", payload=f"<xml>{number}</xml>", received_at=now)
    await intake.record(event)
    os.write(1, b"200 %d\\n" % number)

async def main():
    await asyncio.gather(*(request(n) for n in range(10)))

asyncio.run(main())
"""


@pytest.mark.sqlite  # the process that is killed opens its file
@pytest.mark.parametrize(
    ("when", "answered", "kept"), [("before commit", 0, 0), ("after commit", 0, 10), ("never", 10, 10)]
)
def test_nobody_is_answered_before_his_commit(when: str, answered: int, kept: int, database: Database):
    # given a process that is killed right there
    path = database.engine.url.database
    root = Path(__file__).parents[3]

    # when
    done = subprocess.run(
        [sys.executable, "-c", SERVER, path, when], cwd=root, capture_output=True, timeout=60, check=False
    )

    # then: whoever was told 200 is in the database
    assert done.returncode == (0 if when == "never" else -signal.SIGKILL), done.stderr.decode()[-2000:]
    assert len(done.stdout.splitlines()) == answered
    assert len(payloads(database)) == kept

    # and: the platform sends again what it was not told, and each event counts once
    intake = Intake(database, lambda _new: None)
    assert asyncio.run(record_all(intake, [arrival(n) for n in range(10)])) == [None] * 10
    intake.close()
    assert len(payloads(database)) == 10


def test_the_instant_is_aware():
    assert NOW.tzinfo is UTC
