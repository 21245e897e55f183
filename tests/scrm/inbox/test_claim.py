"""Claiming and finishing events: order, priorities, leases, fencing, attempts, death, replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.db import Database
from scrm.errors import Conflict, LeaseLost, NotFound
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent
from scrm.inbox.service import LEASE, MAX_ATTEMPTS, Arrival
from tests.envelopes import NOW

pytestmark = pytest.mark.every_engine


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def put(session: Session, *payloads: str, **changes: Any) -> None:
    made = Arrival(source="wecom", kind="wecom.click", payload="", received_at=NOW)
    inbox.record(session, [replace(made, payload=payload, **changes) for payload in payloads])


def claim(session: Session, *, after: float = 0, owner: str = "w1", limit: int = 20) -> list[InboxEvent]:
    return inbox.claim_events(session, owner=owner, now=NOW + seconds(after), limit=limit)


def names(rows: list[InboxEvent]) -> list[str | None]:
    return [row.payload for row in rows]


def get(session: Session, payload: str) -> InboxEvent:
    session.flush()
    session.expire_all()
    return next(row for row in session.scalars(select(InboxEvent)) if row.payload == payload)


def facts(row: InboxEvent) -> tuple[Any, ...]:
    return (
        row.state,
        row.attempts,
        row.available_at,
        row.lease_owner,
        row.lease_token,
        row.error,
        row.done_at,
    )


# order


def test_a_claim_leases_the_row(session: Session):
    # given
    put(session, "a")

    # when
    (row,) = claim(session)

    # then
    assert (row.state, row.attempts, row.lease_owner) == (EventState.LEASED, 1, "w1")
    assert row.available_at == NOW + LEASE
    assert row.lease_token


def test_each_claim_gets_a_new_token(session: Session):
    put(session, "a", "b")

    (first,), (second,) = claim(session, limit=1), claim(session, limit=1)

    assert first.lease_token != second.lease_token


def test_what_is_leased_is_not_claimed_again(session: Session):
    put(session, "a", "b")
    claim(session, limit=1)

    assert names(claim(session, owner="w2")) == ["b"]
    assert claim(session, owner="w3") == []


def test_nothing_is_claimed_before_it_is_due(session: Session):
    put(session, "a", received_at=NOW + seconds(10))

    assert claim(session, after=9.999) == []
    assert names(claim(session, after=10)) == ["a"]


def test_urgent_events_go_first_then_older_ones(session: Session):
    # given
    put(session, "late", priority=5, received_at=NOW)
    put(session, "early", priority=5, received_at=NOW - seconds(5))
    put(session, "answer", priority=3)
    put(session, "welcome", priority=0)

    # when
    order = [names(claim(session, limit=1)) for _ in range(4)]

    # then
    assert order == [["welcome"], ["answer"], ["early"], ["late"]]


def test_events_of_one_lane_go_one_after_another(session: Session):
    # given
    put(session, "a1", "a2", "a3", lane="a")
    put(session, "b1", "b2", lane="b")

    # when / then: one of each lane at a time, however many are asked for
    first = claim(session)
    assert names(first) == ["a1", "b1"]
    assert claim(session, owner="w2") == []
    inbox.mark_done(session, first[0], now=NOW)
    assert names(claim(session)) == ["a2"]
    inbox.mark_done(session, first[1], now=NOW)
    assert names(claim(session)) == ["b2"]


def test_an_urgent_event_does_not_overtake_its_own_lane(session: Session):
    # given an earlier event of the same contact, not urgent
    put(session, "edited", lane="a", priority=5)
    put(session, "added", lane="a", priority=0)

    assert names(claim(session)) == ["edited"]


def test_an_event_that_waits_for_its_retry_holds_up_its_lane_only(session: Session):
    # given
    put(session, "a1", "a2", lane="a")
    put(session, "free")
    first, free = claim(session)
    inbox.mark_done(session, free, now=NOW)

    # when the first of the lane fails and waits
    inbox.mark_failed(session, first, "boom", now=NOW)

    # then
    put(session, "other", lane="b")
    assert names(claim(session, after=0.1)) == ["other"]
    assert names(claim(session, after=2)) == ["a1"]


def test_events_without_a_lane_do_not_wait_for_each_other(session: Session):
    put(session, "a", "b", "c", lane=None)

    assert names(claim(session)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "state", [EventState.DONE, EventState.IGNORED, EventState.DEAD, EventState.QUARANTINED]
)
def test_an_event_that_is_over_or_quarantined_does_not_hold_up_its_lane(state: EventState, session: Session):
    put(session, "first", "second", lane="a")
    get(session, "first").state = state
    session.flush()

    assert names(claim(session)) == ["second"]


def test_no_more_are_claimed_than_asked_for(session: Session):
    put(session, *"abcdefgh")

    assert names(claim(session, limit=3)) == ["a", "b", "c"]


# leases and fencing


def test_a_lease_that_ran_out_is_taken_over(session: Session):
    put(session, "a")
    (old,) = claim(session)
    token = old.lease_token

    assert claim(session, after=LEASE.total_seconds() - 0.001, owner="w2") == []
    (new,) = claim(session, after=LEASE.total_seconds(), owner="w2")

    assert (new.lease_owner, new.attempts) == ("w2", 2)
    assert new.lease_token != token


FINISHES: dict[str, Callable[[Session, InboxEvent], object]] = {
    "done": lambda session, row: inbox.mark_done(session, row, now=NOW + seconds(61)),
    "ignored": lambda session, row: inbox.mark_done(session, row, now=NOW + seconds(61), ignored=True),
    "failed": lambda session, row: inbox.mark_failed(session, row, "late", now=NOW + seconds(61)),
    "done together": lambda session, row: inbox.mark_done_together(session, [row], now=NOW + seconds(61)),
    "put off": lambda session, row: inbox.put_off(session, [row], priority=2, now=NOW + seconds(61)),
}


@pytest.mark.parametrize("finish", FINISHES.values(), ids=FINISHES.keys())
def test_a_worker_that_lost_its_lease_changes_nothing(
    finish: Callable[[Session, InboxEvent], object], database: Database
):
    # given a slow worker, and a second one that took over
    with database.write() as session:
        put(session, "a")
        (slow,) = claim(session)
    with database.write() as session:
        (fast,) = claim(session, after=60, owner="w2")
        before = facts(fast)

    # when
    with pytest.raises(LeaseLost) as caught, database.write() as session:
        finish(session, slow)

    # then
    assert caught.value.code == "lease_lost"
    with database.read() as session:
        assert facts(get(session, "a")) == before


@pytest.mark.parametrize("finish", FINISHES.values(), ids=FINISHES.keys())
def test_an_event_is_finished_once(finish: Callable[[Session, InboxEvent], object], database: Database):
    # given
    with database.write() as session:
        put(session, "a")
        (row,) = claim(session)
        inbox.mark_done(session, row, now=NOW)
        before = facts(get(session, "a"))

    # when
    with pytest.raises(LeaseLost), database.write() as session:
        finish(session, row)

    # then
    with database.read() as session:
        assert facts(get(session, "a")) == before


def test_the_effect_of_a_worker_that_lost_its_lease_is_rolled_back(database: Database):
    # given
    with database.write() as session:
        put(session, "a")
        (slow,) = claim(session)
    with database.write() as session:
        claim(session, after=60, owner="w2")

    # when its effect and its 'done' are one transaction
    def work() -> None:
        with database.write() as session:
            put(session, "effect")
            inbox.mark_done(session, slow, now=NOW)

    with pytest.raises(LeaseLost):
        work()

    # then
    with database.read() as session:
        assert names(list(session.scalars(select(InboxEvent)))) == ["a"]


def test_released_events_are_due_at_once_and_the_attempt_does_not_count(session: Session):
    # given
    put(session, "a", "b")
    rows = claim(session)

    # when
    inbox.release(session, rows, now=NOW + seconds(1))

    # then
    assert [facts(get(session, name))[:3] for name in "ab"] == [(EventState.PENDING, 0, NOW + seconds(1))] * 2


def test_releasing_what_somebody_else_took_over_changes_nothing(database: Database):
    with database.write() as session:
        put(session, "a")
        slow = claim(session)
    with database.write() as session:
        (fast,) = claim(session, after=60, owner="w2")
        before = facts(fast)

    with database.write() as session:
        inbox.release(session, slow, now=NOW + seconds(61))

    with database.read() as session:
        assert facts(get(session, "a")) == before


def test_a_restarted_process_takes_over_its_predecessors_events_at_once(session: Session):
    # given
    put(session, "leased", "pending")
    claim(session, limit=1)

    # when
    assert inbox.release_all(session, now=NOW + seconds(1)) == 1

    # then: still counted, so that an event that kills its process dies in the end
    (row,) = claim(session, after=1, limit=1, owner="new")
    assert (row.payload, row.attempts) == ("pending", 1)
    (row,) = claim(session, after=1, limit=1, owner="new")
    assert (row.payload, row.attempts) == ("leased", 2)


# failing and dying


def test_a_failed_event_waits_longer_each_time_and_then_is_dead(session: Session):
    # given
    put(session, "a")
    at, waits = NOW, []

    # when it fails each time it is tried
    for attempt in range(1, MAX_ATTEMPTS + 1):
        (row,) = inbox.claim_events(session, owner="w", now=at)
        assert row.attempts == attempt
        state = inbox.mark_failed(session, row, f"boom {attempt}", now=at)
        row = get(session, "a")
        if attempt < MAX_ATTEMPTS:
            assert (state, row.state, row.error) == (
                EventState.PENDING,
                EventState.PENDING,
                f"boom {attempt}",
            )
            assert row.available_at is not None
            waits.append((row.available_at - at).total_seconds())
            at = row.available_at

    # then
    assert (state, row.state, row.error, row.done_at) == (EventState.DEAD, EventState.DEAD, "boom 8", at)
    assert inbox.claim_events(session, owner="w", now=at + timedelta(days=1)) == []
    for attempt, wait in enumerate(waits, 1):
        assert 2 ** (attempt - 1) <= wait <= 2**attempt


def test_an_event_that_kills_every_worker_is_dead_too(session: Session):
    # given a segfault each time: nobody ever finishes
    put(session, "poison", "next", lane="a")
    at = NOW
    for attempt in range(1, MAX_ATTEMPTS + 1):
        (row,) = inbox.claim_events(session, owner=f"w{attempt}", now=at)
        assert (row.payload, row.attempts) == ("poison", attempt)
        at += LEASE

    # when
    live = inbox.claim_events(session, owner="w9", now=at)

    # then it is given to nobody, with a reason, and its lane goes on
    assert live == []
    row = get(session, "poison")
    assert (row.state, row.error, row.done_at) == (
        EventState.DEAD,
        "every worker that took this event died",
        at,
    )
    assert names(inbox.claim_events(session, owner="w9", now=at)) == ["next"]


def test_a_dead_event_lets_its_lane_go_on(session: Session):
    put(session, "poison", "next", lane="a")
    get(session, "poison").attempts = MAX_ATTEMPTS - 1
    session.flush()

    (row,) = claim(session)
    assert inbox.mark_failed(session, row, "boom", now=NOW) is EventState.DEAD

    assert names(claim(session)) == ["next"]


def test_success_after_failures_clears_the_error(session: Session):
    put(session, "a")
    (row,) = claim(session)
    inbox.mark_failed(session, row, "boom", now=NOW)
    (row,) = claim(session, after=5)

    inbox.mark_done(session, row, now=NOW + seconds(5))

    done = get(session, "a")
    assert (done.state, done.error, done.attempts) == (EventState.DONE, None, 2)
    assert done.done_at == NOW + seconds(5)


def test_an_unknown_event_is_ignored_visibly(session: Session):
    put(session, "a")
    (row,) = claim(session)

    inbox.mark_done(session, row, now=NOW, ignored=True)

    assert get(session, "a").state is EventState.IGNORED


# replay


@pytest.mark.parametrize(
    "state", [EventState.DONE, EventState.IGNORED, EventState.DEAD, EventState.QUARANTINED]
)
def test_an_event_that_is_over_can_be_replayed(state: EventState, session: Session):
    # given
    put(session, "a")
    row = get(session, "a")
    row.state, row.attempts, row.error, row.done_at = state, 8, "boom", NOW
    session.flush()

    # when
    inbox.replay(session, row.id, now=NOW + seconds(9))
    session.flush()

    # then
    row = get(session, "a")
    assert (row.state, row.attempts, row.available_at) == (EventState.PENDING, 0, NOW + seconds(9))
    assert (row.error, row.done_at) == (None, None)
    assert names(claim(session, after=9)) == ["a"]


@pytest.mark.parametrize("leased", [False, True])
def test_an_event_on_its_way_is_not_replayed(leased: bool, session: Session):
    put(session, "a")
    if leased:
        claim(session)
    before = facts(get(session, "a"))

    with pytest.raises(Conflict) as caught:
        inbox.replay(session, get(session, "a").id, now=NOW + seconds(9))

    assert caught.value.code == "event_in_progress"
    assert facts(get(session, "a")) == before


def test_an_event_whose_payload_was_pruned_is_not_replayed(session: Session):
    put(session, "a")
    row = get(session, "a")
    row.state, row.payload = EventState.DONE, None
    session.flush()

    with pytest.raises(Conflict) as caught:
        inbox.replay(session, row.id, now=NOW)

    assert caught.value.code == "event_payload_pruned"
    assert row.state is EventState.DONE


def test_replaying_what_is_not_there_says_so(session: Session):
    with pytest.raises(NotFound) as caught:
        inbox.replay(session, 4711, now=NOW)

    assert caught.value.code == "event_not_found"


def test_the_worker_of_before_cannot_finish_a_replayed_event(session: Session):
    # given an event that was dead-lettered while its first worker still ran, then replayed
    put(session, "a")
    (slow,) = claim(session)
    session.expunge(slow)
    row = get(session, "a")
    row.state = EventState.DEAD
    session.flush()
    inbox.replay(session, row.id, now=NOW)
    session.flush()
    claim(session, owner="w2")

    # when / then
    with pytest.raises(LeaseLost):
        inbox.mark_done(session, slow, now=NOW)
    assert get(session, "a").state is EventState.LEASED
