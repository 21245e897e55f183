from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import mysql, postgresql

from scrm.accounts.models import Staff
from scrm.channels.models import Channel, Scan
from scrm.contacts.models import RelationState
from scrm.errors import Invalid, NotFound
from scrm.reports import channels as report
from scrm.reports.periods import day_number, local_days
from scrm.tags.models import ContactTag, TagSource
from tests.plans import Recorder, whole_reads
from tests.scrm.channels.factory import make_channel, make_contact, make_relation, make_tag

TZ = ZoneInfo("Asia/Shanghai")
DAY1, DAY2, DAY3 = date(2026, 11, 21), date(2026, 11, 22), date(2026, 11, 23)


def local(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=TZ).astimezone(UTC)


@pytest.fixture
def come(session):
    """Let a contact come through a channel, and say what became of them."""
    numbers = iter(range(10_000))

    def add(channel, at, *, is_new=True, lost_at=None, waited=None, tag=None, state=RelationState.LOST):
        staff = session.scalars(select(Staff).where(Staff.userid == "lisi")).one()
        contact = make_contact(session, now=at)
        changes = {"channel_id": channel.id}
        if lost_at:
            changes |= {"lost_at": lost_at, "state": state}
        if waited is not None:
            changes["first_response_at"] = at + timedelta(seconds=waited)
        make_relation(session, contact, staff, at=at, **changes)
        row = {"channel_id": channel.id, "contact_id": contact.id, "staff_id": staff.id, "at": at}
        session.add(Scan(**row, is_new=is_new, effect_key=f"scan:{next(numbers)}"))
        if tag:
            set_by = {"source": TagSource.CHANNEL, "set_at": at, "contact_at": at}
            session.add(ContactTag(contact_id=contact.id, tag_id=tag.id, staff_id=staff.id, **set_by))
        session.flush()

    return add


def test_figures_by_local_day_and_in_total(session, now, come):
    channel = make_channel(session, now=now, cost_fen=1000)
    other = make_channel(session, now=now, name="官网", cost_fen=70)
    tag, second_tag = make_tag(session, "展会"), make_tag(session, "高意向", group="意向")
    come(channel, local(DAY1, 0), waited=60, tag=tag)
    come(channel, local(DAY1, 23), waited=120)
    come(channel, local(DAY2, 0), waited=600, tag=second_tag, lost_at=local(DAY3, 1))
    come(channel, local(DAY2, 5), is_new=False, tag=tag)
    come(channel, local(DAY1, 0) - timedelta(seconds=1), waited=1)  # the day before
    come(channel, local(DAY3, 23) + timedelta(hours=1), waited=1)  # the day after
    come(other, local(DAY2, 5), waited=5)

    stats = report.channel_stats(session, channel.id, start=DAY1, end=DAY3, tz=TZ)
    assert [day.day for day in stats.days] == [DAY1, DAY2, DAY3]
    assert stats.days[0] == report.DayFigures(
        day=DAY1,
        scans=2,
        new=2,
        net=2,
        retained_rate=1.0,
        tagged=1,
        first_response_median_s=90,
        first_response_working_s=90,  # a weekend: as the clock says
    )
    assert stats.days[1] == report.DayFigures(
        day=DAY2,
        scans=2,
        new=1,
        net=1,
        retained_rate=0.0,
        tagged=1,
        first_response_median_s=600,
        first_response_working_s=600,
    )
    assert stats.days[2] == report.DayFigures(day=DAY3, lost=1, net=-1)
    assert stats.total == report.Figures(
        scans=4,
        new=3,
        lost=1,
        net=2,
        retained_rate=0.6667,
        tagged=2,
        first_response_median_s=120,
        first_response_working_s=120,
        cost_per_contact_fen=250,  # 1000 fen by the four new contacts it ever brought until then
    )

    everything = report.channel_stats(session, None, start=DAY1, end=DAY3, tz=TZ)
    assert (everything.total.scans, everything.total.new) == (5, 4)
    assert everything.total.cost_per_contact_fen == 214  # 1070 / 5
    assert everything.days[1].scans == 3


def test_nothing_is_none_not_zero(session, now):
    channel = make_channel(session, now=now, cost_fen=1000)
    stats = report.channel_stats(session, channel.id, start=DAY1, end=DAY1, tz=TZ)
    assert stats.total == report.Figures()
    assert stats.total.retained_rate is None
    assert stats.total.cost_per_contact_fen is None
    assert stats.days == [report.DayFigures(day=DAY1)]


def test_transferred_is_not_lost_and_removed_is(session, now, come):
    channel = make_channel(session, now=now)
    come(channel, local(DAY1, 9), lost_at=local(DAY1, 10), state=RelationState.TRANSFERRED)
    come(channel, local(DAY1, 9), lost_at=local(DAY1, 11), state=RelationState.REMOVED)
    total = report.channel_stats(session, channel.id, start=DAY1, end=DAY1, tz=TZ).total
    assert (total.new, total.lost, total.net, total.retained_rate) == (2, 1, 1, 0.5)


def test_days_of_a_zone_with_summer_time_are_23_and_25_hours(session, now, come):
    zone = ZoneInfo("Europe/Berlin")
    channel = make_channel(session, now=now)
    short, long = date(2026, 3, 29), date(2026, 10, 25)
    come(channel, datetime(2026, 3, 29, 21, 59, tzinfo=UTC))
    come(channel, datetime(2026, 3, 29, 22, 0, tzinfo=UTC))
    come(channel, datetime(2026, 10, 25, 22, 59, tzinfo=UTC))
    assert report.channel_stats(session, channel.id, start=short, end=short, tz=zone).total.scans == 1
    assert report.channel_stats(session, channel.id, start=long, end=long, tz=zone).total.scans == 1


def test_every_day_of_a_year_finds_its_bucket(session, now, come):
    channel = make_channel(session, now=now)
    start = date(2026, 1, 1)
    for n in range(0, 365, 7):
        come(channel, local(start + timedelta(days=n), 12))
    stats = report.channel_stats(session, channel.id, start=start, end=start + timedelta(days=364), tz=TZ)
    assert [n for n, day in enumerate(stats.days) if day.scans] == list(range(0, 365, 7))


def test_periods_are_checked(session, now):
    with pytest.raises(Invalid):
        report.channel_stats(session, None, start=DAY2, end=DAY1, tz=TZ)
    with pytest.raises(Invalid):
        report.compare_channels(session, start=DAY1, end=DAY1 + timedelta(days=366), tz=TZ)
    with pytest.raises(NotFound):
        report.channel_stats(session, "nothing", start=DAY1, end=DAY1, tz=TZ)


def test_comparison_has_a_row_for_each_channel_best_first(session, now, come):
    best = make_channel(session, now=now, name="转介绍", cost_fen=300)
    loses = make_channel(session, now=now, name="短视频", cost_fen=0)
    make_channel(session, now=now, name="白皮书", cost_fen=100)
    for _ in range(3):
        come(best, local(DAY1, 9), waited=30)
    come(loses, local(DAY1, 9), lost_at=local(DAY2, 9))
    rows = report.compare_channels(session, start=DAY1, end=DAY3, tz=TZ)
    assert [(row.name, row.share_of_new, row.quality) for row in rows] == [
        ("转介绍", 0.75, 0.75),
        ("短视频", 0.25, 0.0),
        ("白皮书", 0.0, None),
    ]
    assert [row.figures.cost_per_contact_fen for row in rows] == [100, 0, None]
    assert (rows[0].figures.first_response_median_s, rows[1].figures.lost) == (30, 1)
    assert (rows[0].channel_id, rows[0].state, rows[0].cost_fen) == (best.id, "active", 300)


@pytest.mark.sqlite  # it reads the query plan
@pytest.mark.parametrize("which", ["one", "all", "compare"])
def test_no_report_reads_a_whole_table(session, now, come, which):
    channel = make_channel(session, now=now)
    for hour in range(10):
        come(channel, local(DAY1, hour), waited=5)
    with Recorder(session) as recorder:
        if which == "compare":
            report.compare_channels(session, start=DAY1, end=DAY3, tz=TZ)
        else:
            report.channel_stats(session, channel.id if which == "one" else None, start=DAY1, end=DAY3, tz=TZ)
    plans = recorder.plans()
    assert whole_reads(plans) == []
    used = " ".join(read.said for _, plan in plans for read in plan)
    assert "ix_scan_channel_at (channel_id=? AND at>? AND at<?)" in used
    assert "ix_relation_lost (channel_id=? AND lost_at>? AND lost_at<?)" in used


def test_a_comparison_takes_six_queries_however_many_channels(session, now):
    for n in range(12):
        make_channel(session, now=now, name=f"渠道{n}")
    with Recorder(session) as recorder:
        assert len(report.compare_channels(session, start=DAY1, end=DAY3, tz=TZ)) == 12
    assert len(recorder.sent) == 6


@pytest.mark.parametrize("dialect", [postgresql.dialect(), mysql.dialect()])
def test_no_statement_asks_the_server_what_day_it_is_there(dialect):
    period = local_days(DAY1, DAY3, TZ)
    bucket = lambda at, _: day_number(at, period.bounds)  # noqa: E731
    for build in (report._scans, report._losses, report._responses):
        sql = str(build(select(Channel.id), period, bucket).compile(dialect=dialect)).lower()
        asked = ("date(", "date_trunc", "extract(day", "convert_tz", "unix_timestamp", "at time zone")
        assert not any(name in sql for name in asked)
