"""Every edge of the state machine drawn in scrm/outbox/models.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.db import Database
from scrm.errors import Conflict, LeaseLost, NotFound
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox import claims
from scrm.outbox import service as outbox
from scrm.outbox.claims import LEASE
from scrm.outbox.commands import DUPLICATE_CHECK, Command, FetchContact
from scrm.outbox.models import CallState, OutboxCall, Recovery
from scrm.outbox.service import MAX_ATTEMPTS, Verdict
from scrm.timeline.models import TimelineEntry
from tests.envelopes import NOW
from tests.scrm.outbox.factory import (
    attempts,
    claim,
    claimed,
    facts,
    fetch,
    finish,
    make_contact,
    mark,
    notice,
    outcome,
    put,
    put_with,
    remark,
    rows,
    seconds,
    way,
    welcome,
)

WINDOW = DUPLICATE_CHECK - timedelta(minutes=5)
P, S, U = CallState.PENDING, CallState.SENDING, CallState.UNKNOWN


# sending → sent, failed, skipped, expired


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict.SENT, CallState.SENT),
        (Verdict.REFUSED, CallState.FAILED),
        (Verdict.SKIPPED, CallState.SKIPPED),
        (Verdict.EXPIRED, CallState.EXPIRED),
    ],
)
@pytest.mark.parametrize("uncertain", [False, True])
def test_a_definite_outcome_ends_the_call(
    verdict: Verdict, state: CallState, uncertain: bool, session: Session
):
    # given
    row = claimed(session, remark())
    if uncertain:
        at = finish(session, row, Verdict.UNKNOWN).available_at
        (row,) = claim(session, at=at or NOW)
        assert row.uncertain is True

    # when
    row = finish(session, row, verdict, errcode=0, reason="because", http_status=200, bytes_sent=True)

    # then
    assert (row.state, row.errcode, row.reason, row.done_at) == (state, 0, "because", NOW)
    last = attempts(session)[-1]
    assert (last.finished_at, last.errcode, last.http_status, last.bytes_sent, last.error) == (
        NOW,
        0,
        200,
        True,
        "because",
    )
    assert claim(session, at=NOW + timedelta(days=365)) == []


# sending → pending


def test_a_definite_no_for_now_waits_and_counts(session: Session):
    row = finish(session, claimed(session, remark()), Verdict.LATER, errcode=45035)

    assert (row.state, row.attempts, row.uncertain, row.errcode) == (P, 1, False, 45035)
    assert row.available_at is not None
    assert 2 <= (row.available_at - NOW).total_seconds() <= 4


def test_the_platforms_wait_is_kept(session: Session):
    row = finish(session, claimed(session, remark()), Verdict.LATER, retry_at=NOW + seconds(30))

    assert row.available_at == NOW + seconds(30)


def test_a_pause_does_not_count(session: Session):
    # when 20 times in a row the quota is spent
    row, at = claimed(session, remark()), NOW
    for _ in range(20):
        row = finish(session, row, Verdict.PAUSED, at=at, retry_at=at + seconds(60))
        assert (row.state, row.attempts, row.available_at) == (P, 0, at + seconds(60))
        at += seconds(60)
        (row,) = claim(session, at=at)

    # then it is still the first attempt, and it may still be sent
    assert row.attempts == 1
    assert finish(session, row, Verdict.SENT, at=at).state is CallState.SENT
    assert [attempt.n for attempt in attempts(session)] == [1]


def test_a_pause_without_a_time_is_a_second(session: Session):
    assert finish(session, claimed(session, remark()), Verdict.PAUSED).available_at == NOW + seconds(1)


def test_a_call_given_back_unsent_is_due_at_once(session: Session):
    row = claimed(session, remark())

    claims.release_unsent(session, row, now=NOW + seconds(2))

    (row,) = rows(session)
    assert (row.state, row.attempts, row.available_at) == (P, 0, NOW + seconds(2))


def test_too_many_refusals_for_now_are_a_failure(session: Session):
    # given
    put(session, remark())
    at = NOW

    # when
    for attempt in range(1, MAX_ATTEMPTS + 1):
        (row,) = claim(session, at=at)
        assert row.attempts == attempt
        row = finish(session, row, Verdict.LATER, at=at)
        tried_at, at = at, row.available_at or at

    # then
    assert (row.state, row.done_at) == (CallState.FAILED, tried_at)
    assert claim(session, at=at + timedelta(days=1)) == []


# deadlines


@pytest.mark.parametrize("verdict", [Verdict.LATER, Verdict.PAUSED])
def test_no_pause_leads_past_the_deadline(verdict: Verdict, session: Session):
    # given a welcome whose API is paused for a minute
    row = claimed(session, welcome(), deadline=NOW + seconds(18))

    # when
    row = finish(session, row, verdict, retry_at=NOW + seconds(60))

    # then it comes back at its deadline, to be reported as expired at once
    assert (row.state, row.available_at) == (P, NOW + seconds(18))


def test_a_call_with_a_deadline_is_retried_within_seconds(session: Session):
    row = finish(session, claimed(session, welcome(), deadline=NOW + seconds(18)), Verdict.LATER)

    assert row.available_at is not None
    assert 0.25 <= (row.available_at - NOW).total_seconds() <= 0.5


def test_calls_past_their_deadline_are_claimed_so_that_they_can_be_reported(session: Session):
    put(session, welcome(), deadline=NOW + seconds(18))

    (row,) = claim(session, at=NOW + timedelta(hours=3))
    assert finish(session, row, Verdict.EXPIRED, at=NOW + timedelta(hours=3)).state is CallState.EXPIRED


# sending → unknown


@pytest.mark.parametrize(
    ("recovery", "for_a_person"),
    [
        (Recovery.REPEAT, False),
        (Recovery.WINDOW, False),
        (Recovery.LOOKUP, False),
        (Recovery.OPERATOR, True),
    ],
)
def test_an_unknown_outcome_is_resolved_as_the_call_allows(
    recovery: Recovery, for_a_person: bool, session: Session
):
    # given
    put_with(session, recovery)
    (row,) = claim(session)

    # when
    row = finish(session, row, Verdict.UNKNOWN, reason="timeout")

    # then
    assert (row.state, row.uncertain, row.done_at, row.reason) == (U, True, None, "timeout")
    if for_a_person:
        assert row.available_at is None
        assert claim(session, at=NOW + timedelta(days=365)) == []
    else:
        assert row.available_at is not None
        assert NOW < row.available_at <= NOW + seconds(4)
        (again,) = claim(session, at=row.available_at)
        assert (again.id, again.state, again.attempts, again.uncertain) == (row.id, S, 2, True)


@pytest.mark.parametrize("verdict", [Verdict.LATER, Verdict.PAUSED])
def test_what_was_unknown_is_never_plainly_pending_again(verdict: Verdict, session: Session):
    # given
    row = finish(session, claimed(session, remark()), Verdict.UNKNOWN)
    (row,) = claim(session, at=row.available_at or NOW)

    # when
    row = finish(session, row, verdict, at=NOW + seconds(5), retry_at=NOW + seconds(9))

    # then
    assert (row.state, row.uncertain, row.available_at) == (U, True, NOW + seconds(9))


def test_too_many_refusals_of_an_unknown_call_are_for_a_person(session: Session):
    # given
    put(session, remark())
    row, at = rows(session)[0], NOW
    row.attempts, row.uncertain, row.state = MAX_ATTEMPTS - 1, True, U
    (row,) = claim(session, at=at)

    # when / then: failed would claim that it had no effect
    row = finish(session, row, Verdict.LATER)
    assert (row.state, row.available_at, row.done_at) == (U, None, None)


def test_too_many_unknown_outcomes_are_for_a_person(session: Session):
    put(session, remark())
    rows(session)[0].attempts = MAX_ATTEMPTS - 1
    (row,) = claim(session)

    row = finish(session, row, Verdict.UNKNOWN)

    assert (row.state, row.available_at) == (U, None)


def test_the_window_of_identical_calls_opens_with_the_first_attempt(session: Session):
    # given a notice that first had to wait
    put(session, notice(), not_before=NOW + seconds(600))
    assert rows(session)[0].repeat_until is None
    first = NOW + seconds(600)

    # when
    (row,) = claim(session, at=first)
    assert rows(session)[0].repeat_until == first + WINDOW
    finish(session, row, Verdict.UNKNOWN, at=first)
    (row,) = claim(session, at=first + seconds(60))

    # then the second attempt does not open it again
    assert rows(session)[0].repeat_until == first + WINDOW


@pytest.mark.parametrize(("late", "for_a_person"), [(seconds(-30), False), (seconds(0), True)])
def test_a_notice_unknown_outside_its_window_is_for_a_person(
    late: timedelta, for_a_person: bool, session: Session
):
    # given the platform drops a repeat only for so long
    row = claimed(session, notice())

    # when
    row = finish(session, row, Verdict.UNKNOWN, at=NOW + WINDOW + late)

    # then
    assert (row.state, row.available_at is None) == (U, for_a_person)


@pytest.mark.parametrize("command", [remark(), mark(), fetch(), way(), welcome()])
def test_only_windowed_calls_have_a_window(command: Command, session: Session):
    assert claimed(session, command).repeat_until is None


# fencing


def test_a_worker_that_lost_its_lease_changes_nothing(database: Database):
    # given a call swept while its worker hung, and taken by another one
    with database.write() as session:
        contact_id = make_contact(session)
        slow = claimed(session, fetch(), contact_id=contact_id)
    with database.write() as session:
        claims.sweep_expired_leases(session, now=NOW + LEASE)
    with database.write() as session:
        (fast,) = claim(session, at=NOW + LEASE + seconds(5), owner="w2")
        before = facts(fast)

    # when
    for verdict in Verdict:
        with pytest.raises(LeaseLost), database.write() as session:
            outbox.finish(session, slow, outcome(verdict, answer={"late": True}), now=NOW + seconds(30))

    # then: neither the row nor its attempts, answers or timeline
    with database.read() as session:
        assert facts(rows(session)[0]) == before
        assert [attempt.n for attempt in attempts(session)] == [1, 2]
        assert attempts(session)[1].finished_at is None
        assert session.scalar(select(InboxEvent.id)) is None
        assert session.scalar(select(TimelineEntry.id)) is None


def test_a_call_is_finished_once(session: Session):
    row = claimed(session, remark())
    session.expunge(row)
    outbox.finish(session, row, outcome(Verdict.SENT), now=NOW)

    with pytest.raises(LeaseLost):
        outbox.finish(session, row, outcome(Verdict.REFUSED), now=NOW)

    assert rows(session)[0].state is CallState.SENT


# what is told


def test_the_answer_of_a_read_comes_back_as_an_event(session: Session):
    # given
    row = claimed(session, fetch())

    # when
    answer = {"errcode": 0, "external_contact": {"name": "王"}}
    outbox.finish(
        session, row, outcome(Verdict.SENT, errcode=0, answer=answer, asked_at=NOW), now=NOW + seconds(1)
    )

    # then
    event = session.scalars(select(InboxEvent)).one()
    assert (event.kind, event.state, event.caused_by_call) == (
        "answer.externalcontact/get",
        EventState.PENDING,
        row.id,
    )
    assert (event.received_at, event.sent_at, event.lane) == (NOW + seconds(1), NOW, "fetch:wm1")
    assert json.loads(event.payload or "") == {
        "call_id": row.id,
        "state": "sent",
        "errcode": 0,
        "reason": None,
        "command": {"unique": "1", "external_userid": "wm1"},
        "answer": answer,
    }


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.EXPIRED])
def test_the_final_failure_of_a_read_comes_back_too(verdict: Verdict, session: Session):
    row = claimed(session, fetch())

    outbox.finish(session, row, outcome(verdict, errcode=84061, answer={"never": "shown"}), now=NOW)

    body = json.loads(session.scalars(select(InboxEvent.payload)).one() or "")
    assert (body["errcode"], body["answer"]) == (84061, None)
    assert body["state"] in ("failed", "expired")


@pytest.mark.parametrize("verdict", [Verdict.LATER, Verdict.PAUSED, Verdict.UNKNOWN, Verdict.SKIPPED])
def test_nothing_comes_back_before_the_end_or_when_skipped(verdict: Verdict, session: Session):
    row = claimed(session, fetch(), contact_id=make_contact(session))

    outbox.finish(session, row, outcome(verdict), now=NOW)

    assert session.scalar(select(InboxEvent.id)) is None


def test_calls_that_keep_no_answer_send_none_back(session: Session):
    outbox.finish(session, claimed(session, remark()), outcome(Verdict.SENT, answer={}), now=NOW)

    assert session.scalar(select(InboxEvent.id)) is None


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        (Verdict.SENT, "remark.sent"),
        (Verdict.REFUSED, "remark.failed"),
        (Verdict.EXPIRED, "remark.expired"),
        (Verdict.SKIPPED, "remark.skipped"),
        (Verdict.LATER, None),
        (Verdict.PAUSED, None),
        (Verdict.UNKNOWN, None),
    ],
)
def test_the_contacts_timeline_tells_the_end(verdict: Verdict, kind: str | None, session: Session):
    # given
    contact_id = make_contact(session)
    row = claimed(session, remark(), contact_id=contact_id)

    # when
    outbox.finish(session, row, outcome(verdict, errcode=84061, reason="why"), now=NOW)

    # then
    entries = list(session.scalars(select(TimelineEntry)))
    assert [entry.kind for entry in entries] == ([kind] if kind else [])
    for entry in entries:
        assert (entry.contact_id, entry.at) == (contact_id, NOW)
        assert entry.detail == {
            "call_id": row.id,
            "errcode": 84061,
            "reason": "why",
            "userid": "zhangsan",
            "remark": "王总",
        }


def test_the_contacts_timeline_tells_when_a_person_is_needed(session: Session):
    # given
    put_with(session, Recovery.OPERATOR, contact_id=make_contact(session))
    (row,) = claim(session)

    # when
    outbox.finish(session, row, outcome(Verdict.UNKNOWN), now=NOW)

    # then
    assert list(session.scalars(select(TimelineEntry.kind))) == ["remark.unknown"]


# a person retries


def test_a_person_may_retry_a_failure(session: Session):
    # given
    row = finish(session, claimed(session, remark()), Verdict.REFUSED)

    # when
    outbox.retry(session, row.id, now=NOW + seconds(60))

    # then with a whole new budget of attempts
    (row,) = rows(session)
    assert (row.state, row.available_at, row.done_at) == (P, NOW + seconds(60), None)
    assert row.attempt_limit == 1 + MAX_ATTEMPTS
    (again,) = claim(session, at=NOW + seconds(60))
    assert again.attempts == 2


@pytest.mark.parametrize("recovery", list(Recovery))
def test_a_person_may_repeat_what_is_unknown(recovery: Recovery, session: Session):
    # given
    row = put_with(session, recovery)
    row.state, row.uncertain, row.attempts, row.available_at = U, True, 3, None
    session.flush()

    # when
    outbox.retry(session, row.id, now=NOW + seconds(60))

    # then it goes out again, and stays uncertain until somebody knows
    (row,) = rows(session)
    assert (row.state, row.uncertain, row.recovery) == (U, True, Recovery.REPEAT)
    (again,) = claim(session, at=NOW + seconds(60))
    assert again.id == row.id


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(lambda session, row: None, id="sending"),
        pytest.param(lambda session, row: finish(session, row, Verdict.SENT), id="sent"),
        pytest.param(lambda session, row: finish(session, row, Verdict.LATER), id="pending"),
        pytest.param(lambda session, row: finish(session, row, Verdict.EXPIRED), id="expired"),
        pytest.param(lambda session, row: finish(session, row, Verdict.SKIPPED), id="skipped"),
        pytest.param(
            lambda session, row: finish(session, row, Verdict.UNKNOWN), id="unknown, being resolved"
        ),
    ],
)
def test_what_is_not_stuck_is_not_retried(prepare: Callable[[Session, OutboxCall], Any], session: Session):
    # given
    row = claimed(session, remark())
    prepare(session, row)
    before = facts(rows(session)[0])

    # when
    with pytest.raises(Conflict) as caught:
        outbox.retry(session, row.id, now=NOW + seconds(60))

    # then
    assert caught.value.code == "call_not_stuck"
    assert facts(rows(session)[0]) == before


def test_a_welcome_whose_time_is_over_is_not_retried(session: Session):
    row = claimed(session, welcome(), deadline=NOW + seconds(18))
    finish(session, row, Verdict.REFUSED)

    with pytest.raises(Conflict) as caught:
        outbox.retry(session, row.id, now=NOW + seconds(18))

    assert caught.value.code == "call_expired"
    assert rows(session)[0].state is CallState.FAILED


def test_a_welcome_in_its_time_may_be_retried(session: Session):
    row = claimed(session, welcome(), deadline=NOW + seconds(18))
    finish(session, row, Verdict.REFUSED)

    outbox.retry(session, row.id, now=NOW + seconds(17))

    assert rows(session)[0].state is P


def test_retrying_what_is_not_there_says_so(session: Session):
    with pytest.raises(NotFound) as caught:
        outbox.retry(session, 4711, now=NOW)

    assert caught.value.code == "call_not_found"


# skipping


def test_waiting_calls_whose_work_is_done_are_skipped(session: Session):
    # given two reads of a contact that wait, one owed later, one of another contact, another kind
    contact_id, other = make_contact(session), make_contact(session)
    put(session, fetch("1"), contact_id=contact_id)
    put(session, fetch("2"), contact_id=contact_id)
    put(session, fetch("later"), contact_id=contact_id, now=NOW + seconds(1))
    put(session, fetch("other", whom="wm2"), contact_id=other)
    put(session, remark(), contact_id=contact_id)

    # when
    count = outbox.skip_pending(session, contact_id, FetchContact, "read already", owed_before=NOW, now=NOW)

    # then
    assert count == 2
    skipped = [row for row in rows(session) if row.state is CallState.SKIPPED]
    assert [(row.command["unique"], row.reason, row.done_at) for row in skipped] == [
        ("1", "read already", NOW),
        ("2", "read already", NOW),
    ]
    assert [row.command.get("unique") for row in rows(session) if row.state is P] == ["later", "other", "1"]


@pytest.mark.parametrize("verdict", [None, Verdict.UNKNOWN, Verdict.SENT, Verdict.REFUSED])
def test_calls_that_have_begun_are_not_skipped(verdict: Verdict | None, session: Session):
    # given
    contact_id = make_contact(session)
    row = claimed(session, fetch(), contact_id=contact_id)
    if verdict:
        finish(session, row, verdict)
    before = facts(rows(session)[0])

    # when / then
    assert outbox.skip_pending(session, contact_id, FetchContact, "done", owed_before=NOW, now=NOW) == 0
    assert facts(rows(session)[0]) == before


# two codes for one pair


@pytest.mark.parametrize(("after", "greeted"), [(0, True), (59, True), (60, False), (3600, False)])
def test_a_pair_greeted_a_moment_ago_is_known(after: float, greeted: bool, session: Session):
    # given the half-add's code was used
    first = claimed(session, welcome("HALF"))
    finish(session, first, Verdict.SENT)
    put(session, welcome("FULL"))
    (second,) = claim(session)

    # when / then
    assert outbox.greeted_lately(session, second, now=NOW + seconds(after)) is greeted


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, Verdict.EXPIRED, Verdict.SKIPPED])
def test_a_greeting_that_did_not_arrive_does_not_stop_the_next(verdict: Verdict, session: Session):
    first = claimed(session, welcome("HALF"))
    finish(session, first, verdict)
    put(session, welcome("FULL"))
    (second,) = claim(session)

    assert outbox.greeted_lately(session, second, now=NOW) is False


def test_the_greeting_of_another_customer_does_not_count(session: Session):
    first = claimed(session, welcome("A", whom="wm2"))
    finish(session, first, Verdict.SENT)
    put(session, welcome("B"))
    (second,) = claim(session)

    assert outbox.greeted_lately(session, second, now=NOW) is False
    assert outbox.greeted_lately(session, first, now=NOW) is False
