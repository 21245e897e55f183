"""When the corp works: its hours by weekday, public holidays, and days off and working days of its own.

Public holidays, and the weekends worked for them, are those of ``chinese_calendar``, which knows them up to the end
of ``public_until()``'s year; after that only the week and the corp's own days count, and pages say so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from chinese_calendar import constants
from sqlalchemy.orm import Session

from scrm.accounts.service import get_setting, set_setting
from scrm.errors import Invalid

KEY = "working_hours"
WEEK = range(1, 8)
MAX_DAYS = 200  # own days, of each kind
DAY = 24 * 60
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00")

Span = tuple[int, int]  # minutes since midnight, the end not counted


@dataclass(frozen=True)
class Hours:
    """The rules. ``week``: weekday 1-7 → when; a weekday that is not there is off."""

    week: Mapping[int, Span] = field(default_factory=lambda: dict.fromkeys(range(1, 6), (540, 1080)))
    keeps_public: bool = True
    off: frozenset[date] = frozenset()
    on: frozenset[date] = frozenset()

    def span_of(self, day: date) -> Span | None:
        """When the corp works on this day; None where it does not. The corp's own days go before public ones."""
        if day in self.off:
            return None
        if day in self.on:
            return self._usual(day)
        if self.keeps_public:
            if day in constants.holidays:
                return None
            if day in constants.workdays:
                return self._usual(day)
        return self.week.get(day.isoweekday())

    def _usual(self, day: date) -> Span | None:
        """As on that weekday, else as on the first that is worked."""
        return self.week.get(day.isoweekday()) or next(iter(sorted(self.week.items())), (0, None))[1]

    def is_working(self, at: datetime, tz: tzinfo) -> bool:
        """Whether the corp works at this instant."""
        local = at.astimezone(tz)
        span = self.span_of(local.date())
        return span is not None and span[0] <= local.hour * 60 + local.minute < span[1]

    def instants_of(self, day: date, tz: tzinfo) -> tuple[datetime, datetime] | None:
        """From when until when the corp works on this day; None where it does not."""
        span = self.span_of(day)
        return None if span is None else (_at(day, span[0], tz), _at(day, span[1], tz))

    def schedule(self) -> list[dict[str, Any]]:
        """The week as a channel's shifts: weekdays with the same hours share one."""
        found: dict[Span, list[int]] = {}
        for weekday, span in sorted(self.week.items()):
            found.setdefault(span, []).append(weekday)
        return [
            {"weekdays": days, "from": clock(start), "to": clock(end)} for (start, end), days in found.items()
        ]

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        week = {str(day): [clock(start), clock(end)] for day, (start, end) in sorted(self.week.items())}
        return {
            "week": week,
            "keeps_public": self.keeps_public,
            "off": [day.isoformat() for day in sorted(self.off)],
            "on": [day.isoformat() for day in sorted(self.on)],
        }


def _at(day: date, minutes: int, tz: tzinfo) -> datetime:
    midnight = datetime.combine(day, time.min, tzinfo=tz)
    return (midnight + timedelta(minutes=minutes)).astimezone(UTC)  # wall time first: a day may have 23 hours


def clock(minutes: int) -> str:
    """Minutes since midnight as ``HH:MM``."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def public_until() -> date:
    """The last day of which public holidays are known."""
    return date(max(constants.holidays).year, 12, 31)


def public_days(since: date, until: date) -> list[tuple[date, str, str, bool]]:
    """Public days from ``since`` to ``until``: (day, Chinese name, English name, whether it is worked for one)."""
    named = {one.value: one.chinese for one in constants.Holiday}
    found = []
    for worked, table in ((False, constants.holidays), (True, constants.workdays)):
        found += [
            (day, named.get(name, name), name, worked) for day, name in table.items() if since <= day <= until
        ]
    return sorted(found)


def get_hours(session: Session) -> Hours:
    """The corp's hours; Monday to Friday, 9 to 18 where nobody chose."""
    kept = get_setting(session, KEY)
    return Hours() if kept is None else read_hours(kept)


def set_hours(session: Session, given: Mapping[str, Any], *, actor: str, now: datetime) -> Hours:
    """Keep other hours. Raises Invalid with what is wrong, by field."""
    hours = read_hours(given)
    set_setting(session, KEY, hours.as_json(), actor=actor, now=now)
    return hours


def read_hours(given: Mapping[str, Any]) -> Hours:
    """The rules from their kept form: ``week`` (weekday → [from, to]), ``keeps_public``, ``off``, ``on``."""
    fields: dict[str, str] = {}
    week = {}
    for weekday, times in dict(given.get("week") or {}).items():
        span = _span(times)
        if str(weekday) not in map(str, WEEK) or span is None:
            fields[f"week.{weekday}"] = "请填写开始和结束时间（如 09:00 和 18:00），结束要晚于开始"
        else:
            week[int(weekday)] = span
    if not week and not fields:
        fields["week"] = "请至少选择一个上班的日子"
    off, on = _days(given.get("off") or (), "off", fields), _days(given.get("on") or (), "on", fields)
    for day in sorted(off & on):
        fields["on"] = f"{day} 同时写在休息日和上班日里"
    if fields:
        raise Invalid("hours_invalid", f"工作时间没有保存：{'；'.join(fields.values())}", fields)
    return Hours(week, bool(given.get("keeps_public", True)), off, on)


def _span(times: Sequence[Any]) -> Span | None:
    if len(times) != 2 or not all(isinstance(one, str) and _CLOCK.fullmatch(one) for one in times):  # noqa: PLR2004
        return None
    start, end = (int(one[:2]) * 60 + int(one[3:]) for one in times)
    return (start, end) if start < end <= DAY else None


def _days(texts: Sequence[str], name: str, fields: dict[str, str]) -> frozenset[date]:
    found = set()
    for text in texts:
        try:
            found.add(date.fromisoformat(text))
        except (ValueError, TypeError):
            fields[name] = f"「{text}」不是日期，请写成 2026-02-16"
    if len(found) > MAX_DAYS:
        fields[name] = f"最多 {MAX_DAYS} 天，现在有 {len(found)} 天"
    return frozenset(found)
