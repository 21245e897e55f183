"""Recording: one row per thing that happened, whatever the platform resends; quarantine and its release."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.callbacks.wecom import WecomReceiver
from scrm.db import Database
from scrm.inbox import queries
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent
from scrm.inbox.service import Arrival
from tests.envelopes import NOW, crypto, event_xml, post

LATER = NOW + timedelta(seconds=30)


def arrival(payload: str = "<xml/>", **changes: Any) -> Arrival:
    return replace(Arrival(source="wecom", kind="wecom.click", payload=payload, received_at=NOW), **changes)


def rows(session: Session) -> list[InboxEvent]:
    return list(session.scalars(select(InboxEvent).order_by(InboxEvent.id)))


def count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(InboxEvent)) or 0


def test_an_event_is_recorded_as_it_came(session: Session):
    # when
    new = inbox.record(
        session,
        [
            arrival(
                "<xml>中</xml>",
                lane="contact:wm1",
                priority=2,
                sent_at=NOW - timedelta(seconds=3),
                request_id="r1",
            )
        ],
    )

    # then
    assert new == 1
    (row,) = rows(session)
    assert row.payload == "<xml>中</xml>"
    assert (row.state, row.lane, row.priority, row.attempts) == (EventState.PENDING, "contact:wm1", 2, 0)
    assert (row.received_at, row.available_at, row.sent_at) == (NOW, NOW, NOW - timedelta(seconds=3))
    assert (row.request_id, row.lease_owner, row.lease_token, row.done_at) == ("r1", None, None, None)


@pytest.mark.sqlite  # it reads the file
def test_the_payload_is_sealed_in_the_database(database: Database):
    # given
    with database.write() as session:
        inbox.record(session, [arrival("<xml>canary-13812345678</xml>")])

    # then: neither the file nor its log shows it
    path = database.engine.url.database
    assert path
    for name in (path, f"{path}-wal"):
        assert b"canary-13812345678" not in Path(name).read_bytes()


def test_a_second_copy_changes_nothing(session: Session):
    # given
    inbox.record(session, [arrival(priority=0, request_id="first")])

    # when
    new = inbox.record(session, [arrival(priority=5, request_id="second", received_at=LATER)])

    # then
    assert new == 0
    (row,) = rows(session)
    assert (row.priority, row.request_id, row.received_at) == (0, "first", NOW)


@pytest.mark.parametrize("state", [EventState.DONE, EventState.DEAD, EventState.IGNORED, EventState.LEASED])
def test_a_copy_of_an_event_that_was_worked_on_does_not_start_it_again(state: EventState, session: Session):
    # given
    inbox.record(session, [arrival()])
    (row,) = rows(session)
    row.state, row.attempts = state, 3
    session.flush()

    # when
    new = inbox.record(session, [arrival(received_at=LATER)])

    # then
    session.flush()
    session.expire_all()
    assert new == 0
    assert (row.state, row.attempts, row.available_at) == (state, 3, NOW)


def test_copies_within_one_batch_are_one_event(session: Session):
    assert inbox.record(session, [arrival("a"), arrival("b"), arrival("a"), arrival("a")]) == 2
    assert [row.payload for row in rows(session)] == ["a", "b"]


def test_nothing_to_record_is_nothing(session: Session):
    assert inbox.record(session, []) == 0
    assert rows(session) == []


def test_the_same_text_from_two_sources_is_two_events(session: Session):
    assert inbox.record(session, [arrival(), arrival(source="answer")]) == 2


def test_a_named_key_counts_instead_of_the_text(session: Session):
    assert inbox.record(session, [arrival("a", dedupe_key="k"), arrival("b", dedupe_key="k")]) == 1


def test_overlong_kinds_and_lanes_are_cut_to_their_columns(session: Session):
    # given
    inbox.record(session, [arrival(kind="wecom." + "x" * 200, lane="contact:" + "y" * 200)])

    # then
    (row,) = rows(session)
    assert (len(row.kind), len(row.lane or "")) == (96, 80)


def test_an_event_resealed_four_times_on_threads_is_one_event(database: Database):
    # given 25 events, each resent 4 times with other prefix, nonce and signature, on 4 threads
    receiver = WecomReceiver([crypto()], lambda: NOW)
    events = [event_xml(ExternalUserID=f"wm{n}") for n in range(25)]
    new: list[int] = []
    start = threading.Barrier(4)

    def resend(thread: int) -> None:
        start.wait(10)
        for text in events:
            sent = post(text, nonce=f"n{thread}")
            with database.write_connection() as connection:
                new.append(inbox.record(connection, [receiver.receive(sent.query, sent.body)]))

    threads = [threading.Thread(target=resend, args=(number,)) for number in range(4)]

    # when
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    # then
    assert len(new) == 100
    assert sum(new) == 25
    assert count(database) == 25


def test_two_customers_of_one_rep_in_one_second_are_two_events(session: Session):
    # given what differs in the customer alone (the official key From+CreateTime would lose one)
    receiver = WecomReceiver([crypto()], lambda: NOW)
    sent = [post(event_xml(ExternalUserID=f"wm{n}")) for n in range(2)]

    # when
    new = inbox.record(session, [receiver.receive(one.query, one.body) for one in sent])

    # then
    assert new == 2
    assert [row.lane for row in rows(session)] == ["contact:wm0", "contact:wm1"]


# quarantine


def states(session: Session) -> list[EventState]:
    session.flush()
    session.expire_all()
    return [row.state for row in rows(session)]


def test_a_quarantined_event_is_not_run(session: Session):
    inbox.record(session, [arrival(quarantined=True)])

    assert states(session) == [EventState.QUARANTINED]
    assert inbox.claim_events(session, owner="w", now=NOW + timedelta(days=400)) == []


def test_a_fresh_copy_releases_a_quarantined_event(session: Session):
    # given
    inbox.record(session, [arrival(quarantined=True)])

    # when
    new = inbox.record(session, [arrival(received_at=LATER)])

    # then
    assert new == 0
    assert states(session) == [EventState.PENDING]
    (row,) = inbox.claim_events(session, owner="w", now=LATER)
    assert row.attempts == 1


def test_a_stale_copy_releases_nothing(session: Session):
    inbox.record(session, [arrival(quarantined=True)])

    inbox.record(session, [arrival(quarantined=True, received_at=LATER)])

    assert states(session) == [EventState.QUARANTINED]


def test_a_fresh_copy_releases_only_its_own_event(session: Session):
    inbox.record(session, [arrival("a", quarantined=True), arrival("b", quarantined=True)])

    inbox.record(session, [arrival("b")])

    assert states(session) == [EventState.QUARANTINED, EventState.PENDING]


@pytest.mark.parametrize("stale_first", [True, False])
def test_a_stale_and_a_fresh_copy_in_one_batch_are_run_once(stale_first: bool, session: Session):
    # given
    copies = [arrival(quarantined=True), arrival()]

    # when
    assert inbox.record(session, copies if stale_first else copies[::-1]) == 1

    # then
    assert states(session) == [EventState.PENDING]


def test_a_stale_copy_does_not_quarantine_what_was_accepted(session: Session):
    inbox.record(session, [arrival()])

    inbox.record(session, [arrival(quarantined=True)])

    assert states(session) == [EventState.PENDING]


def test_a_clock_that_was_wrong_for_a_while_loses_nothing(session: Session):
    # given an hour in which our own clock is off, and a platform that resends nothing
    inbox.record(session, [arrival(str(n), quarantined=True) for n in range(5)])

    # when a person replays what lies in quarantine
    for row in rows(session):
        inbox.replay(session, row.id, now=LATER)

    # then
    assert states(session) == [EventState.PENDING] * 5
    assert len(inbox.claim_events(session, owner="w", now=LATER)) == 5


# answers


def test_an_answer_counts_once_by_its_key(session: Session):
    # when
    body = {"state": "sent", "answer": {"名": "王"}}
    inbox.record_answer(session, "externalcontact/get", body, key="call:1:1", now=NOW, call_id=1)
    inbox.record_answer(session, "externalcontact/get", {"x": 1}, key="call:1:1", now=LATER)
    inbox.record_answer(session, "externalcontact/get", body, key="call:1:2", now=LATER)

    # then
    row, _ = rows(session)  # two of three
    assert (row.source, row.kind, row.caused_by_call) == ("answer", "answer.externalcontact/get", 1)
    assert row.payload == '{"state":"sent","answer":{"名":"王"}}'


# reads


def test_reads_tell_what_waits(session: Session, now: datetime):
    # given
    inbox.record(session, [arrival("a"), arrival("b", quarantined=True), arrival("c", received_at=LATER)])
    (first, *_) = inbox.claim_events(session, owner="w", now=NOW)
    inbox.mark_done(session, first, now=NOW)

    # then
    assert queries.count_by_state(session) == {"done": 1, "quarantined": 1, "pending": 1}
    assert queries.oldest_pending(session) == LATER
    assert [row.payload for row in queries.list_events(session, limit=2)] == ["c", "b"]
    last = queries.list_events(session, limit=2)[-1].id
    assert [row.payload for row in queries.list_events(session, before=last)] == ["a"]
    assert [row.payload for row in queries.list_events(session, state=EventState.QUARANTINED)] == ["b"]
    assert queries.list_events(session, kind="wecom.view") == []
