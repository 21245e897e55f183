"""The welcome's way out: by name when the profile comes in time, never twice, never late, renewed media."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from bot.wechat.errors import NotSent, OutcomeUnknown, error_for
from bot.workers import special_calls
from bot.workers.special_calls import PROFILE_SECONDS
from scrm.channels.models import MediaFile
from scrm.db import Database
from scrm.ids import new_id
from scrm.outbox import claims
from scrm.outbox.claims import WELCOME_LEASE
from scrm.outbox.commands import SendWelcome
from scrm.outbox.models import CallState, OutboxCall
from tests.bot.workers.platform import PROFILE, WELCOME, CutAfter
from tests.bot.workers.stand import Stand, seconds
from tests.envelopes import NOW
from tests.scrm.outbox.factory import fetch, make_contact

BY_NAME = "{customer}您好，我是{rep}"
WITHOUT_NAME = "您好，我是小张"
DEADLINE = NOW + seconds(18)


@pytest.fixture
def stand(database: Database) -> Iterator[Stand]:
    made = Stand(database)
    yield made
    made.close()


def command(code: str = "CODE", *, text: str = BY_NAME, **changes: Any) -> SendWelcome:
    values = {"userid": "zhangsan", "external_userid": "wm1", "rep_name": "小张", **changes}
    return SendWelcome(welcome_code=code, text=text, **values)


def owe(stand: Stand, made: SendWelcome | None = None, **changes: Any) -> int:
    with stand.database.write() as session:
        contact_id = make_contact(session)
    return stand.owe(made or command(), **{"deadline": DEADLINE, "contact_id": contact_id, **changes})


def claim_welcome(stand: Stand) -> list[OutboxCall]:
    """The one that a sender takes up next."""
    with stand.database.write() as session:
        return claims.claim_calls(session, owner="w1", now=stand.clock(), limit=1, welcome=True)


def texts(stand: Stand) -> list[str]:
    return [seen.body["text"]["content"] for seen in stand.platform.calls(WELCOME)]


# the name


def test_the_customer_is_greeted_by_name(stand: Stand):
    # given
    stand.platform.profiles["wm1"] = {"name": "王五", "type": 1}
    call_id = owe(stand)

    # when
    stand.send()

    # then
    assert stand.call(call_id).state is CallState.SENT
    assert texts(stand) == ["王五您好，我是小张"]
    assert stand.timeline() == ["welcome.sent"]


def test_a_profile_read_on_the_way_is_kept_and_saves_the_reading_of_its_own(stand: Stand):
    # given a reading that was owed by then, and one owed for a change since
    call_id = owe(stand)
    contact_id = stand.call(call_id).contact_id
    before = stand.owe(fetch("add"), contact_id=contact_id, not_before=NOW + seconds(4))
    since = stand.owe(fetch("edit"), contact_id=contact_id, now=NOW + seconds(1), not_before=NOW + seconds(4))

    # when
    stand.send()

    # then
    (event,) = stand.events()
    assert (event.kind, event.lane, event.caused_by_call) == (
        "answer.externalcontact/get",
        "fetch:wm1",
        call_id,
    )
    assert '"name":"王五"' in (event.payload or "")
    assert stand.call(before).state is CallState.SKIPPED
    assert stand.call(since).state is CallState.PENDING


@pytest.mark.parametrize(
    "made",
    [command(text="您好"), command(customer_name="赵六")],
    ids=["names nobody", "name known already"],
)
def test_no_profile_is_read_for_nothing(made: SendWelcome, stand: Stand):
    owe(stand, made)

    stand.send()

    assert stand.platform.calls(PROFILE) == []
    assert texts(stand) == [{"您好": "您好"}.get(made.text, "赵六您好，我是小张")]
    assert stand.events() == []


@pytest.mark.parametrize(
    "error",
    [
        OutcomeUnknown(errmsg="timeout"),
        NotSent(errmsg="refused"),
        error_for(84061, "no"),
        error_for(45009, "no"),
    ],
)
def test_without_a_profile_the_wording_has_no_name(error: Any, stand: Stand):
    # given
    call_id = owe(stand)
    stand.platform.next(PROFILE, error)

    # when
    stand.send()

    # then
    assert stand.call(call_id).state is CallState.SENT
    assert texts(stand) == [WITHOUT_NAME]


def test_a_profile_slower_than_three_seconds_is_not_waited_for(stand: Stand):
    # given
    assert PROFILE_SECONDS == 3.0
    call_id = owe(stand)
    never = threading.Event()
    stand.platform.next(PROFILE, lambda: never.wait(30) and None)

    # when
    started = time.monotonic()
    stand.send()
    took = time.monotonic() - started
    never.set()

    # then
    assert 2.9 < took < 4.5
    assert stand.call(call_id).state is CallState.SENT
    assert texts(stand) == [WITHOUT_NAME]
    assert stand.events() == []


@pytest.mark.parametrize(("gone", "text"), [(9.9, "王五您好，我是小张"), (10.1, WITHOUT_NAME)])
def test_a_welcome_in_haste_does_not_ask_for_the_name(gone: float, text: str, stand: Stand):
    # given a welcome with about 8 s to go, as in a burst
    stand.platform.profiles["wm1"] = {"name": "王五", "type": 1}
    call_id = owe(stand)
    stand.clock.advance(gone)

    # when
    stand.send()

    # then
    assert stand.call(call_id).state is CallState.SENT
    assert texts(stand) == [text]
    assert len(stand.platform.calls(PROFILE)) == (text != WITHOUT_NAME)


@pytest.mark.parametrize(
    "name", ["{rep}", "{customer}", "%NICKNAME%", "{0.__class__}", "${7*7}", "{{config}}", "%(x)s"]
)
def test_a_name_that_looks_like_a_template_is_only_a_name(name: str, stand: Stand):
    stand.platform.profiles["wm1"] = {"name": name, "type": 1}
    owe(stand)

    stand.send()

    assert texts(stand) == [f"{name}您好，我是小张"]


# once


def test_a_welcome_whose_answer_was_cut_off_counts_as_sent_when_the_platform_says_so(stand: Stand):
    # given it arrived, but nobody told us
    call_id = owe(stand)
    stand.platform.next(WELCOME, CutAfter())
    stand.send()
    assert stand.call(call_id).state is CallState.UNKNOWN

    # when
    stand.wait_for(call_id)
    stand.send()

    # then
    call = stand.call(call_id)
    assert (call.state, call.errcode) == (CallState.SENT, 41051)
    assert (call.reason or "").startswith("presumed_sent")
    assert stand.platform.effects == {"welcome:CODE": 1}
    assert stand.timeline() == ["welcome.sent"]


def test_a_code_somebody_else_used_is_a_failure_not_a_success(stand: Stand):
    # given another app of the corp, or a chat that has begun
    call_id = owe(stand)
    stand.platform.effects["welcome:CODE"] = 1

    # when
    stand.send()

    # then
    call = stand.call(call_id)
    assert (call.state, call.errcode) == (CallState.FAILED, 41051)
    assert stand.timeline() == ["welcome.failed"]
    assert stand.send() == 0


def test_a_welcome_that_never_left_is_sent_again_within_its_time(stand: Stand):
    # given
    call_id = owe(stand)
    stand.platform.next(WELCOME, OutcomeUnknown(errmsg="reset"), NotSent(errmsg="refused"))

    # when
    for _ in range(3):
        stand.send()
        if stand.call(call_id).state is not CallState.SENT:
            stand.wait_for(call_id)

    # then
    assert stand.call(call_id).state is CallState.SENT
    assert stand.platform.effects == {"welcome:CODE": 1}
    assert stand.clock() < NOW + seconds(5)


def test_two_codes_of_one_scan_greet_once(stand: Stand):
    # given the half-add and the add each with a code
    first, second = owe(stand, command("HALF")), owe(stand, command("FULL"))

    # when
    stand.send()
    stand.send()

    # then
    assert stand.call(first).state is CallState.SENT
    call = stand.call(second)
    assert (call.state, call.reason) == (CallState.SKIPPED, "同一位客户刚刚已收到欢迎语")
    assert stand.platform.effects == {"welcome:HALF": 1}


def test_the_second_code_greets_when_the_first_did_not(stand: Stand):
    first, second = owe(stand, command("HALF")), owe(stand, command("FULL"))
    stand.platform.next(WELCOME, error_for(40058, "bad"))

    stand.send()
    stand.send()

    assert stand.call(first).state is CallState.FAILED
    assert stand.call(second).state is CallState.SENT
    assert stand.platform.effects == {"welcome:FULL": 1}


def test_a_worker_that_died_after_sending_does_not_greet_twice(stand: Stand):
    # given
    call_id = owe(stand)
    (row,) = stand.claim()
    stand.sender.attempt(row)  # and dies before it recorded the outcome

    # when
    stand.clock.advance(WELCOME_LEASE.total_seconds() + 10)
    stand.sweep()
    while stand.call(call_id).state is CallState.UNKNOWN:
        stand.wait_for(call_id)
        stand.send()

    # then
    assert stand.call(call_id).state is CallState.SENT
    assert stand.platform.effects == {"welcome:CODE": 1}


# never late


@pytest.mark.parametrize(
    ("after", "state", "sent"),
    [
        (0, CallState.SENT, 1),
        (17.999, CallState.SENT, 1),
        (18, CallState.EXPIRED, 0),
        (3600, CallState.EXPIRED, 0),
    ],
)
def test_a_welcome_older_than_18_seconds_is_never_sent(
    after: float, state: CallState, sent: int, stand: Stand
):
    # given
    call_id = owe(stand, command(text="您好"))
    stand.clock.advance(after)

    # when
    stand.send()

    # then: not even asked
    assert stand.call(call_id).state is state
    assert len(stand.platform.seen) == sent
    assert stand.timeline() == [f"welcome.{state.value}"]


def test_a_welcome_that_became_late_while_the_profile_was_read_is_not_sent(stand: Stand):
    # given
    call_id = owe(stand)
    stand.platform.next(PROFILE, lambda: stand.clock.advance(18))

    # when
    stand.send()

    # then what was read is kept all the same
    assert stand.call(call_id).state is CallState.EXPIRED
    assert stand.platform.calls(WELCOME) == []
    assert [event.kind for event in stand.events()] == ["answer.externalcontact/get"]
    assert [state.in_flight for state in stand.gate.snapshot()] == [0, 0]


def test_a_welcome_refused_for_now_until_its_end_is_expired(stand: Stand):
    # given a platform that cannot be reached
    call_id = owe(stand, command(text="您好"))
    stand.platform.next(WELCOME, *[NotSent(errmsg="refused")] * 40)

    # when
    while stand.call(call_id).state is CallState.PENDING:
        stand.send()
        if stand.call(call_id).state is CallState.PENDING:
            stand.wait_for(call_id)

    # then
    assert stand.call(call_id).state is CallState.EXPIRED
    assert stand.clock() == DEADLINE
    assert stand.platform.effects == {}


@pytest.mark.parametrize(("arrived", "state"), [(True, CallState.SENT), (False, CallState.EXPIRED)])
def test_a_welcome_in_doubt_past_its_end_is_settled_by_its_dead_code(
    arrived: bool, state: CallState, stand: Stand
):
    # given an answer that was lost, and nothing but lost answers until the code is dead
    call_id = owe(stand, command(text="您好"))
    stand.platform.codes["CODE"] = NOW
    stand.platform.next(WELCOME, CutAfter() if arrived else OutcomeUnknown(errmsg="reset"))
    stand.send()
    stand.clock.now = DEADLINE + seconds(1)

    # when
    stand.send()
    assert len(stand.platform.calls(WELCOME)) == 1  # nobody is greeted in doubt after the deadline
    stand.wait_for(call_id)
    assert stand.clock() > NOW + seconds(20)
    stand.send()

    # then
    assert stand.call(call_id).state is state
    assert stand.platform.effects == ({"welcome:CODE": 1} if arrived else {})


# more than can be greeted


def test_of_more_welcomes_than_can_be_sent_in_time_the_freshest_are_sent(stand: Stand):
    # given a sender that needs 6 s a welcome, and a scan every 3 s for a minute: half of them can be greeted
    sent, owed = 0, []
    worker = stand.outbox_worker(welcome=True)

    for number in range(20):
        at = stand.clock()
        greeting = command(f"CODE{number}", text="您好", external_userid=f"wm{number}")
        owed.append(owe(stand, greeting, deadline=at + seconds(18)))
        stand.clock.advance(3)
        if number % 2:
            continue
        (row,) = claim_welcome(stand)
        worker.perform(row)
        sent += stand.call(row.id).state is CallState.SENT
    worker.close()

    assert sent == 10


# attachments


def make_media(stand: Stand, *, media_id: str | None = "OLD") -> str:
    file_id = new_id()
    with stand.database.write() as session:
        session.add(
            MediaFile(
                id=file_id,
                kind="image",
                filename="a.png",
                sha256="0" * 64,
                size=9,
                content=b"\x89PNG\r\n\x1a\nx",
                media_id=media_id,
                uploaded_at=NOW if media_id else None,
                created_at=NOW,
            )
        )
    return file_id


def picture(file_id: str) -> list[dict[str, Any]]:
    return [{"msgtype": "image", "image": {"media": file_id}}]


def test_a_media_id_that_died_is_renewed_and_the_welcome_sent_in_time(stand: Stand):
    # given the platform forgot the file early (40007)
    file_id = make_media(stand)
    stand.platform.dead_media = {"OLD"}
    call_id = owe(stand, command(text="您好", attachments=picture(file_id)))

    # when
    stand.send()
    assert stand.call(call_id).state is CallState.PENDING
    stand.send()

    # then
    assert stand.call(call_id).state is CallState.SENT
    assert [seen.api for seen in stand.platform.seen] == [WELCOME, "media/upload", WELCOME]
    assert stand.platform.seen[-1].body["attachments"] == [
        {"msgtype": "image", "image": {"media_id": "MEDIA-1"}}
    ]
    with stand.database.read() as session:
        assert session.scalar(select(MediaFile.media_id)) == "MEDIA-1"


def test_a_media_file_that_cannot_be_renewed_does_not_stop_the_welcome_for_ever(stand: Stand):
    # given
    file_id = make_media(stand)
    stand.platform.dead_media = {"OLD"}
    stand.platform.next("media/upload", *[error_for(45001, "too large")] * 20)
    call_id = owe(stand, command(text="您好", attachments=picture(file_id)))

    # when
    for _ in range(20):
        stand.send()

    # then it ends, with the platform's reason
    call = stand.call(call_id)
    assert (call.state, call.errcode) == (CallState.FAILED, 40007)
    assert len(stand.platform.calls(WELCOME)) <= 8


def test_a_file_deleted_meanwhile_does_not_crash_the_renewal(stand: Stand):
    # given a file that is deleted between the reading of its id and its renewal
    file_id = make_media(stand)
    stand.platform.dead_media = {"OLD"}
    call_id = owe(stand, command(text="您好", attachments=picture(file_id)))

    def delete() -> None:
        with stand.database.write() as session:
            session.delete(session.get_one(MediaFile, file_id))

    stand.platform.next(WELCOME, delete)

    # when
    stand.send()
    stand.send()

    # then a greeting without its picture beats none
    call = stand.call(call_id)
    assert (call.state, call.uncertain) == (CallState.SENT, False)
    assert "attachments" not in stand.platform.seen[-1].body


@pytest.mark.parametrize("media_id", [None, "OLD"], ids=["not uploaded", "file unknown"])
def test_a_picture_that_is_not_ready_is_left_out_and_said(media_id: str | None, stand: Stand):
    # given
    file_id = make_media(stand, media_id=None) if media_id is None else "01UNKNOWN"
    call_id = owe(stand, command(text="您好", attachments=picture(file_id)))

    # when
    stand.send()

    # then
    call = stand.call(call_id)
    assert (call.state, call.reason) == (CallState.SENT, "1 个附件的素材尚未就绪，未随欢迎语发送")
    assert "attachments" not in stand.platform.seen[0].body


def test_whether_a_picture_is_still_good_is_asked_of_the_product_s_clock(stand: Stand):
    # given a media id that is dead by our clock, whatever the machine's says
    file_id = make_media(stand)
    stand.clock.advance(timedelta(days=4000).total_seconds())
    with stand.database.write() as session:
        session.get_one(MediaFile, file_id).uploaded_at = stand.clock.now - timedelta(days=4)
    greeting = command(text="您好", attachments=picture(file_id))
    call_id = owe(stand, greeting, deadline=stand.clock() + seconds(18))

    # when
    stand.send()

    # then
    assert stand.call(call_id).reason == "1 个附件的素材尚未就绪，未随欢迎语发送"
    assert "attachments" not in stand.platform.seen[0].body


def test_a_database_away_while_a_welcome_is_prepared_leaves_it_to_be_sent(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
):
    """Nothing left us, so nobody has to wonder whether the customer was greeted."""
    call_id = owe(stand)
    away = OperationalError("SELECT", {}, Exception("server closed the connection"))
    with monkeypatch.context() as broken:
        broken.setattr(special_calls.outbox, "greeted_lately", Mock(side_effect=away))
        stand.send()
    assert stand.call(call_id).state is CallState.PENDING
    assert texts(stand) == []

    stand.clock.now += seconds(2)
    stand.send()

    assert stand.call(call_id).state is CallState.SENT
    assert len(texts(stand)) == 1
