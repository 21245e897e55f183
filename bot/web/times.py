"""Instants as people read them, in the corp's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from bot.words.texts import Words


@dataclass(frozen=True)
class Moment:
    """An instant on a page: ``text`` to read, ``full`` on hover, ``iso`` for machines."""

    text: str
    full: str
    iso: str


@dataclass(frozen=True)
class Calendar:
    """Formats instants as seen at ``now``."""

    now: datetime
    tz: tzinfo
    words: Words

    @property
    def today(self) -> date:
        """The day it is."""
        return self.local(self.now).date()

    def local(self, at: datetime) -> datetime:
        """The instant in the corp's zone."""
        return at.astimezone(self.tz)

    def moment(self, at: datetime, *, name_today: bool = True) -> Moment:
        """Today 14:05, this year 11-22 14:05, else 2025-11-22."""
        local = self.local(at)
        if local.date() == self.today:
            text = self.words("today_at", time=f"{local:%H:%M}") if name_today else f"{local:%H:%M}"
        elif local.year == self.today.year:
            text = f"{local:%m-%d %H:%M}"
        else:
            text = f"{local:%Y-%m-%d}"
        return self._whole(text, local)

    def clock(self, at: datetime) -> Moment:
        """The time of day, where the day is said already."""
        local = self.local(at)
        return self._whole(f"{local:%H:%M}", local)

    def day(self, at: datetime) -> str:
        """The day as a heading."""
        day = self.local(at).date()
        nearby = {0: "today", -1: "yesterday", 1: "tomorrow"}.get((day - self.today).days)
        if nearby:
            return self.words(nearby)
        weekday = self.words(f"weekday_{day.weekday()}")
        return f"{day:%m-%d} {weekday}" if day.year == self.today.year else f"{day:%Y-%m-%d} {weekday}"

    def due(self, at: datetime) -> Moment:
        """The day something is planned for."""
        return self._whole(self.day(at), self.local(at))

    def in_days(self, days: int) -> date:
        """The day so many days from today."""
        return self.today + timedelta(days=days)

    def _whole(self, text: str, local: datetime) -> Moment:
        return Moment(text, f"{local:%Y-%m-%d %H:%M:%S} {self.tz}", local.isoformat())
