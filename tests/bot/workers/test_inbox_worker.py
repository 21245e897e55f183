"""Events handled one by one: effect and 'done' in one transaction, failures kept with their traceback."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from bot.workers.inbox_worker import SMALL_BATCH, InboxWorker
from bot.workers.loop import Loop
from bot.workers.wakeup import Queue, Wakeups
from handlers.context import Context
from handlers.dispatch import dispatch
from scrm.contacts.models import Contact
from scrm.db import Database
from scrm.errors import LeaseLost
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState
from scrm.inbox.service import LEASE, MAX_ATTEMPTS, Arrival
from scrm.outbox.models import OutboxCall
from scrm.timeline.models import TimelineEntry
from tests.bot.workers.stand import CORP, Stand
from tests.envelopes import NOW, event_xml

ADD = "wecom.change_external_contact.add_external_contact"
POISON = "<xml><Event>change_external_contact</Event>"  # a handled kind whose payload cannot be read


@pytest.fixture
def stand(database: Database) -> Iterator[Stand]:
    made = Stand(database)
    yield made
    made.close()


def put(stand: Stand, *payloads: str, kind: str = ADD, **changes: Any) -> None:
    with stand.database.write() as session:
        inbox.record(
            session,
            [
                Arrival(source="wecom", kind=kind, payload=payload, received_at=stand.clock(), **changes)
                for payload in payloads
            ],
        )


def added(number: int) -> str:
    return event_xml(ExternalUserID=f"wm{number}")


def count(stand: Stand, model: Any) -> int:
    with stand.database.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def states(stand: Stand) -> list[EventState]:
    return [event.state for event in stand.events()]


def test_an_event_is_done_with_its_effect_and_the_calls_it_owes(stand: Stand):
    # given
    put(stand, added(1))

    # when
    assert stand.inbox_worker.step() == 1

    # then
    (event,) = stand.events()
    assert (event.state, event.done_at, event.error) == (EventState.DONE, NOW, None)
    assert count(stand, Contact) == 1
    assert {call.caused_by for call in stand.calls()} == {
        event.id,
        None,
    }  # the reading of a new member has no cause
    assert stand.inbox_worker.step() == 0


def test_a_batch_is_claimed_at_once(stand: Stand):
    put(stand, *[added(n) for n in range(SMALL_BATCH + 2)])

    assert [stand.inbox_worker.step() for _ in range(3)] == [SMALL_BATCH, 2, 0]
    assert count(stand, Contact) == SMALL_BATCH + 2


def test_an_event_that_fails_is_tried_again_and_then_dead_with_its_traceback(stand: Stand):
    # given
    put(stand, POISON)

    # when
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert stand.inbox_worker.step() == 1
        (event,) = stand.events()
        assert event.attempts == attempt
        assert event.state is (EventState.DEAD if attempt == MAX_ATTEMPTS else EventState.PENDING)
        assert stand.inbox_worker.step() == 0  # not at once
        stand.clock.now = max(event.available_at or NOW, stand.clock.now)

    # then the row says what was wrong and where
    assert event.error
    assert event.error.startswith("BadXml: no element found")
    assert "handlers/xml.py" in event.error
    assert "Traceback" in event.error
    assert len(event.error) <= 4000
    assert event.payload == POISON
    assert count(stand, Contact) == 0


def test_other_events_go_on_beside_a_failing_one(stand: Stand):
    # given a poison event in the middle of a batch
    put(stand, added(1), POISON, added(2))

    # when
    stand.inbox_worker.step()

    # then
    assert states(stand) == [EventState.DONE, EventState.PENDING, EventState.DONE]
    assert count(stand, Contact) == 2


def test_the_lane_of_a_dead_event_goes_on(stand: Stand):
    # given
    put(stand, POISON, lane="contact:wm1")
    put(stand, added(1), lane="contact:wm1")

    # when
    for _ in range(MAX_ATTEMPTS):
        stand.inbox_worker.step()
        stand.clock.advance(600)
    stand.inbox_worker.step()

    # then
    assert states(stand) == [EventState.DEAD, EventState.DONE]


def test_a_failing_handler_leaves_nothing_behind(stand: Stand):
    # given an event whose handler fails late, when the owner is to be kept
    put(stand, event_xml(ExternalUserID="wm1", WelcomeCode="CODE"))
    with stand.database.write() as session:
        session.connection().exec_driver_sql("DROP TABLE assignment")

    # when
    stand.inbox_worker.step()

    # then
    (event,) = stand.events()
    assert event.state is EventState.PENDING
    assert "assignment" in (event.error or "")
    assert (count(stand, Contact), count(stand, OutboxCall), count(stand, TimelineEntry)) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["wecom.brand_new", "wecom.change_external_chat.brand_new", "x"])
def test_an_unknown_event_is_ignored_and_visible(kind: str, stand: Stand):
    put(stand, added(1), kind=kind)

    stand.inbox_worker.step()

    (event,) = stand.events()
    assert (event.state, event.payload, event.error) == (EventState.IGNORED, added(1), None)
    assert count(stand, Contact) == 0


def test_a_worker_that_lost_its_lease_leaves_no_effect(stand: Stand):
    # given a worker that took an event and then slept through its lease; another one handled it
    put(stand, added(1))
    with stand.database.write() as session:
        (slow,) = inbox.claim_events(session, owner="slow", now=stand.clock())
    stand.clock.advance(LEASE.total_seconds())
    assert stand.inbox_worker.step() == 1
    before = [(entry, count(stand, entry)) for entry in (Contact, OutboxCall, TimelineEntry)]

    # when
    InboxWorker(stand.database, CORP, Wakeups(), owner="slow", clock=stand.clock)._handle(slow)

    # then
    assert states(stand) == [EventState.DONE]
    assert [(entry, count(stand, entry)) for entry in (Contact, OutboxCall, TimelineEntry)] == before


@pytest.mark.parametrize("events", [1, 2])
def test_effect_and_done_are_one_transaction_also_where_the_lease_is_lost(events: int, stand: Stand):
    # given a worker that slept through its lease; another one has taken its events and not begun
    put(stand, *map(added, range(events)))
    with stand.database.write() as session:
        slow = inbox.claim_events(session, owner="slow", now=stand.clock())
    stand.clock.advance(LEASE.total_seconds())
    with stand.database.write() as session:
        assert len(inbox.claim_events(session, owner="fast", now=stand.clock())) == events

    # when
    InboxWorker(stand.database, CORP, Wakeups(), owner="slow", clock=stand.clock)._handle_batch(slow)

    # then
    assert {(event.state, event.lease_owner) for event in stand.events()} == {(EventState.LEASED, "fast")}
    assert [count(stand, entry) for entry in (Contact, OutboxCall, TimelineEntry)] == [0, 0, 0]


def test_a_replayed_event_repeats_no_effect(stand: Stand):
    # given
    put(stand, event_xml(ExternalUserID="wm1", WelcomeCode="CODE"))
    stand.inbox_worker.step()
    before = [(entry, count(stand, entry)) for entry in (Contact, OutboxCall, TimelineEntry)]

    # when
    with stand.database.write() as session:
        inbox.replay(session, stand.events()[0].id, now=stand.clock())
    assert stand.inbox_worker.step() == 1

    # then
    assert states(stand) == [EventState.DONE]
    assert [(entry, count(stand, entry)) for entry in (Contact, OutboxCall, TimelineEntry)] == before


def test_a_handler_is_never_called_outside_a_lease(stand: Stand):
    # given an event nobody claimed
    put(stand, added(1))
    (row,) = stand.events()

    def work() -> None:
        with stand.database.write() as session:
            dispatch(session, row, Context(NOW, NOW, row.id, CORP))
            inbox.mark_done(session, row, now=NOW)

    with pytest.raises(LeaseLost):
        work()
    assert count(stand, Contact) == 0


# the loop


def test_a_loop_outlives_a_step_that_raises_and_stops_when_told():
    # given a database that is away for one step
    wakeups, steps = Wakeups(), []

    def step() -> int:
        steps.append(1)
        if len(steps) == 1:
            raise OSError("database away")
        return 0

    loop = Loop("test", step, wakeups, Queue.INBOX)

    # when
    loop.start()
    while len(steps) < 2:
        wakeups.wake(Queue.INBOX)
    loop.stop()

    # then
    assert loop.join(5) is True


def test_a_loop_that_is_woken_works_at_once():
    # given an idle loop
    wakeups, worked = Wakeups(), threading.Event()
    idle, more = threading.Event(), []

    def step() -> int:
        if more:
            worked.set()
        idle.set()
        return 0

    loop = Loop("test", step, wakeups, Queue.INBOX)
    loop.start()
    idle.wait(5)

    # when
    started = time.monotonic()
    more.append(1)
    wakeups.wake(Queue.INBOX)

    # then without waiting for the next poll
    assert worked.wait(5)
    assert time.monotonic() - started < 0.5
    loop.stop()
    assert loop.join(5)


def test_a_loop_that_nobody_wakes_looks_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bot.workers.loop.POLL_SECONDS", 0.02)
    looks = threading.Semaphore(0)

    def step() -> int:
        looks.release()
        return 0

    loop = Loop("test", step, Wakeups(), Queue.INBOX)
    loop.start()
    for _ in range(3):
        assert looks.acquire(timeout=20)
    loop.stop()
    assert loop.join(5)


def test_a_wake_up_that_comes_first_is_not_lost():
    wakeups = Wakeups()
    wakeups.wake(Queue.INBOX)

    started = time.monotonic()
    wakeups.wait(Queue.INBOX, 5)
    wakeups.wait(Queue.OUTBOX, 0.01)

    assert time.monotonic() - started < 1
