"""Working time: nights, weekends and days off are left out, quickly for many waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrm.accounts.hours import Hours
from scrm.reports.waits import Medians, Wait, WorkTime, measure, medians

TZ = ZoneInfo("Asia/Shanghai")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=TZ)


def worked(start: datetime, end: datetime, hours: Hours, tz: ZoneInfo = TZ) -> float:
    since, until = start.timestamp(), end.timestamp()
    return WorkTime(hours, min(since, until), max(since, until), tz).seconds(since, until)


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ("2026-11-23 10:00", "2026-11-23 10:30", 30),
        ("2026-11-23 17:30", "2026-11-24 09:30", 60),
        ("2026-11-20 17:00", "2026-11-23 10:00", 120),  # over a weekend
        ("2026-11-23 20:00", "2026-11-23 22:00", 0),
        ("2026-11-23 10:30", "2026-11-23 10:00", 0),
        ("2026-11-22 00:00", "2026-11-24 00:00", 540),
        ("2026-09-30 17:00", "2026-10-08 10:00", 120),  # over National Day
    ],
)
def test_nights_weekends_and_holidays_are_left_out(start: str, end: str, minutes: int):
    assert worked(at(start), at(end), Hours()) == minutes * 60


def test_a_day_of_23_hours_has_23_hours():
    berlin = ZoneInfo("Europe/Berlin")
    start, end = datetime(2026, 3, 29, tzinfo=berlin), datetime(2026, 3, 30, tzinfo=berlin)

    assert worked(start, end, Hours({7: (0, 1440)}, keeps_public=False), berlin) == 23 * 3600


@given(st.integers(0, 400), st.integers(0, 4000), st.integers(0, 4000))
def test_as_counted_quarter_by_quarter(first: int, second: int, third: int):
    quarter = timedelta(minutes=15)
    since = datetime(2026, 9, 1, tzinfo=UTC)
    start = since + first * quarter
    end = start + second * quarter
    work = WorkTime(Hours(), since.timestamp(), (end + third * quarter).timestamp(), TZ)

    counted = sum(Hours().is_working(start + n * quarter, TZ) for n in range(second))

    assert work.seconds(start.timestamp(), end.timestamp()) == counted * 15 * 60


def test_medians_of_none_are_none(session):
    assert measure(session, [], TZ) == []
    assert medians([]) == Medians(None, None)
    assert medians([Wait(10, 0), Wait(20, 4), Wait(90, 5)]) == Medians(20, 4)
