from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, select

from scrm.accounts.models import Staff
from scrm.channels import codes
from scrm.channels import service as channels
from scrm.channels.models import Scan
from scrm.channels.spec import ChannelSpec
from scrm.outbox.models import CallState
from tests.scrm.channels.factory import calls, code_of, make_channel, make_contact, make_staff

TZ = ZoneInfo("Asia/Shanghai")
UPDATE = "externalcontact/update_contact_way"
DAY = {"from": "09:00", "to": "18:00", "staff": ["zhangsan"]}
NIGHT = {"from": "18:00", "to": "09:00", "staff": ["lisi"]}
EVENING = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # Monday 18:00 in Shanghai


def scan(session, channel, userid, at, n):
    staff = session.scalars(select(Staff).where(Staff.userid == userid)).one()
    contact = make_contact(session, now=at)
    row = {"channel_id": channel.id, "contact_id": contact.id, "staff_id": staff.id, "at": at, "is_new": True}
    session.add(Scan(**row, effect_key=f"scan:{n}"))
    session.flush()


def test_the_list_follows_the_shift_and_is_asked_for_once(session, now):
    channel = make_channel(session, now=now, schedule=[DAY, NIGHT])
    code = code_of(session, channel)
    assert code.wanted == ["zhangsan"]
    assert channels.keep_codes_right(session, now=now, tz=TZ) == 0
    assert channels.keep_codes_right(session, now=EVENING, tz=TZ) == 1
    assert channels.keep_codes_right(session, now=EVENING + timedelta(minutes=1), tz=TZ) == 0
    [call] = calls(session, UPDATE)
    assert (call.command["users"], call.command["config_id"], call.lane) == (
        ["lisi"],
        code.config_id,
        f"way:{code.state}",
    )
    assert (code.wanted, code.users) == (["lisi"], ["zhangsan"])
    assert channels.keep_codes_right(session, now=EVENING + timedelta(hours=15), tz=TZ) == 1
    assert [one.command["users"] for one in calls(session, UPDATE)] == [["lisi"], ["zhangsan"]]


def test_the_limit_of_the_local_day_brings_the_backup_and_midnight_the_reps(session, now):
    channel = make_channel(session, now=now, staff=["zhangsan"], backup_staff=["boss"], daily_limit=2)
    code = code_of(session, channel)
    scan(session, channel, "zhangsan", datetime(2026, 11, 22, 15, 59, tzinfo=UTC), 0)  # yesterday, local
    scan(session, channel, "zhangsan", datetime(2026, 11, 22, 16, 1, tzinfo=UTC), 1)
    assert channels.keep_codes_right(session, now=now, tz=TZ) == 0
    scan(session, channel, "zhangsan", now, 2)
    assert channels.keep_codes_right(session, now=now, tz=TZ) == 1
    assert (code.wanted, code.pool_reason) == (["boss"], "backup")
    midnight = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
    assert channels.keep_codes_right(session, now=midnight, tz=TZ) == 1
    assert (code.wanted, code.pool_reason) == (["zhangsan"], "shift")


def test_leave_and_departure_change_the_list(session, now):
    channel = make_channel(session, now=now)
    code = code_of(session, channel)
    lisi = session.scalars(select(Staff).where(Staff.userid == "lisi")).one()
    lisi.on_leave = True
    assert channels.keep_codes_right(session, now=now, tz=TZ) == 1
    assert code.wanted == ["zhangsan"]
    session.scalars(select(Staff).where(Staff.userid == "zhangsan")).one().serves = False
    assert channels.keep_codes_right(session, now=now, tz=TZ) == 0
    assert (code.wanted, code.error) == (["zhangsan"], codes.NO_STAFF)
    lisi.on_leave = False
    assert channels.keep_codes_right(session, now=now, tz=TZ) == 1
    assert (code.wanted, code.error) == (["lisi"], None)


def test_paused_channels_are_kept_right_too(session, now):
    channel = make_channel(session, now=now)
    channels.pause_channel(session, channel.id, actor="a", now=now)
    session.scalars(select(Staff).where(Staff.userid == "lisi")).one().on_leave = True
    assert channels.keep_codes_right(session, now=now, tz=TZ) == 1
    assert code_of(session, channel).wanted == ["zhangsan"]


def test_a_code_not_created_yet_is_left_alone(session, now):
    make_staff(session, "zhangsan", now=now)
    spec = ChannelSpec(name="展会", staff=["zhangsan"])
    channel = channels.create_channel(session, spec, actor="a", now=now)
    channels.update_channel(session, channel.id, {"backup_staff": []}, actor="a", now=now)
    assert channels.keep_codes_right(session, now=EVENING, tz=TZ) == 0
    assert calls(session, UPDATE) == []


def test_the_number_of_queries_does_not_grow_with_the_channels(session, now):
    def queries_for(count):
        for _ in range(count):
            n = len(calls(session))
            make_channel(session, now=now, name=f"渠道{n}", schedule=[DAY, NIGHT])
        session.flush()
        statements = []
        connection = session.connection()
        listen = lambda *args: statements.append(args[2])  # noqa: E731
        event.listen(connection, "before_cursor_execute", listen)
        channels.keep_codes_right(session, now=now, tz=TZ)
        event.remove(connection, "before_cursor_execute", listen)
        return len(statements)

    assert queries_for(1) == queries_for(20)


def test_one_run_owes_at_most_its_limit_and_the_next_goes_on(session, now):
    for n in range(5):
        make_channel(session, now=now, name=f"渠道{n}", schedule=[DAY, NIGHT])
    assert channels.keep_codes_right(session, now=EVENING, tz=TZ, limit=2) == 2
    assert channels.keep_codes_right(session, now=EVENING, tz=TZ, limit=2) == 2
    assert channels.keep_codes_right(session, now=EVENING, tz=TZ, limit=2) == 1
    assert channels.keep_codes_right(session, now=EVENING, tz=TZ, limit=2) == 0
    assert len(calls(session, UPDATE)) == 5


def test_more_channels_than_one_round_of_queries(session, now, monkeypatch):
    monkeypatch.setattr(codes, "CHUNK", 2)
    for n in range(5):
        make_channel(session, now=now, name=f"渠道{n}", schedule=[DAY, NIGHT])
    assert channels.keep_codes_right(session, now=EVENING, tz=TZ) == 5


def test_created_way_is_applied_once_and_late_failures_do_not_undo_it(session, now):
    make_staff(session, "zhangsan", now=now)
    channel = channels.create_channel(session, ChannelSpec(name="x", staff=["zhangsan"]), actor="a", now=now)
    code = code_of(session, channel)
    command = calls(session)[0].command
    channels.on_way_created(session, command, "unknown", None, None, "超时", now=now)
    assert code.error == "创建渠道码失败：结果未知，请在「调用」中核对后重试"
    answer = {"errcode": 0, "config_id": "cfg1", "qr_code": "https://qr.example/1"}
    for _ in range(2):
        channels.on_way_created(session, command, "sent", 0, answer, None, now=now)
        assert (code.config_id, code.qr_url, code.users, code.error) == (
            "cfg1",
            "https://qr.example/1",
            ["zhangsan"],
            None,
        )
    channels.on_way_created(session, command, "failed", 41054, None, "late", now=now)
    assert (code.config_id, code.error) == ("cfg1", None)


def test_a_creation_without_config_id_is_an_error(session, now):
    make_staff(session, "zhangsan", now=now)
    channel = channels.create_channel(session, ChannelSpec(name="x", staff=["zhangsan"]), actor="a", now=now)
    channels.on_way_created(session, calls(session)[0].command, "sent", 0, {"errcode": 0}, None, now=now)
    assert code_of(session, channel).config_id is None
    assert "没有返回" in code_of(session, channel).error


@pytest.mark.parametrize("answered", [channels.on_way_created, channels.on_way_updated])
def test_answers_for_unknown_states_change_nothing(session, now, answered):
    command = {"state": "ch_old", "users": [], "config_id": "c"}
    answered(session, command, "sent", 0, {"config_id": "c"}, None, now=now)
    assert calls(session) == []


def evening_update(session, channel):
    channels.keep_codes_right(session, now=EVENING, tz=TZ)
    return calls(session, UPDATE)[-1]


def test_an_update_that_was_taken_is_what_the_platform_has(session, now):
    channel = make_channel(session, now=now, schedule=[DAY, NIGHT])
    call = evening_update(session, channel)
    call.state = CallState.SENT
    channels.on_way_updated(session, call.command, "sent", 0, {}, None, now=EVENING)
    code = code_of(session, channel)
    assert (code.users, code.wanted, code.error) == (["lisi"], ["lisi"], None)


def test_a_refused_list_is_asked_for_again_after_an_hour(session, now):
    channel = make_channel(session, now=now, schedule=[DAY, NIGHT])
    call = evening_update(session, channel)
    call.state = CallState.FAILED
    channels.on_way_updated(session, call.command, "failed", 40098, None, "成员尚未实名认证", now=EVENING)
    code = code_of(session, channel)
    assert code.error == "更新接待成员失败：成员尚未实名认证（错误码 40098）。可在「调用」中重试"
    assert channels.keep_codes_right(session, now=EVENING + timedelta(minutes=59), tz=TZ) == 0
    assert channels.keep_codes_right(session, now=EVENING + timedelta(minutes=60), tz=TZ) == 1
    assert channels.keep_codes_right(session, now=EVENING + timedelta(minutes=61), tz=TZ) == 0


def test_a_way_deleted_on_the_platform_is_told_and_not_asked_for_again(session, now):
    channel = make_channel(session, now=now, schedule=[DAY, NIGHT])
    call = evening_update(session, channel)
    channels.on_way_updated(session, call.command, "sent", 41044, None, "不存在", now=EVENING)
    assert code_of(session, channel).error == codes.GONE
    assert channels.keep_codes_right(session, now=EVENING + timedelta(days=1), tz=TZ) == 0


def test_an_old_update_repeated_by_hand_is_corrected_by_the_job(session, now):
    channel = make_channel(session, now=now, schedule=[DAY, NIGHT])
    first = evening_update(session, channel)
    code = code_of(session, channel)
    channels.on_way_updated(session, first.command, "sent", 0, {}, None, now=EVENING)
    first.state = CallState.SENT
    stale = {**first.command, "users": ["zhangsan"]}
    channels.on_way_updated(session, stale, "sent", 0, {}, None, now=EVENING)
    assert code.wanted == ["zhangsan"]
    assert channels.keep_codes_right(session, now=EVENING + timedelta(minutes=1), tz=TZ) == 1


def test_the_answer_of_an_overtaken_update_does_not_ask_twice(session, now):
    channel = make_channel(session, now=now, schedule=[DAY, NIGHT])
    first = evening_update(session, channel)
    morning = EVENING + timedelta(hours=15)
    assert channels.keep_codes_right(session, now=morning, tz=TZ) == 1
    first.state = CallState.SENT
    channels.on_way_updated(session, first.command, "sent", 0, {}, None, now=morning)
    code = code_of(session, channel)
    assert (code.users, code.wanted) == (["lisi"], ["zhangsan"])
    assert channels.keep_codes_right(session, now=morning, tz=TZ) == 0
