from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from scrm.accounts.models import StaffStatus
from scrm.channels import service as channels
from scrm.channels.media import store_media
from scrm.channels.models import Channel, ChannelState
from scrm.channels.spec import ChannelSpec
from scrm.errors import Conflict, Invalid, NotFound, Refused
from scrm.outbox.models import CallState
from tests.scrm.channels.factory import calls, code_of, make_channel, make_staff, make_tag

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 32
ADD, UPDATE, UPLOAD = "externalcontact/add_contact_way", "externalcontact/update_contact_way", "media/upload"
NIGHT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)  # Monday 22:00 in Shanghai


def details_of(session, channel):
    return channels.describe(session, [channel])[channel.id]


def test_create_makes_all_rows_and_owes_the_code(session, now):
    make_staff(session, "zhangsan", "lisi", "boss", now=now)
    make_tag(session, "展会")
    make_tag(session, "华东", group="区域")
    picture = store_media(session, kind="image", filename="a.png", content=PNG, now=now)
    spec = ChannelSpec(
        name=" 上海物流展 2026 ",
        staff=["zhangsan", "lisi"],
        tags=["展会", "区域/华东"],
        welcome={
            "text": "{customer}您好",
            "attachments": [{"msgtype": "image", "image": {"media": picture.id}}],
        },
        schedule=[{"weekdays": [1], "from": "09:00", "to": "18:00", "staff": ["lisi"]}],
        daily_limit=30,
        backup_staff=["boss"],
        weights={"lisi": 3},
        daily_limits={"zhangsan": 5},
        cost_fen=120_000,
        remark_template="{customer}-展会",
    )
    channel = channels.create_channel(session, spec, actor="token:ann", now=now)

    code, details = code_of(session, channel), details_of(session, channel)
    assert (channel.name, channel.state, channel.created_by) == (
        "上海物流展 2026",
        ChannelState.ACTIVE,
        "token:ann",
    )
    assert channel.welcomes == [spec.welcome]
    assert (details.staff, details.backup_staff) == (["lisi", "zhangsan"], ["boss"])
    assert [(one.userid, one.weight, one.daily_limit) for one in details.members] == [
        ("boss", 1, None),
        ("lisi", 3, None),
        ("zhangsan", 1, 5),
    ]
    assert {(tag.group, tag.name) for tag in details.tags} == {("来源", "展会"), ("区域", "华东")}
    assert code.state.startswith("ch_")
    assert len(code.state) <= 30
    assert code.state.isascii()
    assert (code.config_id, code.users, code.wanted, code.pool_reason) == (None, [], ["lisi"], "shift")
    [call] = calls(session, ADD)
    assert call.command["state"] == code.state
    assert call.command["users"] == ["lisi"]
    assert call.command["channel_id"] == channel.id
    assert channels.find_by_state(session, code.state) is channel


def test_create_at_night_takes_the_backup(session, now):
    make_staff(session, "zhangsan", "boss", now=now)
    shift = {"from": "09:00", "to": "18:00"}
    spec = ChannelSpec(name="官网", staff=["zhangsan"], backup_staff=["boss"], schedule=[shift])
    channel = channels.create_channel(session, spec, actor="system", now=NIGHT)
    assert (code_of(session, channel).wanted, code_of(session, channel).pool_reason) == (["boss"], "backup")


def test_refused_creation_names_every_field_and_owes_nothing(session, now):
    make_staff(session, "zhangsan", now=now)
    make_staff(session, "gone", now=now, status=StaffStatus.LEFT)
    make_tag(session, "同名", group="甲")
    make_tag(session, "同名", group="乙")
    make_tag(session, "旧", deleted_at=now)
    attachment = {"msgtype": "image", "image": {"media": "nothing"}}
    spec = ChannelSpec(
        name="展会",
        staff=["zhangsan", "nobody", "gone"],
        tags=["同名", "旧", "没有"],
        welcomes=[{"text": "您好"}, {"attachments": [attachment]}],
        backup_staff=["ghost"],
    )
    with pytest.raises(Invalid) as caught:
        channels.create_channel(session, spec, actor="system", now=now)
    assert set(caught.value.fields) == {
        "staff[1]",
        "staff[2]",
        "backup_staff[0]",
        "tags[0]",
        "tags[1]",
        "tags[2]",
        "welcomes[1].attachments[0].image.media",
    }
    assert calls(session) == []
    assert session.scalar(select(func.count()).select_from(Channel)) == 0


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "a\x00"}, "name"),
        ({"staff": []}, "staff"),
        ({"staff": "zhangsan"}, "staff"),
        ({"staff": ["zhangsan", "zhangsan"]}, "staff[1]"),
        ({"staff": [f"u{n}" for n in range(101)]}, "staff"),
        ({"backup_staff": ["zhangsan"]}, "backup_staff[0]"),
        ({"schedule": [{"from": "09:00", "to": "18:00", "staff": ["x"]}]}, "schedule[0].staff[0]"),
        ({"weights": {"x": 1}}, "weights.x"),
        ({"weights": {"zhangsan": -1}}, "weights.zhangsan"),
        ({"weights": [1]}, "weights"),
        ({"daily_limits": {"zhangsan": 0}}, "daily_limits.zhangsan"),
        ({"daily_limit": 0}, "daily_limit"),
        ({"cost_fen": -5}, "cost_fen"),
        ({"welcome": {"text": "a"}, "welcomes": []}, "welcome"),
        ({"remark_template": "x" * 65}, "remark_template"),
        ({"skip_verify": "yes"}, "skip_verify"),
        ({"tags": None}, "tags"),
    ],
)
def test_unsound_specs_are_refused_and_owe_nothing(session, now, changes, path):
    make_staff(session, "zhangsan", now=now)
    spec = ChannelSpec(**{"name": "展会", "staff": ["zhangsan"], **changes})
    with pytest.raises(Invalid) as caught:
        channels.create_channel(session, spec, actor="system", now=now)
    assert path in caught.value.fields
    assert calls(session) == []


def test_a_taken_name_is_a_conflict_and_owes_nothing(session, now):
    make_channel(session, now=now)
    owed = len(calls(session))
    with pytest.raises(Conflict) as caught:
        channels.create_channel(
            session, ChannelSpec(name="展会", staff=["zhangsan"]), actor="system", now=now
        )
    assert caught.value.fields == {"name": "名称已被使用"}
    assert len(calls(session)) == owed


def test_a_channel_nobody_could_serve_is_refused(session, now):
    make_staff(session, "zhangsan", now=now, on_leave=True)
    with pytest.raises(Refused) as caught:
        channels.create_channel(
            session, ChannelSpec(name="展会", staff=["zhangsan"]), actor="system", now=now
        )
    assert caught.value.code == "channel_without_staff"
    assert calls(session) == []


def test_update_of_the_pool_owes_an_update_and_keeps_the_state(session, now):
    channel = make_channel(session, now=now, weights={"lisi": 2, "zhangsan": 3}, tags=[])
    make_staff(session, "wangwu", now=now)
    state = code_of(session, channel).state
    later = now + timedelta(minutes=1)
    channels.update_channel(session, channel.id, {"staff": ["lisi", "wangwu"]}, actor="token:bob", now=later)
    details = details_of(session, channel)
    assert [(one.userid, one.weight) for one in details.members] == [("lisi", 2), ("wangwu", 1)]
    assert (channel.updated_at, channel.updated_by) == (later, "token:bob")
    [call] = calls(session, UPDATE)
    assert (call.command["state"], call.command["users"]) == (state, ["lisi", "wangwu"])
    assert code_of(session, channel).wanted == ["lisi", "wangwu"]


def test_update_of_other_fields_owes_nothing(session, now):
    channel = make_channel(session, now=now)
    tag = make_tag(session, "官网")
    changes = {
        "name": "新名",
        "cost_fen": 5,
        "welcome": {"text": "晚上好"},
        "tags": ["官网"],
        "remark_template": "{customer}",
    }
    before = len(calls(session))
    channels.update_channel(session, channel.id, changes, actor="a", now=now)
    assert (channel.name, channel.cost_fen, channel.welcomes) == ("新名", 5, [{"text": "晚上好"}])
    assert [one.id for one in details_of(session, channel).tags] == [tag.id]
    assert len(calls(session)) == before
    channels.update_channel(session, channel.id, {"welcomes": []}, actor="a", now=now)
    assert channel.welcomes == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"colour": "red"}, "colour"),
        ({"state": "x"}, "state"),
        ({"skip_verify": False}, "skip_verify"),
        ({"staff": ["lisi"]}, "schedule[0].staff[0]"),
        ({"staff": None}, "staff"),
        ({"tags": ["没有"]}, "tags[0]"),
        ({"welcome": {"text": ""}}, "welcome.text"),
    ],
)
def test_refused_updates_change_and_owe_nothing(session, now, changes, path):
    shift = {"from": "00:00", "to": "24:00", "staff": ["zhangsan"]}
    channel = make_channel(session, now=now, schedule=[shift])
    before = len(calls(session))
    with pytest.raises(Invalid) as caught:
        channels.update_channel(session, channel.id, changes, actor="a", now=now)
    assert path in caught.value.fields
    assert len(calls(session)) == before
    assert details_of(session, channel).staff == ["lisi", "zhangsan"]


def test_update_of_a_member_who_left_elsewhere_does_not_block_other_changes(session, now):
    channel = make_channel(session, now=now)
    [left] = make_staff(session, "wangwu", now=now)
    channels.update_channel(session, channel.id, {"backup_staff": ["wangwu"]}, actor="a", now=now)
    left.status = StaffStatus.LEFT
    channels.update_channel(session, channel.id, {"cost_fen": 7}, actor="a", now=now)
    assert channel.cost_fen == 7


def test_update_to_a_taken_name_is_a_conflict(session, now):
    make_channel(session, now=now)
    other = make_channel(session, now=now, name="官网")
    with pytest.raises(Conflict):
        channels.update_channel(session, other.id, {"name": "展会"}, actor="a", now=now)
    assert channels.update_channel(session, other.id, {"name": "官网"}, actor="a", now=now).name == "官网"


def test_unknown_channels_are_not_found(session, now):
    for change in (
        lambda: channels.get_channel(session, "x"),
        lambda: channels.update_channel(session, "x", {}, actor="a", now=now),
        lambda: channels.pause_channel(session, "x", actor="a", now=now),
    ):
        with pytest.raises(NotFound):
            change()
    assert channels.find_by_state(session, "wb:1:abc") is None
    assert channels.find_by_state(session, None) is None
    assert channels.find_by_state(session, "") is None


def test_editing_a_channel_whose_creation_failed_tries_anew_under_a_fresh_state(session, now):
    make_staff(session, "zhangsan", "lisi", now=now)
    channel = channels.create_channel(
        session, ChannelSpec(name="展会", staff=["zhangsan"]), actor="a", now=now
    )
    code = code_of(session, channel)
    first = code.state
    channels.update_channel(session, channel.id, {"staff": ["lisi"]}, actor="a", now=now)
    assert len(calls(session)) == 1  # the first creation is still on its way

    [call] = calls(session, ADD)
    call.state, call.available_at = CallState.FAILED, None
    channels.on_way_created(session, call.command, "failed", 40098, None, "成员尚未实名认证", now=now)
    assert code.error == "创建渠道码失败：成员尚未实名认证（错误码 40098）。可在「调用」中重试"
    channels.update_channel(session, channel.id, {"staff": ["lisi"]}, actor="a", now=now)
    assert code.state != first
    assert code.error is None
    assert [(one.command["state"], one.command["users"]) for one in calls(session, ADD)] == [
        (first, ["zhangsan"]),
        (code.state, ["lisi"]),
    ]


def test_pause_hands_the_code_to_the_backups_and_resume_gives_it_back(session, now):
    channel = make_channel(session, now=now, backup_staff=["boss"])
    code = code_of(session, channel)
    channels.pause_channel(session, channel.id, actor="a", now=now)
    assert (channel.state, code.wanted, code.pool_reason) == (ChannelState.PAUSED, ["boss"], "backup")
    channels.pause_channel(session, channel.id, actor="a", now=now)
    assert [call.command["users"] for call in calls(session, UPDATE)] == [["boss"]]
    channels.resume_channel(session, channel.id, actor="a", now=now + timedelta(seconds=1))
    assert (channel.state, code.wanted) == (ChannelState.ACTIVE, ["lisi", "zhangsan"])
    assert [call.command["users"] for call in calls(session, UPDATE)] == [["boss"], ["lisi", "zhangsan"]]


def test_pause_without_a_backup_leaves_the_code_working(session, now):
    channel = make_channel(session, now=now)
    channels.pause_channel(session, channel.id, actor="a", now=now)
    assert code_of(session, channel).wanted == ["lisi", "zhangsan"]
    assert calls(session, UPDATE) == []


def test_list_pages_through_all_newest_first(session, now):
    made = [make_channel(session, now=now, name=f"渠道{n}").id for n in range(5)]
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page, cursor = channels.list_channels(session, cursor=cursor, limit=2)
        found += [channel.id for channel in page]
        pages += 1
    assert found == sorted(made, reverse=True)
    assert pages == 3


def test_default_welcome_is_kept_replaced_and_checked(session, now):
    assert channels.get_default_welcomes(session) == []
    channels.set_default_welcome(session, {"text": "您好"}, actor="a", now=now)
    assert channels.get_default_welcomes(session) == [{"text": "您好"}]
    by_time = [{"text": "夜", "from": "18:00", "to": "09:00"}, {"text": "日"}]
    channels.set_default_welcome(session, {"welcomes": by_time}, actor="a", now=now)
    assert channels.get_default_welcomes(session) == by_time
    for spec, path in (
        ({"text": ""}, "welcome.text"),
        ({"welcomes": [{"text": 1}]}, "welcomes[0].text"),
        ({"welcomes": [], "text": "x"}, "text"),
        (
            {"attachments": [{"msgtype": "file", "file": {"media": "no"}}]},
            "welcome.attachments[0].file.media",
        ),
    ):
        with pytest.raises(Invalid) as caught:
            channels.set_default_welcome(session, spec, actor="a", now=now)
        assert path in caught.value.fields
    assert channels.get_default_welcomes(session) == by_time


def test_a_media_file_of_the_wrong_kind_is_refused(session, now):
    make_staff(session, "zhangsan", now=now)
    stored = store_media(session, kind="file", filename="a.pdf", content=PNG, now=now)
    welcome = {"attachments": [{"msgtype": "image", "image": {"media": stored.id}}]}
    with pytest.raises(Invalid) as caught:
        channels.create_channel(
            session, ChannelSpec(name="x", staff=["zhangsan"], welcome=welcome), actor="a", now=now
        )
    assert list(caught.value.fields) == ["welcome.attachments[0].image.media"]
    assert calls(session, ADD) == []


def test_shifts_follow_a_renamed_member(session, now):
    shift = {"from": "00:00", "to": "24:00", "staff": ["zhangsan", "lisi"]}
    channel = make_channel(session, now=now, schedule=[{"from": "00:00", "to": "01:00"}, shift])
    assert channels.rename_in_schedules(session, "zhangsan", "zhang.san") == 1
    assert channel.schedule[1]["staff"] == ["zhang.san", "lisi"]
    assert channels.rename_in_schedules(session, "zhangsan", "x") == 0
