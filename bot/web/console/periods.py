"""The period a page is about, as the address says it: ``?range=today``, ``7``, ``30``, or ``from`` and ``to``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from bot.web.times import Calendar
from scrm.reports.periods import MAX_DAYS

LENGTHS = {"today": 1, "7": 7, "30": 30}
CUSTOM = "custom"


@dataclass(frozen=True)
class Period:
    """Local days, both ends counted. ``problem`` is the key of what was wrong with the days asked for."""

    name: str
    start: date
    end: date
    problem: str | None = None

    @property
    def length(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def parts(self) -> dict[str, str]:
        """What an address needs to say it again."""
        if self.name != CUSTOM:
            return {"range": self.name}
        return {"range": CUSTOM, "from": self.start.isoformat(), "to": self.end.isoformat()}

    @property
    def dates(self) -> dict[str, str]:
        """The period as the contact list's filters name it."""
        return {"from": self.start.isoformat(), "to": self.end.isoformat()}

    @property
    def lost_dates(self) -> dict[str, str]:
        """Likewise, of those who left in it."""
        return {"lost_from": self.start.isoformat(), "lost_to": self.end.isoformat()}

    @property
    def wrote_dates(self) -> dict[str, str]:
        """Likewise, as the log of follow-ups names it."""
        return {"from": self.start.isoformat(), "to": self.end.isoformat()}


def read_period(asked: Mapping[str, str], calendar: Calendar, usual: str = "7") -> Period:
    """The period of the address; the usual one where it says none or nonsense."""
    name = asked.get("range", "")
    if name == CUSTOM or (not name and ("from" in asked or "to" in asked)):
        return _custom(asked, calendar, usual)
    return _last(name if name in LENGTHS else usual, calendar)


def _last(name: str, calendar: Calendar, problem: str | None = None) -> Period:
    return Period(name, calendar.in_days(1 - LENGTHS[name]), calendar.today, problem)


def _custom(asked: Mapping[str, str], calendar: Calendar, usual: str) -> Period:
    try:
        start, end = date.fromisoformat(asked.get("from", "")), date.fromisoformat(asked.get("to", ""))
    except ValueError:
        return _last(usual, calendar, "period_wrong")
    if end < start:
        return _last(usual, calendar, "period_reversed")
    if end - start >= timedelta(days=MAX_DAYS):
        return _last(usual, calendar, "period_long")
    too_early = start.year < date.min.year + 10
    return _last(usual, calendar, "period_wrong") if too_early else Period(CUSTOM, start, end)
