"""Ids and moments of the made-up world: the same seed gives the same ids, and work happens in working hours."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, time, timedelta, tzinfo

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
PAIRS = [first + second for first in CROCKFORD for second in CROCKFORD]  # ten bits at a time
RANDOM_BITS = 80
MORNING, EVENING = time(9, 0), time(18, 0)
SATURDAY = 6


class Ids:
    """Draws ids as our code and the platform make them."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def ulid(self, at: datetime) -> str:
        """An id that sorts by ``at``."""
        number = int(at.timestamp() * 1000) << RANDOM_BITS | self._rng.getrandbits(RANDOM_BITS)
        return "".join([PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])

    def external(self) -> str:
        """An external_userid."""
        return "wm" + "".join(self._rng.choices(LETTERS, k=30))


def platform_id(prefix: str, name: str, length: int = 32) -> str:
    """A platform id that follows from a name: tags, groups."""
    digest = hashlib.sha512(f"lianke-demo:{name}".encode()).digest()
    return prefix + "".join(LETTERS[byte % len(LETTERS)] for byte in digest[: length - len(prefix)])


def config_id(name: str) -> str:
    """A contact way's id: 32 hexadecimal digits."""
    return hashlib.sha256(f"lianke-demo:{name}".encode()).hexdigest()[:32]


def local_moment(today: datetime, days_ago: int, hour: float, tz: tzinfo) -> datetime:
    """The instant of an hour (9.5 = 09:30) on the local day ``days_ago`` days before ``today``."""
    day = today.astimezone(tz).date() - timedelta(days=days_ago)
    return (datetime.combine(day, time(0), tzinfo=tz) + timedelta(hours=hour)).astimezone(UTC)


def is_workday(local: datetime) -> bool:
    """Monday to Friday."""
    return local.isoweekday() < SATURDAY


def is_working(at: datetime, tz: tzinfo) -> bool:
    """Whether people are at work."""
    local = at.astimezone(tz)
    return is_workday(local) and MORNING <= local.time() < EVENING


def at_work(at: datetime, tz: tzinfo, rng: random.Random) -> datetime:
    """The moment itself in working hours, else some minutes into the next working day."""
    if is_working(at, tz):
        return at
    local = at.astimezone(tz)
    day = local.date() + timedelta(days=1 if local.time() >= EVENING else 0)
    while day.isoweekday() >= SATURDAY:
        day += timedelta(days=1)
    return (datetime.combine(day, MORNING, tzinfo=tz) + timedelta(minutes=rng.uniform(2, 80))).astimezone(UTC)
