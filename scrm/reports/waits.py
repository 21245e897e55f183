"""How long contacts waited for an answer: in working time, by the corp's hours and holidays, and plainly.

Who came and was answered while nobody works waited as long as the clock says: else an evening's answers were all 0.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from statistics import median

from sqlalchemy.orm import Session

from scrm.accounts.hours import Hours, get_hours

Pair = tuple[datetime, datetime]  # since when, until when


@dataclass(frozen=True)
class Wait:
    """Seconds somebody waited; ``working`` is ``plain`` where no working time lay between."""

    plain: float
    working: float


@dataclass(frozen=True)
class Medians:
    """The medians of some waits, in whole seconds; None of none."""

    plain_s: int | None = None
    working_s: int | None = None


class WorkTime:
    """The working time of the corp from one day to another, made once to measure many waits with two looks each."""

    def __init__(self, hours: Hours, since: datetime, until: datetime, tz: tzinfo) -> None:
        self._begins: list[float] = []
        self._ends: list[float] = []
        self._before: list[float] = []  # working seconds before each begin
        total = 0.0
        day, last = since.astimezone(tz).date(), until.astimezone(tz).date()
        while day <= last:
            span = hours.instants_of(day, tz)
            if span is not None:
                begins, ends = (at.timestamp() for at in span)
                self._begins.append(begins)
                self._ends.append(ends)
                self._before.append(total)
                total += ends - begins
            day += timedelta(days=1)

    def seconds(self, since: datetime, until: datetime) -> float:
        """Working seconds between two instants of these days; 0 where the second is not later."""
        return max(0.0, self._passed(until.timestamp()) - self._passed(since.timestamp()))

    def _passed(self, at: float) -> float:
        n = bisect_right(self._begins, at) - 1
        return 0.0 if n < 0 else self._before[n] + min(at, self._ends[n]) - self._begins[n]


def measure(session: Session, pairs: Sequence[Pair], tz: tzinfo) -> list[Wait]:
    """How long each waited, in this order; one query, for the corp's hours."""
    if not pairs:
        return []
    since, until = min(pair[0] for pair in pairs), max(pair[1] for pair in pairs)
    work = WorkTime(get_hours(session), since, until, tz)
    waits = ((end - start).total_seconds() for start, end in pairs)
    return [Wait(plain, work.seconds(*pair) or plain) for plain, pair in zip(waits, pairs, strict=True)]


def medians(waits: Iterable[Wait]) -> Medians:
    """Both medians."""
    some = list(waits)
    if not some:
        return Medians()
    return Medians(round(median(one.plain for one in some)), round(median(one.working for one in some)))
