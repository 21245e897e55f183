from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrm.channels import rules
from scrm.channels.rules import PoolMember
from scrm.errors import Refused
from scrm.outbox.commands import SendWelcome

TZ = ZoneInfo("Asia/Shanghai")
DAY_SHIFT = {"weekdays": [1, 2, 3, 4, 5], "from": "09:00", "to": "18:00", "staff": ["a", "b"]}
NIGHT_SHIFT = {"weekdays": [5], "from": "22:00", "to": "06:00", "staff": ["n"]}
OPEN_SHIFT = {"weekdays": [6, 7], "from": "10:00", "to": "24:00"}


def at(weekday: int, clock: str) -> datetime:
    """A local instant on that weekday (1 = Monday) of one week."""
    hours, minutes = map(int, clock.split(":"))
    return datetime(2026, 11, 22 + weekday, hours, minutes, tzinfo=TZ)


@pytest.mark.parametrize(
    ("schedule", "local", "expected"),
    [
        ([], at(1, "03:00"), None),
        ([DAY_SHIFT], at(1, "09:00"), {"a", "b"}),
        ([DAY_SHIFT], at(1, "08:59"), set()),
        ([DAY_SHIFT], at(1, "17:59"), {"a", "b"}),
        ([DAY_SHIFT], at(1, "18:00"), set()),
        ([DAY_SHIFT], at(6, "10:00"), set()),
        ([NIGHT_SHIFT], at(5, "21:59"), set()),
        ([NIGHT_SHIFT], at(5, "23:00"), {"n"}),
        ([NIGHT_SHIFT], at(6, "05:59"), {"n"}),
        ([NIGHT_SHIFT], at(6, "06:00"), set()),
        ([NIGHT_SHIFT], at(5, "05:00"), set()),
        ([{**NIGHT_SHIFT, "weekdays": [7]}], at(1, "01:00"), {"n"}),
        ([DAY_SHIFT, {**DAY_SHIFT, "staff": ["c"]}], at(2, "12:00"), {"a", "b", "c"}),
        ([DAY_SHIFT, OPEN_SHIFT], at(7, "23:59"), None),
        ([OPEN_SHIFT], at(1, "00:00"), set()),
        ([{"from": "00:00", "to": "00:00", "staff": ["x"]}], at(3, "15:00"), {"x"}),
        ([{"from": "09:00", "to": "18:00", "staff": []}], at(3, "15:00"), None),
    ],
)
def test_on_shift(schedule, local, expected):
    assert rules.on_shift(schedule, local) == expected


A, B = PoolMember("a"), PoolMember("b")
BACKUP = PoolMember("z", is_backup=True)


@pytest.mark.parametrize(
    ("staff", "schedule", "limit", "users", "reason"),
    [
        ([B, A], [], None, ["a", "b"], "shift"),
        ([A, B, BACKUP], [], None, ["a", "b"], "shift"),
        ([A, PoolMember("c")], [DAY_SHIFT], None, ["a"], "shift"),
        ([A, PoolMember("b", available=False)], [], None, ["a"], "shift"),
        ([PoolMember("a", taken_today=3), B], [], 3, ["b"], "shift"),
        ([PoolMember("a", taken_today=2), B], [], 3, ["a", "b"], "shift"),
        ([PoolMember("a", taken_today=3, daily_limit=5), B], [], 3, ["a", "b"], "shift"),
        ([PoolMember("a", taken_today=1, daily_limit=1), B], [], None, ["b"], "shift"),
        (
            [PoolMember("a", taken_today=3), PoolMember("z", is_backup=True, taken_today=9)],
            [],
            3,
            ["z"],
            "backup",
        ),
        ([PoolMember("c"), BACKUP], [DAY_SHIFT], None, ["z"], "backup"),
        ([PoolMember("a", taken_today=3), PoolMember("b", taken_today=4)], [], 3, ["a", "b"], "all_off"),
        (
            [PoolMember("c"), PoolMember("z", is_backup=True, available=False)],
            [DAY_SHIFT],
            None,
            ["c"],
            "all_off",
        ),
    ],
)
def test_pool(staff, schedule, limit, users, reason):
    assert rules.pool(staff, schedule, limit, at(1, "12:00")) == rules.Pool(users, reason)


def test_pool_without_anybody_available_is_refused():
    with pytest.raises(Refused) as caught:
        rules.pool([PoolMember("a", available=False)], [], None, at(1, "12:00"))
    assert caught.value.code == "channel_without_staff"


def test_pool_of_more_than_a_hundred_is_refused():
    with pytest.raises(Refused) as caught:
        rules.pool([PoolMember(f"u{n}") for n in range(101)], [], None, at(1, "12:00"))
    assert caught.value.code == "channel_too_many_staff"


def test_paused_pool_prefers_backups_and_is_never_empty():
    assert rules.paused_pool([A, B, BACKUP]) == rules.Pool(["z"], "backup")
    assert rules.paused_pool([A, B]) == rules.Pool(["a", "b"], "all_off")


members = st.lists(
    st.builds(
        PoolMember,
        userid=st.text("abcdefgh", min_size=1, max_size=3),
        is_backup=st.booleans(),
        available=st.booleans(),
        taken_today=st.integers(0, 5),
        daily_limit=st.none() | st.integers(1, 4),
    ),
    max_size=120,
    unique_by=lambda member: member.userid,
)
schedules = st.lists(
    st.fixed_dictionaries(
        {
            "from": st.sampled_from(["00:00", "09:00", "22:30"]),
            "to": st.sampled_from(["06:00", "18:00", "24:00"]),
        },
        optional={
            "weekdays": st.lists(st.integers(1, 7), min_size=1, unique=True),
            "staff": st.lists(st.text("abcdefgh", min_size=1, max_size=3), max_size=5),
        },
    ),
    max_size=4,
)


@given(members, schedules, st.none() | st.integers(1, 5), st.datetimes(timezones=st.just(TZ)))
def test_pool_is_never_empty_nor_over_a_hundred_nor_has_the_unavailable(staff, schedule, limit, local):
    available = {member.userid for member in staff if member.available}
    try:
        pool = rules.pool(staff, schedule, limit, local)
    except Refused:
        assert not available or len(available) > 100
    else:
        assert 1 <= len(pool.users) <= 100
        assert set(pool.users) <= available


def test_choose_welcome_takes_the_first_that_fits():
    night = {"from": "18:00", "to": "09:00", "text": "夜"}
    weekend = {
        "weekdays": [6, 7],
        "text": "周末",
        "attachments": [{"msgtype": "image", "image": {"media": "m"}}],
    }
    always = {"text": "平时"}
    welcomes = [weekend, night, always]
    assert rules.choose_welcome(welcomes, at(1, "12:00")) == rules.Welcome("平时", [])
    assert rules.choose_welcome(welcomes, at(1, "20:00")) == rules.Welcome("夜", [])
    assert rules.choose_welcome(welcomes, at(2, "08:59")) == rules.Welcome("夜", [])
    assert rules.choose_welcome(welcomes, at(7, "20:00")).text == "周末"
    assert rules.choose_welcome([night], at(1, "12:00")) is None
    assert rules.choose_welcome([], at(1, "12:00")) is None


def make_command(**changes) -> SendWelcome:
    values = {
        "welcome_code": "CODE",
        "userid": "u",
        "external_userid": "wm",
        "text": "您好 {customer}，我是{rep}",
    }
    return SendWelcome(**{**values, "rep_name": "李四", **changes})


def test_welcome_request_has_the_platforms_shapes():
    link = {"msgtype": "link", "link": {"title": "手册", "url": "https://a.example/x"}}
    program = {"title": "计算器", "pic_media": "f2", "appid": "wx1", "page": "/p"}
    command = make_command(
        attachments=[
            {"msgtype": "image", "image": {"media": "f1"}},
            link,
            {"msgtype": "miniprogram", "miniprogram": program},
            {"msgtype": "video", "video": {"media": "f3"}},
            {"msgtype": "file", "file": {"media": "f4"}},
            {"msgtype": "image", "image": {"pic_url": "https://wework.qpic.cn/0"}},
        ]
    )
    media = {"f1": "M1", "f2": "M2", "f3": "M3", "f4": "M4"}
    assert rules.build_welcome_request(command, customer="王五", media=media) == {
        "welcome_code": "CODE",
        "text": {"content": "您好 王五，我是李四"},
        "attachments": [
            {"msgtype": "image", "image": {"media_id": "M1"}},
            link,
            {
                "msgtype": "miniprogram",
                "miniprogram": {"title": "计算器", "appid": "wx1", "page": "/p", "pic_media_id": "M2"},
            },
            {"msgtype": "video", "video": {"media_id": "M3"}},
            {"msgtype": "file", "file": {"media_id": "M4"}},
            {"msgtype": "image", "image": {"pic_url": "https://wework.qpic.cn/0"}},
        ],
    }
    assert rules.media_of(command.attachments) == ["f1", "f2", "f3", "f4"]


def test_welcome_request_leaves_out_what_has_no_media_and_is_never_empty():
    command = make_command(text="", attachments=[{"msgtype": "image", "image": {"media": "f1"}}])
    assert rules.build_welcome_request(command, customer=None, media={}) == {
        "welcome_code": "CODE",
        "text": {"content": "您好"},
    }
    assert "text" not in rules.build_welcome_request(command, customer=None, media={"f1": "M"})


@given(st.text(max_size=3000), st.text(max_size=200) | st.none())
def test_welcome_text_is_cut_to_4000_bytes_at_a_character(text, customer):
    content = rules.build_welcome_request(make_command(text=text), customer=customer, media={})["text"][
        "content"
    ]
    assert 0 < len(content.encode()) <= 4000


def test_welcome_text_of_long_chinese_is_cut_between_characters():
    request = rules.build_welcome_request(make_command(text="欢" * 2000), customer="x", media={})
    assert request["text"]["content"] == "欢" * 1333
