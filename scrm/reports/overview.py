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
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.contacts.models import Contact, Relation
from scrm.contacts.queries import left
from scrm.followups.models import Followup
from scrm.reports.periods import LocalDays, day_number, local_days
from scrm.reports.waits import Medians, Wait, measure, medians

MAX_RESPONSES = 20_000  # a median over more contacts is a median over the latest so many


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
class _Cells:
    """Counts by (day number, staff id or None)."""

    by: dict[tuple[int, str | None], int]

    def total(self, days: range) -> int:
        return sum(count for (day, _), count in self.by.items() if day in days)

    def on(self, day: int) -> int:
        return self.total(range(day, day + 1))

    def by_member(self, days: range) -> Counter[str | None]:
        found: Counter[str | None] = Counter()
        for (day, staff_id), count in self.by.items():
            if day in days:
                found[staff_id] += count
        return found


@dataclass(frozen=True)
class _Answered:
    """A new contact who was answered."""

    at: datetime
    wait: Wait


def overview(session: Session, *, start: date, end: date, tz: tzinfo) -> Overview:
    """The numbers from ``start`` to ``end`` (both counted), in nine queries. Raises Invalid for an empty period."""
    now = local_days(start, end, tz)
    length = len(now.days)
    both = local_days(start - timedelta(days=length), end, tz)
    earlier = local_days(both.start, start - timedelta(days=1), tz)
    new = _cells(session, _new(both))
    followups = _cells(session, _followups(both))
    lost = _cells(session, _lost(now))
    waits, waits_before = _waits(session, now), _waits(session, earlier)
    was, is_, lost_days = range(length), range(length, 2 * length), range(length)
    total = _numbers(new.total(is_), lost.total(lost_days), followups.total(is_), _all(waits))
    before = _numbers(new.total(was), _count_lost(session, earlier), followups.total(was), _all(waits_before))
    by_day = _by_day(now, waits)
    days = [
        DayNumbers(day, new.on(length + n), new.on(n), lost.on(n), followups.on(length + n), by_day[n])
        for n, day in enumerate(now.days)
    ]
    members = _members(
        session, new.by_member(is_), lost.by_member(lost_days), followups.by_member(is_), waits
    )
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


def _cells(session: Session, each: Select[Any]) -> _Cells:
    rows = each.subquery()
    day, staff_id = rows.c
    counts = select(day, staff_id, func.count()).group_by(day, staff_id)
    return _Cells({(int(number), who): int(count) for number, who, count in session.execute(counts)})


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


def _waits(session: Session, days: LocalDays) -> dict[str | None, list[_Answered]]:
    """Owner's id → when each of their new contacts came, and how long until the first answer."""
    came = select(Contact.id, Contact.owner_id, Contact.created_at).where(days.covers(Contact.created_at))
    newest = came.order_by(Contact.created_at.desc()).limit(MAX_RESPONSES).subquery()
    first = (  # for each contact by itself: some engines would rather read all relations than find theirs
        select(func.min(Relation.first_response_at))
        .where(Relation.contact_id == newest.c.id, Relation.first_response_at >= newest.c.created_at)
        .scalar_subquery()
    )
    answered = select(newest.c.owner_id, newest.c.created_at, first)
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
    for one in _all(waits):
        found[bisect_right(days.bounds, one.at) - 1].append(one.wait)
    return [medians(some) for some in found]
