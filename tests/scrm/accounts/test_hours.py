"""When the corp works: the week, public days, its own days, and minutes in between."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from scrm.accounts.hours import Hours, get_hours, public_days, public_until, read_hours, set_hours
from scrm.errors import Invalid

TZ = ZoneInfo("Asia/Shanghai")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=TZ)


@pytest.mark.parametrize(
    ("moment", "works"),
    [
        ("2026-11-23 09:00", True),  # a Monday
        ("2026-11-23 08:59", False),
        ("2026-11-23 18:00", False),
        ("2026-11-22 10:00", False),  # a Sunday
        ("2026-10-01 10:00", False),  # National Day
        ("2026-10-10 10:00", True),  # the Saturday worked for it
        ("2027-10-01 10:00", True),  # not known yet: a Friday
    ],
)
def test_the_week_and_public_days_say_whether_the_corp_works(moment: str, works: bool) -> None:
    assert Hours().is_working(at(moment), TZ) is works


def test_own_days_go_before_public_ones_and_the_week() -> None:
    hours = Hours(off=frozenset({date(2026, 11, 23)}), on=frozenset({date(2026, 10, 1), date(2026, 11, 22)}))

    assert hours.span_of(date(2026, 11, 23)) is None
    assert hours.span_of(date(2026, 10, 1)) == (540, 1080)
    assert hours.span_of(date(2026, 11, 22)) == (540, 1080)
    assert Hours(keeps_public=False).span_of(date(2026, 10, 1)) == (540, 1080)


def test_the_week_as_shifts_puts_days_with_the_same_hours_together() -> None:
    hours = Hours({1: (540, 1080), 2: (540, 1080), 6: (600, 1440)})

    assert hours.schedule() == [
        {"weekdays": [1, 2], "from": "09:00", "to": "18:00"},
        {"weekdays": [6], "from": "10:00", "to": "24:00"},
    ]


def test_hours_are_kept_and_read_back(session: Session, now: datetime) -> None:
    assert get_hours(session) == Hours()
    given = {"week": {"1": ["08:30", "17:30"]}, "keeps_public": False, "off": ["2026-12-24"], "on": []}

    set_hours(session, given, actor="x", now=now)

    assert get_hours(session) == Hours({1: (510, 1050)}, False, frozenset({date(2026, 12, 24)}))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"week": {}}, "week"),
        ({"week": {"1": ["18:00", "09:00"]}}, "week.1"),
        ({"week": {"8": ["09:00", "18:00"]}}, "week.8"),
        ({"week": {"1": ["9", "18:00"]}}, "week.1"),
        ({"week": {"1": ["09:00"]}}, "week.1"),
        ({"week": {"1": ["09:00", "18:00"]}, "off": ["tomorrow"]}, "off"),
        ({"week": {"1": ["09:00", "18:00"]}, "off": ["2026-12-24"], "on": ["2026-12-24"]}, "on"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(given: dict, field: str) -> None:
    with pytest.raises(Invalid) as told:
        read_hours(given)
    assert list(told.value.fields) == [field]


def test_public_days_are_known_up_to_a_day_that_is_told() -> None:
    assert public_until() >= date(2026, 12, 31)
    named = public_days(date(2026, 10, 1), date(2026, 10, 10))
    assert named[0] == (date(2026, 10, 1), "国庆节", "National Day", False)
    assert named[-1][3] is True
