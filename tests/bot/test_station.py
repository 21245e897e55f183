"""A worker process of a cluster: one message drains a queue; two at once, or none, change nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.app import build
from bot.station import Station
from bot.workers.wakeup import Queue
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState
from scrm.outbox.models import CallState
from tests.bot.workers.stand import CORP, Stand
from tests.bot.workers.test_greet_first import arrive, stand
from tests.stand import config_for

__all__ = ["stand"]
SCANS = 20


@pytest.fixture
def station(stand: Stand, database_url: str) -> Iterator[Station]:
    product = build(config_for(database_url, 8000, "http://127.0.0.1:9"), clock=stand.clock)
    product.database.dispose()
    made = Station(
        replace(product, database=stand.database, client=stand.platform, gate=stand.gate, corp=CORP)  # type: ignore[arg-type]
    )
    yield made
    made.stop()


def states(stand: Stand) -> tuple[Counter[Any], Counter[Any]]:
    return Counter(row.state for row in stand.events()), Counter(
        row.state for row in stand.calls() if row.command_kind == "SendWelcome"
    )


def test_one_message_a_queue_does_all_its_work(station: Station, stand: Stand):
    arrive(stand, *range(SCANS))

    station.listen(Queue.INBOX)  # greets all, and leaves the rest for when the greetings are sent
    assert states(stand) == (Counter({EventState.PENDING: SCANS}), Counter({CallState.PENDING: SCANS}))
    station.listen(Queue.WELCOME)
    station.listen(Queue.INBOX)

    assert states(stand) == (Counter({EventState.DONE: SCANS}), Counter({CallState.SENT: SCANS}))


def test_messages_at_the_same_moment_do_the_work_once(station: Station, stand: Stand):
    arrive(stand, *range(SCANS))
    for queue in (Queue.INBOX, Queue.WELCOME, Queue.INBOX):
        threads = [threading.Thread(target=station.drain, args=(queue,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert states(stand) == (Counter({EventState.DONE: SCANS}), Counter({CallState.SENT: SCANS}))
    assert len({call.id for call in stand.calls()}) == len(stand.calls())


def test_who_gives_way_is_told_when_the_welcomes_are_sent(station: Station, stand: Stand):
    arrive(stand, *range(SCANS))
    station.drain(Queue.INBOX)
    told: list[Queue] = []
    station.product.wakeups.wake = lambda *queues: told.extend(queues)  # type: ignore[method-assign]

    station.drain(Queue.WELCOME)

    assert {Queue.INBOX, Queue.OUTBOX} <= set(told)


def test_without_any_message_the_work_is_found(
    station: Station,
    stand: Stand,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("bot.station.POLL_SECONDS", 0.02)
    done = threading.Event()
    mark_done = inbox.mark_done_together

    def notice(*arguments: Any, **named: Any) -> None:
        mark_done(*arguments, **named)
        done.set()

    monkeypatch.setattr("bot.workers.inbox_worker.inbox.mark_done_together", notice)
    arrive(stand, 1)
    station.start([Queue.INBOX])
    assert done.wait(20)


def test_a_station_that_stops_claims_no_more(station: Station, stand: Stand):
    arrive(stand, *range(SCANS))
    station._stopping.set()
    station.drain(Queue.INBOX)
    assert states(stand)[0] == Counter({EventState.PENDING: SCANS})


def test_a_database_that_is_away_ends_no_poll(station: Station, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bot.station.POLL_SECONDS", 0.01)
    tries = threading.Semaphore(0)

    def fail() -> int:
        tries.release()
        raise ConnectionError("no database")

    station._steps = {**station._steps, Queue.OUTBOX: fail}  # type: ignore[assignment]
    station.start([Queue.OUTBOX])
    for _ in range(3):
        assert tries.acquire(timeout=10)
