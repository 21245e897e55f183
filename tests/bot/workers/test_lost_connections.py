"""The database's connections are ended under the workers, again and again: they go on, nothing is lost or doubled."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from bot.workers.loop import Loop
from bot.workers.recorder import Recorder
from bot.workers.sender import Attempt
from bot.workers.wakeup import Queue
from scrm.accounts.models import Setting
from scrm.channels.media import DEFAULT_WELCOME
from scrm.contacts.models import Contact
from scrm.db import Database
from scrm.dialects import insert_ignore, may_pass
from scrm.errors import LeaseLost
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox import claims
from scrm.outbox import service as outbox
from scrm.outbox.claims import LEASE
from scrm.outbox.models import CallState, OutboxCall
from scrm.outbox.service import Outcome, Verdict
from tests.bot.workers.platform import WELCOME
from tests.bot.workers.stand import Stand
from tests.databases import disconnect_all
from tests.envelopes import event_xml
from tests.scrm.outbox.factory import remark

ADD = "wecom.change_external_contact.add_external_contact"
EVENTS, CUTS = 40, 8

pytestmark = pytest.mark.every_engine


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """structlog's default shows the locals of every frame: seconds for each lost connection."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def stand(database: Database) -> Iterator[Stand]:
    if database.dialect == "sqlite":
        pytest.skip("a file has no connections to lose")
    made = Stand(database)
    with database.write() as session:
        welcomes = {"welcomes": [{"text": "您好"}]}
        session.add(Setting(key=DEFAULT_WELCOME, value=welcomes, updated_at=made.clock(), updated_by="test"))
    yield made
    made.close()


def arrive(stand: Stand, number: int) -> None:
    """A callback, sent again until it is accepted, as the platform does."""
    code = f"CODE{number}"
    stand.platform.codes[code] = stand.clock()
    text = event_xml(ExternalUserID=f"wm{number}", WelcomeCode=code)
    arrival = inbox.Arrival(source="wecom", kind=ADD, payload=text, received_at=stand.clock(), priority=0)
    until_accepted(lambda: record(stand, arrival))


def record(stand: Stand, arrival: inbox.Arrival) -> None:
    with stand.database.write() as session:
        inbox.record(session, [arrival])


def until_accepted(act: Callable[[], Any]) -> None:
    while True:
        try:
            act()
        except DBAPIError as error:
            assert may_pass(error)  # noqa: PT017 - any other error ends the test
        else:
            return


def test_workers_go_on_and_nothing_is_doubled(stand: Stand):
    # given workers at work
    welcomes = stand.outbox_worker(welcome=True, threads=2)
    loops = [
        Loop("inbox", stand.inbox_worker.tick, stand.wakeups, Queue.INBOX),
        Loop("welcome", welcomes.tick, stand.wakeups, Queue.WELCOME),
    ]
    for loop in loops:
        loop.start()

    # when callbacks come and connections go
    cut = 0
    for number in range(EVENTS):
        arrive(stand, number)
        stand.wakeups.wake(Queue.INBOX)
        if number % (EVENTS // CUTS) == 0:
            cut += disconnect_all(stand.database)
    settle(stand)
    for loop in loops:
        loop.stop()
        assert loop.join(10)
    welcomes.close()

    # then every event took effect once, and every customer was greeted at most once and never unknown to us
    assert cut >= CUTS
    with stand.database.read() as session:
        assert Counter(session.scalars(select(InboxEvent.state))) == {EventState.DONE: EVENTS}
        assert session.scalar(select(func.count()).select_from(Contact)) == EVENTS
        greetings = list(session.scalars(select(OutboxCall).where(OutboxCall.api == WELCOME)))
    sent = {call.command["welcome_code"] for call in greetings if call.state is CallState.SENT}
    greeted = {
        key.removeprefix("welcome:"): times for key, times in stand.platform.effects.items() if "CODE" in key
    }
    assert len(greetings) == EVENTS
    assert sent
    assert greeted == dict.fromkeys(sent, 1)


def settle(stand: Stand) -> None:
    """Let time go by, until no event waits and no welcome is under way; then leases run out that nobody holds."""
    for _ in range(20):  # retries wait some seconds, and welcomes must not miss theirs
        time.sleep(0.1)
        stand.clock.advance(0.5)
    end = time.monotonic() + 60
    while open_work(stand):
        assert time.monotonic() < end, open_work(stand)
        stand.clock.advance(inbox.LEASE.total_seconds())
        until_accepted(stand.sweep)
        time.sleep(1.5)  # for what is claimed to be recorded


def open_work(stand: Stand) -> list[Any]:
    events = select(InboxEvent.id).where(InboxEvent.state.in_(inbox.OPEN))
    calls = select(OutboxCall.id).where(OutboxCall.api == WELCOME, OutboxCall.done_at.is_(None))
    with stand.database.read() as session:
        return [*session.scalars(events), *session.scalars(calls)]


def claimed(stand: Stand) -> OutboxCall:
    stand.owe(remark())
    (row,) = stand.claim()
    return row


def test_a_claim_that_was_not_committed_leaves_all_senders_free(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
):
    # given one sender, and a connection that dies between the claim and its commit
    stand.owe(remark())
    worker, claim = stand.outbox_worker(threads=1), claims.claim_calls

    def cut_after(*arguments: Any, **options: Any) -> list[OutboxCall]:
        rows = claim(*arguments, **options)
        disconnect_all(stand.database)
        return rows

    with monkeypatch.context() as patch:
        patch.setattr(claims, "claim_calls", cut_after)
        with pytest.raises(DBAPIError):
            worker.step()

    # when
    assert worker.step() == 1
    worker.close()

    # then
    assert [call.state for call in stand.calls()] == [CallState.SENT]


def test_an_outcome_is_recorded_although_the_connection_is_lost(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
):
    # given a connection that dies when the outcome is half written
    row, finish = claimed(stand), outbox.finish
    cuts = iter([True, True])

    def cut_after(*arguments: Any, **options: Any) -> CallState:
        state = finish(*arguments, **options)
        if next(cuts, False):
            disconnect_all(stand.database)
        return state

    monkeypatch.setattr(outbox, "finish", cut_after)
    recorder = Recorder(stand.database, stand.wakeups, stand.clock)

    # when
    state = recorder.record(row, Attempt(Outcome(Verdict.SENT)), stand.clock())

    # then
    assert state is CallState.SENT
    assert stand.call(row.id).state is CallState.SENT


def test_an_outcome_of_a_lease_that_ran_out_meanwhile_is_not_recorded(stand: Stand):
    row = claimed(stand)
    stand.clock.advance(LEASE.total_seconds())
    stand.sweep()
    disconnect_all(stand.database)

    with pytest.raises(LeaseLost):
        Recorder(stand.database, stand.wakeups, stand.clock).record(
            row, Attempt(Outcome(Verdict.SENT)), stand.clock()
        )

    assert stand.call(row.id).state is CallState.UNKNOWN


def test_a_taken_key_or_a_bug_does_not_pass(stand: Stand):
    with pytest.raises(DBAPIError) as caught, stand.database.write() as session:
        insert_ignore(session, Contact, [{"id": "c1", "name": None}])

    assert not may_pass(caught.value)
    assert not may_pass(LeaseLost("inbox", 1))
