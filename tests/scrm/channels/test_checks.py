from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrm.channels import checks
from scrm.errors import Invalid

LINK = {"msgtype": "link", "link": {"title": "手册", "url": "https://a.example/x"}}
IMAGE = {"msgtype": "image", "image": {"media": "f1"}}


def link(**changes):
    return {"msgtype": "link", "link": {**LINK["link"], **changes}}


@pytest.mark.parametrize(
    "welcome",
    [
        {"text": "您好"},
        {"text": "您好\r\n{customer}\n\t{rep}"},
        {"attachments": [IMAGE]},
        {"text": "", "attachments": [LINK] * 9, "weekdays": [1], "from": "09:00", "to": "24:00"},
        {"text": "汉" * 1333, "attachments": None},
        {"text": "x", "attachments": [link(picurl="http://a.example/p.png", desc="d")]},
        {
            "text": "x",
            "attachments": [{"msgtype": "image", "image": {"pic_url": "https://wework.qpic.cn/0"}}],
        },
        {
            "text": "x",
            "attachments": [
                {"msgtype": "video", "video": {"media": "v"}},
                {"msgtype": "file", "file": {"media": "f"}},
                {
                    "msgtype": "miniprogram",
                    "miniprogram": {"title": "t", "pic_media": "p", "appid": "wx", "page": "/"},
                },
            ],
        },
    ],
)
def test_sound_welcomes_pass(welcome):
    assert checks.welcome_problems(welcome, "welcome") == {}


@pytest.mark.parametrize(
    ("welcome", "path"),
    [
        (None, "welcome"),
        ("您好", "welcome"),
        ({}, "welcome.text"),
        ({"text": "  "}, "welcome.text"),
        ({"text": 5}, "welcome.text"),
        ({"text": "汉" * 1334}, "welcome.text"),
        ({"text": "a\x00b"}, "welcome.text"),
        ({"text": "\ud800"}, "welcome.text"),
        ({"text": "x", "titel": "y"}, "welcome.titel"),
        ({"text": "x", "attachments": {}}, "welcome.attachments"),
        ({"text": "x", "attachments": [LINK] * 10}, "welcome.attachments"),
        ({"text": "x", "attachments": ["link"]}, "welcome.attachments[0]"),
        ({"text": "x", "attachments": [{"msgtype": "voice"}]}, "welcome.attachments[0].msgtype"),
        ({"text": "x", "attachments": [{"msgtype": []}]}, "welcome.attachments[0].msgtype"),
        ({"text": "x", "attachments": [{"msgtype": "link"}]}, "welcome.attachments[0].link"),
        ({"text": "x", "attachments": [{**LINK, "image": {}}]}, "welcome.attachments[0].image"),
        (
            {"text": "x", "attachments": [LINK, LINK, link(url="javascript:alert(1)")]},
            "welcome.attachments[2].link.url",
        ),
        ({"text": "x", "attachments": [link(url="ftp://a.example/")]}, "welcome.attachments[0].link.url"),
        ({"text": "x", "attachments": [link(url="https://")]}, "welcome.attachments[0].link.url"),
        ({"text": "x", "attachments": [link(url="https://a b.example")]}, "welcome.attachments[0].link.url"),
        ({"text": "x", "attachments": [link(url="https://a.example\n")]}, "welcome.attachments[0].link.url"),
        (
            {"text": "x", "attachments": [link(url="https://u:p@a.example/")]},
            "welcome.attachments[0].link.url",
        ),
        ({"text": "x", "attachments": [link(url="https://[::1")]}, "welcome.attachments[0].link.url"),
        ({"text": "x", "attachments": [link(url=None)]}, "welcome.attachments[0].link.url"),
        (
            {"text": "x", "attachments": [link(url="https://a.example/" + "x" * 2048)]},
            "welcome.attachments[0].link.url",
        ),
        ({"text": "x", "attachments": [link(picurl="/p.png")]}, "welcome.attachments[0].link.picurl"),
        ({"text": "x", "attachments": [link(title="t" * 129)]}, "welcome.attachments[0].link.title"),
        ({"text": "x", "attachments": [link(title=" ")]}, "welcome.attachments[0].link.title"),
        ({"text": "x", "attachments": [link(desc="d" * 513)]}, "welcome.attachments[0].link.desc"),
        ({"text": "x", "attachments": [link(colour="red")]}, "welcome.attachments[0].link.colour"),
        (
            {"text": "x", "attachments": [{"msgtype": "image", "image": {}}]},
            "welcome.attachments[0].image.media",
        ),
        (
            {"text": "x", "attachments": [{"msgtype": "image", "image": {"media_id": "M"}}]},
            "welcome.attachments[0].image.media_id",
        ),
        (
            {"text": "x", "attachments": [{"msgtype": "file", "file": {}}]},
            "welcome.attachments[0].file.media",
        ),
        ({"text": "x", "weekdays": [0]}, "welcome.weekdays"),
        ({"text": "x", "from": "09:00"}, "welcome.to"),
    ],
)
def test_unsound_welcomes_are_named_by_path(welcome, path):
    with pytest.raises(Invalid) as caught:
        checks.check_welcome(welcome)
    assert path in caught.value.fields


SHIFT = {"weekdays": [1], "from": "09:00", "to": "18:00"}


@pytest.mark.parametrize(
    ("schedule", "path"),
    [
        ({}, "schedule"),
        ([SHIFT] * 101, "schedule"),
        ([None], "schedule[0]"),
        ([SHIFT, {**SHIFT, "weekdays": [8]}], "schedule[1].weekdays"),
        ([{**SHIFT, "weekdays": []}], "schedule[0].weekdays"),
        ([{**SHIFT, "weekdays": [True]}], "schedule[0].weekdays"),
        ([{**SHIFT, "weekdays": [1, 1]}], "schedule[0].weekdays"),
        ([{**SHIFT, "from": "9:00"}], "schedule[0].from"),
        ([{**SHIFT, "from": "24:00"}], "schedule[0].from"),
        ([{**SHIFT, "to": "25:00"}], "schedule[0].to"),
        ([{**SHIFT, "to": 18}], "schedule[0].to"),
        ([{"weekdays": [1]}], "schedule[0].from"),
        ([{**SHIFT, "staff": "zhangsan"}], "schedule[0].staff"),
        ([{**SHIFT, "until": "x"}], "schedule[0].until"),
    ],
)
def test_unsound_schedules_are_named_by_path(schedule, path):
    with pytest.raises(Invalid) as caught:
        checks.check_schedule(schedule)
    assert path in caught.value.fields


def test_sound_schedules_pass():
    checks.check_schedule([])
    checks.check_schedule([SHIFT, {"from": "22:00", "to": "06:00", "staff": ["a"]}])
    assert checks.schedule_problems([{**SHIFT, "to": "24:00"}]) == {}


@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True, 10**9])
def test_a_daily_limit_is_a_whole_number_from_one(value):
    with pytest.raises(Invalid) as caught:
        checks.check_daily_limit(value)
    assert list(caught.value.fields) == ["daily_limit"]


@pytest.mark.parametrize("value", [-1, 0.5, "3", None, False, 2**31])
def test_a_cost_is_whole_fen_from_zero(value):
    with pytest.raises(Invalid) as caught:
        checks.check_cost_fen(value)
    assert list(caught.value.fields) == ["cost_fen"]


def test_sound_numbers_pass():
    checks.check_daily_limit(None)
    checks.check_daily_limit(1)
    assert checks.cost_problems(0) == {}


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["msgtype", "link", "image", "url", "text", "from", "weekdays"]), inner
        )
    ),
    max_leaves=12,
)


@given(json)
def test_any_json_is_judged_without_an_accident(value):
    for problems in (
        checks.welcomes_problems(value),
        checks.welcome_problems(value, "welcome"),
        checks.welcome_problems({"text": "x", "attachments": value}, "welcome"),
        checks.schedule_problems(value),
        checks.list_problems(value, "staff", at_most=3),
    ):
        assert all(isinstance(text, str) and text for text in problems.values())
