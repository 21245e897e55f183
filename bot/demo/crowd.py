"""Who comes when, through which channel, and to whom the code gives them: by the channel's own shifts and limits."""

# ruff: noqa: PLR2004 - shares and hours are plain numbers
from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.demo import company
from bot.demo.book import Book
from bot.demo.company import Source
from bot.demo.ids import at_work, local_moment
from scrm.channels.rules import PoolMember, pool

JUST_NOW = timedelta(minutes=3)
LEAVE_DAYS = 12  # since when the member on leave is away
WEBSITE_TODAY = 30  # all of today's places: the backup serves
TRAILERS_TODAY = 7  # one rep is near the daily limit


@dataclass(frozen=True)
class Arrival:
    """Somebody comes. ``source`` is None for those who add a rep without a code, ``userid`` the rep they get."""

    at: datetime
    source: Source | None
    userid: str
    is_lead: bool = False


class Desk:
    """Decides who takes the next one, as the platform does with the lists we keep."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._taken: Counter[tuple[str, str, str]] = Counter()
        self._turn: Counter[str] = Counter()

    def serve(self, source: Source, at: datetime, *, prefer: str | None = None) -> str:
        """The userid of who is given the customer at that moment."""
        local = at.astimezone(self._book.tz)
        day = local.date().isoformat()
        spec = source.spec
        away = at > self._book.now - timedelta(days=LEAVE_DAYS)
        absent = {member.userid for member in company.STAFF if member.on_leave} if away else set()
        members = [
            PoolMember(
                userid=userid,
                is_backup=userid in spec.backup_staff,
                available=userid not in absent,
                taken_today=self._taken[spec.name, userid, day],
                daily_limit=spec.daily_limits.get(userid),
            )
            for userid in (*spec.staff, *spec.backup_staff)
        ]
        users = pool(members, spec.schedule, spec.daily_limit, local).users
        userid = prefer if prefer in users else users[self._turn[spec.name] % len(users)]
        self._turn[spec.name] += 1
        self._taken[spec.name, userid, day] += 1
        return userid


def gather(book: Book) -> list[Arrival]:
    """Everybody, in the order they come; as many as the company says."""
    moments = [(at, source) for source in company.SOURCES for at in _moments(book, source)]
    moments.sort(key=lambda item: item[0])
    desk = Desk(book)
    found = [Arrival(at, source, desk.serve(source, at)) for at, source in moments]
    found += [_direct(book) for _ in range(company.DIRECT_PEOPLE)]
    found += _leads(book)
    return sorted(found, key=lambda arrival: arrival.at)


def _moments(book: Book, source: Source) -> list[datetime]:
    today = _today(book, source)
    peaks = {day: _spread(book, source, day, count) for day, count in source.peak.items()}
    found = [*today, *(at for moments in peaks.values() for at in moments)]
    first, last = source.days
    days = [day for day in range(first, last - 1, -1) if day not in source.peak and not (day == 0 and today)]
    weights = [_busyness(book, source, day) for day in days]
    while len(found) < source.people:
        (day,) = book.rng.choices(days, weights)
        at = _moment(book.rng, book, source, day)
        if at <= book.now - JUST_NOW:
            found.append(at)
    return found


def _busyness(book: Book, source: Source, day: int) -> float:
    local = local_moment(book.now, day, 12, book.tz).astimezone(book.tz)
    return 1.0 if local.isoweekday() < 6 else source.weekend


def _today(book: Book, source: Source) -> list[datetime]:
    """Today's crowd of the channels that show a limit; nobody before the day has begun in earnest."""
    count = {company.WEBSITE: WEBSITE_TODAY, company.TRAILERS: TRAILERS_TODAY}.get(source.spec.name, 0)
    opens = local_moment(book.now, 0, source.hours[0], book.tz)
    return (
        _between(book.rng, opens, book.now - JUST_NOW, count) if book.now - opens > timedelta(hours=1) else []
    )


def _between(rng: random.Random, start: datetime, end: datetime, count: int) -> list[datetime]:
    seconds = (end - start).total_seconds()
    return [start + timedelta(seconds=rng.uniform(0, seconds)) for _ in range(count)]


def _spread(book: Book, source: Source, day: int, count: int) -> list[datetime]:
    return [_moment(book.rng, book, source, day) for _ in range(count)]


def _moment(rng: random.Random, book: Book, source: Source, day: int) -> datetime:
    start, end = source.hours
    hour = rng.triangular(start, end, start + (end - start) * rng.choice((0.25, 0.7)))
    return local_moment(book.now, day, hour, book.tz)


def _direct(book: Book) -> Arrival:
    """Somebody adds a rep by phone number or name card."""
    at = at_work(book.now - timedelta(days=book.rng.uniform(0.2, 59)), book.tz, book.rng)
    while at > book.now - JUST_NOW:
        at -= timedelta(days=1)
    reps = [*company.EAST_REPS, *company.SOUTH_REPS[:1], company.CARE, company.EAST_BOSS, company.SOUTH_BOSS]
    return Arrival(at, None, book.rng.choice(reps))


def _leads(book: Book) -> list[Arrival]:
    """Business cards of the fair, typed in the evening; given to the SDRs in turn."""
    fair = next(source for source in company.SOURCES if source.spec.name == company.FAIR)
    found = []
    for number in range(company.LEADS):
        evening = local_moment(book.now, min(fair.peak), 18.6 + number * 0.02, book.tz)
        found.append(Arrival(evening, fair, company.SDRS[number % len(company.SDRS)], is_lead=True))
    return found
