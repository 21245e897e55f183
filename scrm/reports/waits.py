"""How long contacts waited for an answer: in working time, by the corp's hours and holidays, and plainly.

Who came and was answered while nobody works waited as long as the clock says: else an evening's answers were all 0.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from statistics import median
from typing import NamedTuple

from sqlalchemy.orm import Session

from scrm.accounts.hours import Hours, get_hours

Pair = tuple[int, int]  # since when, until when: seconds since 1970


class Wait(NamedTuple):
    """Seconds somebody waited; ``working`` is ``plain`` where no working time lay between."""

    plain: float
    working: float


@dataclass(frozen=True)
class Medians:
    """The medians of some waits, in whole seconds; None of none."""

    plain_s: int | None = None
    working_s: int | None = None


class WorkTime:
    """The working time of the corp from one instant to another, made once to measure many waits with two looks each.

    Instants are seconds since 1970: of tens of thousands a page is asked for, and datetimes would cost it seconds.
    """

    def __init__(self, hours: Hours, since: float, until: float, tz: tzinfo) -> None:
        self._begins: list[float] = []
        self._ends: list[float] = []
        self._before: list[float] = []  # working seconds before each begin
        total = 0.0
        day, last = (datetime.fromtimestamp(at, UTC).astimezone(tz).date() for at in (since, until))
        while day <= last:
            span = hours.instants_of(day, tz)
            if span is not None:
                begins, ends = (at.timestamp() for at in span)
                self._begins.append(begins)
                self._ends.append(ends)
                self._before.append(total)
                total += ends - begins
            day += timedelta(days=1)

    def seconds(self, since: float, until: float) -> float:
        """Working seconds between two instants of these days; 0 where the second is not later."""
        return max(0.0, self._passed(until) - self._passed(since))

    def _passed(self, at: float) -> float:
        n = bisect_right(self._begins, at) - 1
        return 0.0 if n < 0 else self._before[n] + min(at, self._ends[n]) - self._begins[n]


def measure(session: Session, pairs: Sequence[Pair], tz: tzinfo) -> list[Wait]:
    """How long each waited, in this order; one query, for the corp's hours."""
    hours = get_hours(session)  # of none too: what a page asks does not hang on what there is
    if not pairs:
        return []
    since, until = min(pair[0] for pair in pairs), max(pair[1] for pair in pairs)
    work = WorkTime(hours, since, until, tz)
    return [Wait(end - start, work.seconds(start, end) or end - start) for start, end in pairs]


def medians(waits: Iterable[Wait]) -> Medians:
    """Both medians."""
    some = list(waits)
    if not some:
        return Medians()
    plain, working = zip(*some, strict=True)
    return Medians(round(median(plain)), round(median(working)))
