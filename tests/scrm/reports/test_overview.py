"""The overview's numbers: periods, each person once, and only what a limited session may see."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from scrm.access.scope import Actor, limit_to
from scrm.accounts.hours import set_hours
from scrm.accounts.models import Staff
from scrm.accounts.roles import Role
from scrm.channels.models import Channel, Scan
from scrm.contacts.models import Contact, Relation, RelationState
from scrm.db import Database
from scrm.errors import Invalid
from scrm.followups.models import Followup, FollowupKind
from scrm.reports.channels import compare_channels
from scrm.reports.firsts import firsts
from scrm.reports.overview import overview
from scrm.reports.trend import new_by_day
from tests.scrm.channels.factory import make_channel

TZ = ZoneInfo("Asia/Shanghai")
DAY1, DAY2, DAY3 = date(2026, 11, 21), date(2026, 11, 22), date(2026, 11, 23)


def local(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=TZ).astimezone(UTC)


class Corp:
    """Two reps and a channel."""

    def __init__(self, session: Session, now: datetime) -> None:
        self.session = session
        self.channel: Channel = make_channel(session, now=now)
        self.rep = self._staff("rep")
        self.mate = self._staff("mate")

    def _staff(self, userid: str) -> Staff:
        row = Staff(userid=userid, name=userid, updated_at=local(DAY1, 0))
        self.session.add(row)
        self.session.flush()
        return row

    def comes(self, staff: Staff, at: datetime, *, waited: int | None = None) -> Contact:
        contact = Contact(created_at=at, owner_id=staff.id, first_channel_id=self.channel.id)
        self.session.add(contact)
        self.session.flush()
        first = None if waited is None else at + timedelta(seconds=waited)
        self.relate(contact, staff, at, first_response_at=first)
        return contact

    def relate(self, contact: Contact, staff: Staff, at: datetime, **more) -> Relation:
        row = Relation(
            contact_id=contact.id, staff_id=staff.id, event_at=at, added_at=at, channel_id=self.channel.id
        )
        for name, value in more.items():
            setattr(row, name, value)
        self.session.add(row)
        self.session.flush()
        return row

    def leaves(self, contact: Contact, staff: Staff, at: datetime, **more) -> None:
        row = self.session.query(Relation).filter_by(contact_id=contact.id, staff_id=staff.id).one()
        row.state, row.lost_at = RelationState.LOST, at
        for name, value in more.items():
            setattr(row, name, value)
        self.session.flush()

    def writes(self, contact: Contact, staff: Staff, at: datetime) -> None:
        kind = FollowupKind.NOTE
        row = Followup(
            contact_id=contact.id, staff_id=staff.id, kind=kind, content="聊过", at=at, created_at=at
        )
        self.session.add(row)
        self.session.flush()


@pytest.fixture
def corp(session: Session, now: datetime) -> Corp:
    return Corp(session, now)


def test_numbers_of_a_period_beside_the_one_before(session: Session, corp: Corp):
    corp.comes(corp.rep, local(DAY1, 23), waited=50)  # the period before
    first = corp.comes(corp.rep, local(DAY2, 0), waited=60)
    corp.comes(corp.rep, local(DAY2, 5), waited=180)
    mates = corp.comes(corp.mate, local(DAY3, 23))
    corp.comes(corp.mate, local(DAY3, 23) + timedelta(hours=1), waited=1)  # the day after
    corp.writes(first, corp.rep, local(DAY2, 3))
    corp.writes(first, corp.mate, local(DAY3, 3))
    corp.writes(first, corp.rep, local(DAY1, 3))
    corp.leaves(mates, corp.mate, local(DAY3, 23), channel_id=None)  # came without a channel

    seen = overview(session, start=DAY2, end=DAY3, tz=TZ)
    assert (seen.total.new, seen.total.lost, seen.total.net, seen.total.followups) == (3, 1, 2, 2)
    assert seen.total.first_response_median_s == 120
    assert (seen.before.new, seen.before.followups, seen.before.first_response_median_s) == (1, 1, 50)
    assert [(day.day, day.new, day.new_before, day.lost, day.followups) for day in seen.days] == [
        (DAY2, 2, 0, 0, 1),
        (DAY3, 1, 1, 1, 1),
    ]
    assert [(row.staff.userid, row.numbers.new, row.numbers.lost) for row in seen.members] == [
        ("rep", 2, 0),
        ("mate", 1, 1),
    ]


def test_who_left_two_reps_is_lost_once_and_who_came_back_is_not(session: Session, corp: Corp):
    twice = corp.comes(corp.rep, local(DAY1, 1))
    corp.relate(twice, corp.mate, local(DAY1, 1))
    corp.leaves(twice, corp.rep, local(DAY2, 1))
    corp.leaves(twice, corp.mate, local(DAY3, 1))
    back = corp.comes(corp.rep, local(DAY1, 1))
    corp.leaves(back, corp.rep, local(DAY2, 1), state=RelationState.ACTIVE)

    seen = overview(session, start=DAY2, end=DAY3, tz=TZ)
    assert seen.total.lost == 1
    assert [day.lost for day in seen.days] == [0, 1]
    assert (
        overview(session, start=DAY3 + timedelta(days=1), end=DAY3 + timedelta(days=2), tz=TZ).before.lost
        == 1
    )


def test_a_period_must_have_days(session: Session):
    with pytest.raises(Invalid):
        overview(session, start=DAY2, end=DAY1, tz=TZ)


@pytest.mark.every_engine
def test_the_first_response_counts_working_time_by_the_corps_hours(
    session: Session, corp: Corp, now: datetime
):
    friday, monday = date(2026, 11, 20), date(2026, 11, 23)
    hour = 3600
    corp.comes(corp.rep, local(friday, 17), waited=66 * hour)  # until Monday at 11
    corp.comes(corp.rep, local(friday, 20), waited=hour)  # at night: as the clock says
    corp.comes(corp.mate, local(monday, 10), waited=hour)
    corp.comes(corp.mate, local(monday, 11))  # waits still

    seen = overview(session, start=friday, end=monday, tz=TZ)

    assert (seen.total.first_response_working_s, seen.total.first_response_median_s) == (hour, hour)
    by_rep = {row.staff.userid: row.numbers for row in seen.members}
    rep, mate = by_rep["rep"], by_rep["mate"]
    assert (rep.first_response_working_s, rep.first_response_median_s) == (2 * hour, 33.5 * hour)
    assert (mate.first_response_working_s, mate.first_response_median_s) == (hour, hour)
    assert [(day.first_response.working_s, day.first_response.plain_s) for day in seen.days] == [
        (2 * hour, 33.5 * hour),
        (None, None),
        (None, None),
        (hour, hour),
    ]
    chosen = {"week": {"1": ["10:30", "12:00"]}}
    set_hours(session, chosen, actor="account:boss", now=now)
    assert overview(session, start=monday, end=monday, tz=TZ).total.first_response_working_s == hour / 2


def test_every_report_of_a_limited_session_counts_only_what_it_sees(database: Database, now: datetime):
    with database.write() as session:
        corp = Corp(session, now)
        mine = corp.comes(corp.rep, local(DAY2, 1), waited=60)
        others = [corp.comes(corp.mate, local(DAY2, 2), waited=600) for _ in range(2)]
        corp.leaves(others[0], corp.mate, local(DAY3, 1))
        for contact in (mine, *others):
            corp.writes(contact, corp.mate, local(DAY2, 3))
            scan = {"channel_id": corp.channel.id, "contact_id": contact.id, "staff_id": contact.owner_id}
            session.add(_scan(**scan, at=contact.created_at))
        rep_id, channel_id = corp.rep.id, corp.channel.id
    actor = Actor("account", "rep", Role.SALES, rep_id, frozenset({rep_id}))
    with database.read() as session:
        limit_to(session, actor)
        seen = overview(session, start=DAY2, end=DAY3, tz=TZ)
        rows = compare_channels(session, start=DAY2, end=DAY3, tz=TZ)
        trend = new_by_day(session, [channel_id], start=DAY2, end=DAY3, tz=TZ)
        assert firsts(session).has_contacts
    assert (seen.total.new, seen.total.lost, seen.total.followups) == (1, 0, 1)
    assert seen.total.first_response_median_s == 60
    assert [row.staff.userid for row in seen.members] == ["rep", "mate"]  # who wrote about the rep's own
    assert (rows[0].figures.scans, rows[0].figures.new, rows[0].figures.lost) == (1, 1, 0)
    assert trend == {channel_id: [1, 0]}
    with database.read() as session:
        everything = overview(session, start=DAY2, end=DAY3, tz=TZ)
    assert (everything.total.new, everything.total.lost, everything.total.followups) == (3, 1, 3)


def _scan(**fields):
    return Scan(is_new=True, effect_key=f"scan:{fields['contact_id']}", **fields)
