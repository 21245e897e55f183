"""What came in, who followed up and what was lost over all channels, compared with the period before.

The definitions, the same as those of the lists that the numbers open:

* *new*: contacts who first connected with any member in the period, each counted once;
* *lost*: contacts who left through either side's deletion in the period and have not come back; *net* = new - lost;
* *follow-ups*: touches that reps wrote down;
* *first response*: median seconds from a contact's first connection to the first answer of any member, in working
  time; in plain time beside it.

A session limited to what somebody may see (scrm/access) counts only that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.contacts.models import Contact, Relation
from scrm.contacts.queries import left
from scrm.dialects import epoch
from scrm.followups.models import Followup
from scrm.reports.periods import LocalDays, day_number, local_days
from scrm.reports.waits import Medians, Wait, measure, medians

# A median over more contacts is that of so many, evenly picked; of the period before only one median is told.
MAX_RESPONSES, MAX_BEFORE = 20_000, 1_000


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """The numbers of a period, or of one member in it."""

    new: int = 0
    lost: int = 0
    followups: int = 0
    first_response_median_s: int | None = None
    first_response_working_s: int | None = None

    @property
    def net(self) -> int:
        """How many more there are."""
        return self.new - self.lost


@dataclass(frozen=True)
class DayNumbers:
    """One local day; ``new_before`` is the same day of the period before."""

    day: date
    new: int
    new_before: int
    lost: int
    followups: int
    first_response: Medians


@dataclass(frozen=True)
class MemberNumbers:
    """What one member brought, lost and wrote. None: the contacts nobody owns."""

    staff: Staff | None
    numbers: Numbers


@dataclass(frozen=True)
class Overview:
    """A period, the period of the same length before it, its days and its members, those with most first."""

    total: Numbers
    before: Numbers
    days: list[DayNumbers]
    members: list[MemberNumbers]


@dataclass(frozen=True)
class _Counts:
    """How many there are on each day (by its number), and by whose they are (None: nobody's)."""

    by_day: Counter[int]
    by_member: Counter[str | None]

    def total(self, days: range) -> int:
        return sum(self.by_day[day] for day in days)


class _Answered(NamedTuple):
    """A new contact who was answered; ``at`` is when they came, in seconds since 1970."""

    at: int
    wait: Wait


def overview(session: Session, *, start: date, end: date, tz: tzinfo) -> Overview:
    """The numbers from ``start`` to ``end`` (both counted), in eleven queries. Raises Invalid for an empty period."""
    now = local_days(start, end, tz)
    length = len(now.days)
    both = local_days(start - timedelta(days=length), end, tz)
    earlier = local_days(both.start, start - timedelta(days=1), tz)
    new = _count(session, _new(both), _new(now))
    followups = _count(session, _followups(both), _followups(now))
    lost = _count_together(session, _lost(now))
    was, is_, lost_days = range(length), range(length, 2 * length), range(length)
    waits = _waits(session, now, _step(new.total(is_), MAX_RESPONSES))
    waits_before = _waits(session, earlier, _step(new.total(was), MAX_BEFORE))
    total = _numbers(new.total(is_), lost.total(lost_days), followups.total(is_), _all(waits))
    before = _numbers(new.total(was), _count_lost(session, earlier), followups.total(was), _all(waits_before))
    by_day = _by_day(now, waits)
    days = [
        DayNumbers(
            day,
            new.by_day[length + n],
            new.by_day[n],
            lost.by_day[n],
            followups.by_day[length + n],
            by_day[n],
        )
        for n, day in enumerate(now.days)
    ]
    members = _members(session, new.by_member, lost.by_member, followups.by_member, waits)
    return Overview(total, before, days, members)


def _numbers(new: int, lost: int, followups: int, waits: Iterable[_Answered]) -> Numbers:
    found = medians(one.wait for one in waits)
    return Numbers(
        new=new,
        lost=lost,
        followups=followups,
        first_response_median_s=found.plain_s,
        first_response_working_s=found.working_s,
    )


def _members(
    session: Session,
    new: Counter[str | None],
    lost: Counter[str | None],
    followups: Counter[str | None],
    waits: dict[str | None, list[_Answered]],
) -> list[MemberNumbers]:
    keys = {*new, *lost, *followups, *waits}
    people = {row.id: row for row in session.scalars(select(Staff).where(Staff.id.in_(keys - {None})))}
    rows = [
        MemberNumbers(
            people.get(key or ""), _numbers(new[key], lost[key], followups[key], waits.get(key, []))
        )
        for key in keys
    ]
    return sorted(rows, key=lambda row: (-row.numbers.new, -row.numbers.followups, _name(row.staff)))


def _name(staff: Staff | None) -> str:
    return staff.name if staff else ""


def _count(session: Session, of_days: Select[Any], of_members: Select[Any]) -> _Counts:
    """Days and members apart: together they would be thousands of rows, of which a page shows the sums."""
    days, members = of_days.subquery(), of_members.subquery()
    by_day = select(days.c[0], func.count()).group_by(days.c[0])
    by_member = select(members.c[1], func.count()).group_by(members.c[1])
    return _Counts(
        Counter({int(day): count for day, count in session.execute(by_day)}),
        Counter(dict(session.execute(by_member).all())),
    )


def _count_together(session: Session, each: Select[Any]) -> _Counts:
    """Days and members in one look: for what is few, and costs more to find than to add up."""
    rows = each.subquery()
    day, member = rows.c[0], rows.c[1]
    found = _Counts(Counter(), Counter())
    for number, who, count in session.execute(select(day, member, func.count()).group_by(day, member)):
        found.by_day[int(number)] += count
        found.by_member[who] += count
    return found


def _new(days: LocalDays) -> Select[Any]:
    number = day_number(Contact.created_at, days.bounds).label("day")
    return select(number, Contact.owner_id).where(days.covers(Contact.created_at))


def _followups(days: LocalDays) -> Select[Any]:
    number = day_number(Followup.at, days.bounds).label("day")
    return select(number, Followup.staff_id).where(days.covers(Followup.at))


def _losses(days: LocalDays) -> Select[Any, Any]:
    """Contact ids with when they left, each once: ended in these days and not come back."""
    return (
        select(Relation.contact_id, func.max(Relation.lost_at).label("at"))
        .where(*left(None, None), days.covers(Relation.lost_at))
        .group_by(Relation.contact_id)
    )


def _lost(days: LocalDays) -> Select[Any]:
    gone = _losses(days).subquery()
    number = day_number(gone.c.at, days.bounds).label("day")
    rows = select(number, Contact.owner_id).select_from(gone)  # of one day the number is the same for all
    return rows.join(Contact, Contact.id == gone.c.contact_id)


def _count_lost(session: Session, days: LocalDays) -> int:
    return int(session.scalar(select(func.count()).select_from(_losses(days).subquery())) or 0)


def _step(count: int, most: int) -> int:
    """Which part of ``count`` is at most ``most``."""
    return max(1, -(-count // most))


def _waits(session: Session, days: LocalDays, step: int) -> dict[str | None, list[_Answered]]:
    """Owner's id → when each of their new contacts came, and how long until the first answer; of every step-th."""
    came = select(Contact.id, Contact.owner_id, Contact.created_at).where(days.covers(Contact.created_at))
    if step > 1:
        number = func.row_number().over(order_by=(Contact.created_at, Contact.id))
        every = came.add_columns(number.label("n")).subquery()
        came = select(every.c.id, every.c.owner_id, every.c.created_at).where(every.c.n % step == 0)
    new = came.subquery()
    first = (  # for each contact by itself: some engines would rather read all relations than find theirs
        select(func.min(Relation.first_response_at))
        .where(Relation.contact_id == new.c.id, Relation.first_response_at >= new.c.created_at)
        .scalar_subquery()
    )
    answered = select(new.c.owner_id, epoch(new.c.created_at), epoch(first))
    # the unanswered are left out here: told to do so, MariaDB looks for each first answer twice
    rows = [(owner, at, first) for owner, at, first in session.execute(answered) if first is not None]
    waits = measure(session, [(at, first) for _, at, first in rows], days.tz)
    found: dict[str | None, list[_Answered]] = {}
    for (owner_id, at, _), wait in zip(rows, waits, strict=True):
        found.setdefault(owner_id, []).append(_Answered(at, wait))
    return found


def _all(waits: Mapping[str | None, list[_Answered]]) -> list[_Answered]:
    return [one for some in waits.values() for one in some]


def _by_day(days: LocalDays, waits: Mapping[str | None, list[_Answered]]) -> list[Medians]:
    """Of each day, of those who came on it."""
    found: list[list[Wait]] = [[] for _ in days.days]
    bounds = [bound.timestamp() for bound in days.bounds]
    for one in _all(waits):
        found[bisect_right(bounds, one.at) - 1].append(one.wait)
    return [medians(some) for some in found]
