"""While the outbox is paused nothing is claimed; afterwards nothing that may have been made is plainly repeated."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.errors import Conflict
from scrm.inbox import service as inbox
from scrm.inbox.service import Arrival
from scrm.outbox import claims, pause
from scrm.outbox import service as outbox
from scrm.outbox.models import CallState, OutboxCall, Recovery
from tests.envelopes import NOW
from tests.scrm.outbox.factory import fetch, mark, notice, remark, way, welcome

SOON = NOW + timedelta(minutes=1)


def row_of(session: Session, unique: str) -> OutboxCall:
    """The call whose effect key ends so."""
    return session.scalars(
        select(OutboxCall)
        .where(OutboxCall.effect_key.endswith(unique))
        .execution_options(populate_existing=True)
    ).one()


def hold(session: Session) -> None:
    pause.pause(session, "测试", actor="tests", now=NOW)


def claim(session: Session) -> list[str]:
    return [row.api for row in claims.claim_calls(session, owner="me", now=SOON, limit=99)]


def test_nothing_is_claimed_until_resumed(session: Session) -> None:
    outbox.enqueue(session, mark(), now=NOW)
    hold(session)
    assert claim(session) == []

    assert pause.resume(session) == 0

    assert claim(session) == ["externalcontact/mark_tag"]
    assert not pause.is_paused(session)


def test_no_worker_gives_way_to_a_welcome_that_is_held_back(session: Session) -> None:
    outbox.enqueue(session, welcome(), now=NOW)
    assert claims.welcomes_wait(session, now=SOON)

    hold(session)

    assert not claims.welcomes_wait(session, now=SOON)


def test_no_worker_gives_way_to_welcomes_that_nobody_sent_in_time(session: Session) -> None:
    outbox.enqueue(session, welcome(), now=NOW, deadline=SOON)

    assert claims.welcomes_wait(session, now=SOON - timedelta(milliseconds=1))
    assert not claims.welcomes_wait(session, now=SOON)


def test_what_was_owed_becomes_unknown_and_reads_stay_as_they_are(session: Session) -> None:
    for command in (mark("m"), notice("n"), way("w"), fetch("f")):
        outbox.enqueue(session, command, now=NOW)
    outbox.enqueue(session, remark("o"), now=NOW)
    row_of(session, "o").recovery = Recovery.OPERATOR
    session.flush()

    assert pause.doubt_owed(session) == 4

    assert row_of(session, ":f").state is CallState.PENDING
    for unique in ("m", "n", "w", "o"):
        row = row_of(session, unique)
        assert (row.state, row.uncertain) == (CallState.UNKNOWN, True)
    assert row_of(session, "o").available_at is None  # only a person can tell
    assert row_of(session, "w").available_at is not None  # it is looked up
    assert row_of(session, "n").repeat_until == NOW  # no new window is opened for it


def test_what_old_events_owe_anew_is_doubted_and_what_new_ones_owe_is_not(session: Session) -> None:
    inbox.record(session, [Arrival(source="t", kind="old", payload="<a/>", received_at=NOW)])
    hold(session)
    outbox.enqueue(session, notice("again"), now=SOON, caused_by=1)
    outbox.enqueue(session, notice("new"), now=SOON, caused_by=2)
    outbox.enqueue(session, notice("person"), now=SOON)

    assert pause.resume(session) == 1

    assert row_of(session, "again").state is CallState.UNKNOWN
    assert row_of(session, "again").repeat_until == NOW
    assert row_of(session, "new").state is CallState.PENDING
    assert row_of(session, "person").state is CallState.PENDING


def test_a_restore_that_was_cut_off_cannot_be_resumed(session: Session) -> None:
    hold(session)
    value = {"reason": "从备份恢复", "last_event": None}
    session.execute(pause.Setting.__table__.update().values(value=value))
    session.expire_all()

    with pytest.raises(Conflict, match="restore_unfinished"):
        pause.resume(session)

    assert pause.is_paused(session)


def test_waiting_calls_are_dropped_for_good(session: Session) -> None:
    outbox.enqueue(session, mark("m"), now=NOW)
    outbox.enqueue(session, notice("n"), now=NOW)
    hold(session)
    pause.doubt_owed(session)

    assert pause.drop(session, "放弃", apis=["message/send"], now=SOON) == 1
    assert row_of(session, "n").state is CallState.SKIPPED
    assert row_of(session, "n").reason == "放弃"
    assert row_of(session, "m").state is CallState.UNKNOWN
    assert pause.drop(session, "放弃", now=SOON) == 1

    pause.resume(session)
    assert claim(session) == []


@pytest.mark.parametrize("decide", [pause.resume, lambda session: pause.drop(session, "x", now=NOW)])
def test_without_a_pause_there_is_nothing_to_decide(session: Session, decide: object) -> None:
    outbox.enqueue(session, mark("m"), now=NOW)

    with pytest.raises(Conflict, match="outbox_not_paused"):
        decide(session)

    assert row_of(session, "m").state is CallState.PENDING


def test_the_summary_counts_by_api_and_age(session: Session) -> None:
    outbox.enqueue(session, welcome("A"), now=NOW, deadline=NOW + timedelta(seconds=18))
    outbox.enqueue(session, notice("1"), now=NOW)
    hold(session)
    pause.doubt_owed(session)
    outbox.enqueue(session, notice("2"), now=SOON)

    notices, welcomes = pause.list_waiting(session, now=SOON)

    assert (notices.api, notices.count, notices.dead, notices.doubtful) == ("message/send", 2, 0, 1)
    assert (notices.oldest, notices.newest) == (NOW, SOON)
    assert (welcomes.count, welcomes.dead, welcomes.doubtful) == (1, 1, 0)
