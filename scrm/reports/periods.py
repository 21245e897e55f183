"""Local days as UTC bounds, so that the same SQL counts by day on SQLite, PostgreSQL and MySQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, and_, case, literal_column

from scrm.dialects import epoch
from scrm.errors import Invalid

MAX_DAYS = 366
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class LocalDays:
    """Local days from ``start`` to ``end`` in ``tz``, both counted; ``bounds`` are the instants where they begin."""

    start: date
    end: date
    bounds: Sequence[datetime]
    tz: tzinfo

    def covers(self, column: Any) -> ColumnElement[bool]:
        """The condition that an instant lies in these days."""
        return and_(column >= self.bounds[0], column < self.bounds[-1])

    @property
    def days(self) -> list[date]:
        """Each day."""
        return [self.start + timedelta(days=n) for n in range(len(self.bounds) - 1)]


def local_days(start: date, end: date, tz: tzinfo) -> LocalDays:
    """The days. Raises Invalid for none, and for more than a year."""
    count = (end - start).days + 1
    if count < 1:
        raise Invalid("invalid_period", "结束日期早于开始日期", {"end": "应不早于开始日期"})
    if count > MAX_DAYS:
        raise Invalid("invalid_period", f"一次最多统计 {MAX_DAYS} 天", {"start": f"最多 {MAX_DAYS} 天"})
    days = [start + timedelta(days=n) for n in range(count + 1)]
    bounds = [datetime.combine(day, time.min, tzinfo=tz).astimezone(UTC) for day in days]
    return LocalDays(start, end, bounds, tz)


def day_number(at: Any, bounds: Sequence[datetime]) -> Any:
    """Which day ``at``, which lies in one, falls into, as SQL.

    Divided by a day's seconds where all have as many; with summer time, a binary search of CASEs, nine deep for a year.
    """
    if all(end - start == _DAY for start, end in pairwise(bounds)):
        return (epoch(at) - int(bounds[0].timestamp())) // int(_DAY.total_seconds())

    def search(low: int, high: int) -> Any:
        if high - low == 1:
            return literal_column(str(low))
        middle = (low + high) // 2
        return case((at < bounds[middle], search(low, middle)), else_=search(middle, high))

    return search(0, len(bounds) - 1)
