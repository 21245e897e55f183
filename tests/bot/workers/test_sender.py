"""What each error of the client does to an owed call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from bot.wechat.errors import CredentialsRefused, NotSent, OutcomeUnknown, WeChatError, error_for
from bot.workers.limits import Policy
from bot.workers.sender import GIVE_UP_AFTER
from scrm.db import Database
from scrm.outbox import service as outbox
from scrm.outbox.claims import LEASE
from scrm.outbox.commands import Command, DeleteCorpTags
from scrm.outbox.models import CallState, Recovery
from tests.bot.workers.platform import ADD_WAY, NOTICE, REMARK, WELCOME, CutAfter
from tests.bot.workers.stand import Stand, seconds
from tests.envelopes import NOW
from tests.scrm.outbox.factory import fetch, mark, notice, remark, way, welcome

P, U, SENT, FAILED = CallState.PENDING, CallState.UNKNOWN, CallState.SENT, CallState.FAILED
EXPIRED = CallState.EXPIRED
DELETE = DeleteCorpTags(tag_ids=["et1"])


@pytest.fixture
def stand(database: Database) -> Iterator[Stand]:
    made = Stand(database)
    yield made
    made.close()


def test_a_call_that_succeeds_is_sent(stand: Stand):
    # given
    call_id = stand.owe(remark())

    # when
    assert stand.send() == 1

    # then
    call = stand.call(call_id)
    assert (call.state, call.errcode, call.attempts, call.done_at) == (SENT, 0, 1, NOW)
    (seen,) = stand.platform.seen
    assert (seen.api, seen.secret) == (REMARK, "contact")
    assert seen.body == {"userid": "zhangsan", "external_userid": "wm1", "remark": "王总"}
    (attempt,) = stand.attempts()
    assert (attempt.errcode, attempt.http_status, attempt.bytes_sent) == (0, 200, True)


def test_requests_are_raw_utf8(stand: Stand):
    stand.owe(remark())
    stand.send()

    # some APIs refuse escaped characters with 40033
    assert "王总".encode() in (stand.platform.seen[0].raw or b"")


def test_reads_are_queries(stand: Stand):
    stand.owe(fetch())
    stand.send()

    (seen,) = stand.platform.seen
    assert (seen.api, seen.raw, seen.body) == ("externalcontact/get", None, {"external_userid": "wm1"})


@pytest.mark.parametrize(
    ("command", "secret"), [(notice(), "app"), (remark(), "contact"), (fetch(), "contact")]
)
def test_each_call_uses_its_secret(command: Command, secret: str, stand: Stand):
    stand.owe(command)
    stand.send()

    assert stand.platform.seen[0].secret == secret


@dataclass(frozen=True)
class Case:
    """An error at the n-th attempt, and what the row is then; ``wait`` in seconds, None for any."""

    error: WeChatError
    state: CallState
    attempts: int
    wait: float | None = None
    command: Command | None = None
    before: int = 0
    uncertain: bool = False


def code(number: int) -> WeChatError:
    return error_for(number, "refused")


CASES = {
    "not sent": Case(NotSent(errmsg="refused"), P, 0, 0.5),
    "not sent, a read": Case(NotSent(errmsg="refused"), P, 0, 0.5, fetch()),
    "no answer": Case(OutcomeUnknown(errmsg="timeout"), U, 1, uncertain=True),
    "no answer, a read": Case(OutcomeUnknown(errmsg="timeout"), P, 1, None, fetch()),
    "busy (-1)": Case(code(-1), U, 1, uncertain=True),
    "busy (-1), a read": Case(code(-1), P, 1, None, fetch()),
    "quota (45009)": Case(code(45009), P, 0, 60),
    "quota (45009), last attempt": Case(code(45009), P, 7, 60, None, before=7),
    "token (40014)": Case(code(40014), P, 1),
    "token expired (42001)": Case(code(42001), P, 1),
    "secret (40001)": Case(code(40001), P, 1),
    "credentials": Case(CredentialsRefused(40013, "corp"), P, 1),
    "token, last attempt": Case(code(40014), FAILED, 8, before=7),
    "concurrency (45033)": Case(code(45033), P, 1, 0.5),
    "contact busy (45035)": Case(code(45035), P, 1, 1),
    "contact busy, last attempt": Case(code(45035), FAILED, 8, before=7),
    "unknown code, first": Case(code(999_999), P, 1, 30),
    "unknown code, second": Case(code(999_999), P, 2, 30, None, before=1),
    "unknown code, third": Case(code(999_999), FAILED, 3, before=2),
    "bad parameter (40058)": Case(code(40058), FAILED, 1),
    "admin must act (60020)": Case(code(60020), FAILED, 1),
    "no relation (84061)": Case(code(84061), FAILED, 1, None, mark()),
    "tag gone (40068), marking": Case(code(40068), FAILED, 1, None, mark()),
    "tag gone (40068), deleting": Case(code(40068), SENT, 1, None, DELETE),
    "welcome: not sent": Case(NotSent(errmsg="refused"), P, 0, 1, welcome()),
    "welcome: no answer": Case(OutcomeUnknown(errmsg="timeout"), U, 1, None, welcome(), uncertain=True),
    "welcome: other app sends (41096)": Case(code(41096), P, 1, 1, welcome()),
    "welcome: other app sends, second": Case(code(41096), FAILED, 2, None, welcome(), before=1),
    "welcome: unknown code": Case(code(999_999), P, 1, 1, welcome()),
    "welcome: used (41051)": Case(code(41051), FAILED, 1, None, welcome()),
    "welcome: too old (41050)": Case(code(41050), EXPIRED, 1, None, welcome()),
    "notice: no answer": Case(OutcomeUnknown(errmsg="timeout"), U, 1, None, notice(), uncertain=True),
    "notice: nobody (81013)": Case(code(81013), FAILED, 1, None, notice()),
    "way: no answer": Case(OutcomeUnknown(errmsg="timeout"), U, 1, None, way(), uncertain=True),
    "way: limit (41045)": Case(code(41045), FAILED, 1, None, way()),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_an_error_becomes_a_state(case: Case, stand: Stand):
    # given
    command = case.command or remark()
    call_id = stand.owe(command, deadline=NOW + seconds(18) if command == welcome() else None)
    stand.change(call_id, attempts=case.before)
    stand.platform.next(command.api, case.error)

    # when
    stand.send()

    # then
    call = stand.call(call_id)
    assert (call.state, call.attempts, call.uncertain) == (case.state, case.attempts, case.uncertain)
    assert call.errcode == case.error.errcode
    assert call.reason
    if case.wait is not None:
        assert call.available_at == NOW + seconds(case.wait)
    if case.state in (P, U):
        assert call.available_at is not None
        assert call.available_at > NOW
    else:
        assert call.done_at == NOW
    assert len(stand.platform.seen) == 1


def test_the_reason_is_for_people_and_names_the_code(stand: Stand):
    call_id = stand.owe(mark())
    stand.platform.next("externalcontact/mark_tag", code(84061))

    stand.send()

    assert stand.call(call_id).reason == "客户与该成员不是好友关系（84061）"


# unreachable


@pytest.mark.parametrize(
    ("age", "wait"),
    [(0, 0.5), (60, 15), (3600, 300), (GIVE_UP_AFTER.total_seconds(), 300)],
)
def test_an_unreachable_platform_is_asked_ever_less_often(age: float, wait: float, stand: Stand):
    # given
    call_id = stand.owe(remark())
    stand.clock.advance(age)
    stand.platform.next(REMARK, NotSent(errmsg="refused"))

    # when
    stand.send()

    # then
    call = stand.call(call_id)
    assert (call.state, call.attempts) == (P, 0)
    assert call.available_at == stand.clock() + seconds(wait)


def test_a_platform_unreachable_for_a_day_fails_the_call(stand: Stand):
    call_id = stand.owe(remark())
    stand.clock.advance(GIVE_UP_AFTER.total_seconds() + 1)
    stand.platform.next(REMARK, NotSent(errmsg="refused"))

    stand.send()

    assert stand.call(call_id).state is FAILED


# repeats


def test_a_repeated_notice_is_identical_to_the_byte_and_arrives_once(stand: Stand):
    # given an answer that was cut off after the notice had gone out
    call_id = stand.owe(notice())
    stand.platform.next(NOTICE, CutAfter())
    stand.send()
    assert stand.call(call_id).state is U

    # when
    stand.wait_for(call_id)
    stand.send()

    # then
    first, second = stand.platform.calls(NOTICE)
    assert first.raw == second.raw
    assert stand.call(call_id).state is SENT
    assert sum(stand.platform.effects.values()) == 1


def test_a_notice_that_nobody_could_repeat_in_time_is_for_a_person(stand: Stand):
    # given an unknown outcome, and a process that is away until the platform no longer drops repeats
    call_id = stand.owe(notice())
    stand.platform.next(NOTICE, CutAfter())
    stand.send()
    stand.clock.advance(31 * 60)

    # when
    stand.send()

    # then it is not sent again, and a person sees it
    call = stand.call(call_id)
    assert (call.state, call.available_at, call.uncertain) == (U, None, True)
    assert len(stand.platform.calls(NOTICE)) == 1
    assert stand.send() == 0


def test_a_notice_never_tried_is_sent_however_late(stand: Stand):
    # given a process that was away for an hour before the first attempt
    call_id = stand.owe(notice())
    stand.clock.advance(3600)

    stand.send()

    assert stand.call(call_id).state is SENT


def test_a_person_may_repeat_a_notice_outside_its_window(stand: Stand):
    # given
    call_id = stand.owe(notice())
    stand.platform.next(NOTICE, CutAfter())
    stand.send()
    stand.clock.advance(31 * 60)
    stand.send()

    # when
    with stand.database.write() as session:
        outbox.retry(session, call_id, now=stand.clock())
    stand.send()

    # then
    assert stand.call(call_id).state is SENT
    assert len(stand.platform.calls(NOTICE)) == 2


def test_a_notice_refused_for_now_just_before_its_window_ends_is_sent(stand: Stand):
    # given a definite no (not an unknown outcome): the window has no say
    call_id = stand.owe(notice())
    stand.platform.next(NOTICE, code(45035))
    stand.send()
    stand.clock.advance(3600)

    stand.send()

    assert stand.call(call_id).state is SENT


def test_a_contact_way_is_looked_up_before_it_is_made_again(stand: Stand):
    # given a way that was made though its answer never came
    call_id = stand.owe(way())
    stand.platform.next(ADD_WAY, CutAfter())
    stand.send()

    # when
    stand.wait_for(call_id)
    stand.send()

    # then it is adopted, and there is one
    assert stand.call(call_id).state is SENT
    assert len(stand.platform.calls(ADD_WAY)) == 1
    assert stand.platform.effects == {"way:ch_1": 1}
    (event,) = stand.events()
    assert '"config_id":"cfg-1"' in (event.payload or "")


def test_a_contact_way_proved_absent_is_made(stand: Stand):
    call_id = stand.owe(way())
    stand.platform.ways["cfg-other"] = "ch_other"
    stand.platform.next(ADD_WAY, OutcomeUnknown(errmsg="reset"))
    stand.send()
    stand.wait_for(call_id)

    stand.send()

    assert stand.call(call_id).state is SENT
    assert stand.platform.effects == {"way:ch_1": 1}


def test_a_contact_way_that_cannot_be_looked_up_is_not_made_again(stand: Stand):
    # given
    call_id = stand.owe(way())
    stand.platform.next(ADD_WAY, CutAfter())
    stand.send()
    stand.platform.next("externalcontact/list_contact_way", OutcomeUnknown(errmsg="timeout"))
    stand.wait_for(call_id)

    # when
    stand.send()

    # then
    assert (stand.call(call_id).state, stand.call(call_id).uncertain) == (U, True)
    assert stand.platform.effects == {"way:ch_1": 1}
    assert len(stand.platform.calls(ADD_WAY)) == 1


def test_only_a_person_repeats_an_operators_call(stand: Stand):
    # given
    call_id = stand.owe(remark())
    stand.change(call_id, recovery=Recovery.OPERATOR)
    stand.platform.next(REMARK, CutAfter())
    stand.send()

    # when a year passes
    stand.clock.advance(365 * 86400)

    # then
    assert stand.send() == 0
    assert (stand.call(call_id).state, stand.call(call_id).available_at) == (U, None)
    assert len(stand.platform.seen) == 1


# crashes


def test_a_sender_that_crashes_leaves_an_unknown_call_and_goes_on(stand: Stand):
    # given a bug while the call is made: nobody knows how far it came
    call_id = stand.owe(remark())

    def bug() -> Any:
        raise ZeroDivisionError("a bug")

    stand.platform.next(REMARK, bug)

    # when
    stand.send()

    # then
    call = stand.call(call_id)
    assert (call.state, call.uncertain, call.reason) == (U, True, "ZeroDivisionError: a bug")
    stand.wait_for(call_id)
    stand.send()
    assert stand.call(call_id).state is SENT


def test_welcomes_that_crash_the_sender_do_not_use_up_the_places(database: Database):
    # given more welcomes that cannot be rendered than the gate has places for
    stand = Stand(database, Policy(concurrency=2))
    for number in range(3):
        call_id = stand.owe(welcome(f"BAD-{number}", whom=f"wm-bad-{number}"))
        command = stand.call(call_id).command
        stand.change(call_id, command={**command, "attachments": [{"msgtype": "image"}]})
    stand.send()

    # when
    good = stand.owe(welcome("GOOD"))
    stand.send()
    stand.close()

    # then
    assert stand.call(good).state is SENT
    assert [state.in_flight for state in stand.gate.snapshot()] == [0]


def test_a_slow_sender_that_lost_its_lease_records_nothing(stand: Stand):
    # given a call whose worker hangs until somebody swept it
    call_id = stand.owe(remark())
    (row,) = stand.claim()

    def hang() -> None:
        stand.clock.advance(LEASE.total_seconds())
        assert stand.sweep() == 1

    stand.platform.next(REMARK, hang)

    # when
    stand.worker.perform(row)

    # then
    call = stand.call(call_id)
    assert (call.state, call.uncertain, call.reason) == (U, True, "发送进程中断，结果未知")


# the gate


def test_what_the_gate_refuses_is_not_sent_and_not_counted(database: Database):
    # given room for one call a minute
    stand = Stand(database, Policy(per_minute=1, use=1.0, reserved=0.0))
    first, second = stand.owe(remark("1")), stand.owe(remark("2", whom="wm2"))

    # when
    stand.send()
    stand.close()

    # then
    assert stand.call(first).state is SENT
    call = stand.call(second)
    assert (call.state, call.attempts, call.reason) == (P, 0, "限流：quota")
    assert call.available_at is not None
    assert call.available_at > NOW
    assert len(stand.platform.seen) == 1


def test_a_spent_quota_pauses_the_whole_api(stand: Stand):
    # given
    first, second = stand.owe(remark("1")), stand.owe(remark("2", whom="wm2"))
    other = stand.owe(mark("3", whom="wm3"))
    stand.platform.next(REMARK, code(45009))

    # when
    stand.send()

    # then the second of that API is not even tried; others are
    assert [stand.call(call_id).attempts for call_id in (first, second)] == [0, 0]
    assert stand.call(other).state is SENT
    assert len(stand.platform.calls(REMARK)) == 1
    stand.clock.advance(61)
    stand.send()
    assert [stand.call(call_id).state for call_id in (first, second)] == [SENT, SENT]


def test_a_dead_platform_opens_the_circuit_and_costs_no_attempts(stand: Stand):
    # given
    for number in range(10):
        stand.owe(remark(str(number), whom=f"wm{number}"))
    stand.platform.next(REMARK, *[NotSent(errmsg="refused")] * 10)

    # when
    stand.send()

    # then the platform was spared after five failures
    assert len(stand.platform.calls(REMARK)) == Policy().failures
    assert {call.attempts for call in stand.calls()} == {0}


# the lane of threads


def test_step_claims_no_more_than_senders_are_idle(stand: Stand):
    # given three calls, two senders
    worker = stand.outbox_worker(threads=2)
    for number in range(3):
        stand.owe(remark(str(number), whom=f"wm{number}"))

    # when
    claimed = [worker.step()]
    while sum(claimed) < 3:
        claimed.append(worker.step())
    worker.close()

    # then
    assert claimed[0] == 2
    assert sum(claimed) == 3
    assert {call.state for call in stand.calls()} == {SENT}


def test_the_welcome_worker_sends_welcomes_only(stand: Stand):
    # given
    other, greeting = stand.owe(remark()), stand.owe(welcome(), deadline=NOW + seconds(18))
    worker = stand.outbox_worker(welcome=True, threads=2)

    # when
    assert worker.step() == 1
    worker.close()

    # then
    assert stand.call(greeting).state is SENT
    assert stand.call(other).state is P
    assert [seen.api for seen in stand.platform.seen] == [WELCOME]


def test_a_read_that_failed_comes_back_as_an_event(stand: Stand):
    stand.owe(fetch())
    stand.platform.next("externalcontact/get", code(84061))

    stand.send()

    (event,) = stand.events()
    assert event.kind == "answer.externalcontact/get"
    assert '"errcode":84061' in (event.payload or "")


def test_an_answer_is_dated_by_its_question(stand: Stand):
    # given an answer that takes four seconds
    stand.owe(fetch())
    stand.platform.next("externalcontact/get", lambda: stand.clock.advance(4))

    # when
    stand.send()

    # then what happened meanwhile is newer than what the answer says
    (event,) = stand.events()
    assert (event.sent_at, event.received_at) == (NOW, NOW + timedelta(seconds=4))
