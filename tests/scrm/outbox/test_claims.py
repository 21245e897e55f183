"""Who makes which call: claims under a lease, and what becomes of those whose worker vanished."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from scrm.outbox import claims
from scrm.outbox.claims import LEASE, WELCOME_LEASE
from scrm.outbox.commands import DUPLICATE_CHECK
from scrm.outbox.models import CallState, Recovery
from scrm.outbox.service import Verdict
from tests.envelopes import NOW
from tests.scrm.outbox.factory import (
    attempts,
    claim,
    claimed,
    finish,
    mark,
    notice,
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


# pending → sending


def test_a_claim_writes_the_attempt_before_anything_is_sent(session: Session):
    # when
    row = claimed(session, remark())

    # then
    assert (row.state, row.attempts, row.lease_owner, row.available_at) == (S, 1, "w1", NOW + LEASE)
    (attempt,) = attempts(session)
    assert (attempt.outbox_id, attempt.n, attempt.started_at, attempt.finished_at) == (row.id, 1, NOW, None)


def test_welcomes_have_a_lane_of_claims_and_a_short_lease(session: Session):
    # given
    put(session, remark())
    put(session, welcome())

    # when / then
    (other,) = claim(session, welcome=False)
    (greeting,) = claim(session, welcome=True)
    assert (other.command_kind, other.available_at) == ("SetRemark", NOW + LEASE)
    assert (greeting.command_kind, greeting.available_at) == ("SendWelcome", NOW + WELCOME_LEASE)


def test_without_lanes_urgent_calls_go_first(session: Session):
    for command in (notice(), mark(), way(), welcome()):
        put(session, command)

    assert [row.command_kind for row in claim(session)] == [
        "SendWelcome",
        "AddContactWay",
        "MarkTags",
        "NotifyStaff",
    ]


def test_paused_apis_are_left_alone(session: Session):
    put(session, remark())
    put(session, notice())

    assert [row.api for row in claim(session, except_apis=["externalcontact/remark"])] == ["message/send"]


def test_calls_of_one_lane_go_one_after_another(session: Session):
    # given tags and remark of one pair, and of another
    put(session, mark("1"))
    put(session, remark("2"))
    put(session, remark("3", whom="wm2"))

    # when / then
    first, other = claim(session)
    assert (first.command_kind, other.command["external_userid"]) == ("MarkTags", "wm2")
    finish(session, first, Verdict.UNKNOWN)
    assert claim(session) == []  # what is unknown is settled before the next
    (again,) = claim(session, at=NOW + seconds(5))
    finish(session, again, Verdict.SENT, at=NOW + seconds(5))
    assert [row.command_kind for row in claim(session, at=NOW + seconds(5))] == ["SetRemark"]


def test_what_waits_for_a_person_does_not_hold_up_its_lane(session: Session):
    put_with(session, Recovery.OPERATOR)
    put(session, remark("next"))
    (row,) = claim(session)

    assert finish(session, row, Verdict.UNKNOWN).available_at is None

    assert [row.command["unique"] for row in claim(session)] == ["next"]


# the sweep


def test_a_lease_that_ran_out_in_mid_air_is_unknown_never_pending(session: Session):
    # given a worker that vanished
    claimed(session, remark())

    # when
    assert claims.sweep_expired_leases(session, now=NOW + LEASE - seconds(0.001)) == []
    (swept,) = claims.sweep_expired_leases(session, now=NOW + LEASE)

    # then
    (row,) = rows(session)
    assert swept.id == row.id
    assert (row.state, row.uncertain, row.attempts) == (U, True, 1)
    assert row.available_at is not None
    assert row.available_at > NOW + LEASE
    (attempt,) = attempts(session)
    assert (attempt.finished_at, attempt.error) == (NOW + LEASE, "发送进程中断，结果未知")


def test_an_expired_lease_is_not_claimed_before_it_was_swept(session: Session):
    claimed(session, remark())

    assert claim(session, at=NOW + timedelta(hours=1)) == []


@pytest.mark.parametrize("recovery", list(Recovery))
def test_no_call_is_sending_after_the_sweep(recovery: Recovery, session: Session):
    put_with(session, recovery)
    claim(session)

    claims.sweep_expired_leases(session, now=NOW + LEASE)

    (row,) = rows(session)
    assert row.state is U
    assert (row.available_at is None) is (recovery is Recovery.OPERATOR)


def test_a_restarted_process_sweeps_leases_that_still_run(session: Session):
    # given one leased call, one that waits
    claimed(session, remark("1"))
    put(session, remark("2", whom="wm2"))

    # when
    swept = claims.sweep_expired_leases(session, now=NOW + seconds(1), everyone=True)

    # then
    assert len(swept) == 1
    assert [row.state for row in rows(session)] == [U, P]


def test_the_sweep_takes_no_more_than_its_limit(session: Session):
    for number in range(5):
        put(session, remark(str(number), whom=f"wm{number}"))
    claim(session)

    assert len(claims.sweep_expired_leases(session, now=NOW + LEASE, limit=3)) == 3
    assert len(claims.sweep_expired_leases(session, now=NOW + LEASE, limit=3)) == 2
