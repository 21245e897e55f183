"""The quota windows: how many calls of a minute and an hour were made, per API and over all APIs.

In memory they are a few numbers; the processes of a cluster share them through Redis, one exchange a call. Losing
them costs pace, not data.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from redis import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

MINUTE, HOUR = 60, 3600
_QUOTA_RECHECK = 5.0  # seconds; a drained window frees room little by little
_SOONEST_RECHECK = 0.05
_PATIENCE = 0.5  # seconds for an answer of Redis
_AWAY = 5.0  # seconds until it is asked again after it did not answer

# KEYS: the windows; ARGV: seconds and limit of each. Takes one call out of all and answers "0", or takes none and
# answers the seconds to wait. The same sums as ``Window``, by Redis's clock.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local wait, taken = 0, {}
for i, key in ipairs(KEYS) do
    local seconds, limit = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local number = math.floor(now / seconds)
    local into = now - number * seconds
    local kept = redis.call('HMGET', key, 'number', 'count', 'before')
    local known, count, before = tonumber(kept[1]), tonumber(kept[2]) or 0, tonumber(kept[3]) or 0
    if known ~= number then
        before = known == number - 1 and count or 0
        count = 0
    end
    local overlap = before * (1 - into / seconds)
    if overlap + count + 1 > limit then
        local slides = count < limit and before > 0
        wait = math.max(wait, slides and (overlap + count + 1 - limit) * seconds / before or seconds - into)
    end
    taken[i] = {number, count + 1, before, 2 * seconds}
end
if wait > 0 then return tostring(wait) end
for i, key in ipairs(KEYS) do
    redis.call('HSET', key, 'number', taken[i][1], 'count', taken[i][2], 'before', taken[i][3])
    redis.call('EXPIRE', key, taken[i][4])
end
return '0'
"""


class Room(NamedTuple):
    """Whose calls are counted (an API, or ``*`` for all), over how many seconds, and how many may be made."""

    name: str
    seconds: int
    limit: int
    reserved_too: bool  # False: counts only calls that may not use what is kept for priority 0


class Windows:
    """Takes calls out of sliding windows, shared by processes where ``redis_url`` names a Redis."""

    def __init__(
        self, *, redis_url: str = "", namespace: str = "wecom", wall: Callable[[], float] = time.time
    ) -> None:
        self._wall = wall
        self._lock = threading.Lock()
        self._memory: dict[tuple[str, int, bool], Window] = {}
        self._shared = _Shared(redis_url, namespace) if redis_url else None
        self._own_until = -math.inf  # Redis is away: count alone until then

    def take(self, rooms: Sequence[Room]) -> float:
        """Take one call out of every window and return 0, or take none and return the seconds to wait.

        While Redis cannot be reached this process counts alone.
        """
        wait = self._take_shared(rooms)
        if wait is None:
            wait = self._take_alone(rooms)
        return min(max(wait, _SOONEST_RECHECK), _QUOTA_RECHECK) if wait > 0 else 0.0

    def _take_shared(self, rooms: Sequence[Room]) -> float | None:
        """None where this process counts alone."""
        if self._shared is None or time.monotonic() < self._own_until:
            return None
        try:
            return self._shared.take(rooms)
        except RedisError as error:
            self._own_until = time.monotonic() + _AWAY
            log.warning("rate_windows_not_shared", error=str(error))
            return None

    def _take_alone(self, rooms: Sequence[Room]) -> float:
        now = self._wall()
        with self._lock:
            windows = [self._window(room) for room in rooms]
            wait = max(window.wait(now) for window in windows)
            if wait == 0:
                for window in windows:
                    window.count += 1
        return wait

    def _window(self, room: Room) -> Window:
        key = (room.name, room.seconds, room.reserved_too)
        window = self._memory.get(key)
        if window is None:
            window = self._memory[key] = Window(room.seconds, room.limit)
        return window


class _Shared:
    """The windows in Redis."""

    def __init__(self, redis_url: str, namespace: str) -> None:
        redis = Redis.from_url(redis_url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE)
        self._script = redis.register_script(_TAKE)
        self._prefix = f"lianke:rate:{namespace}"

    def take(self, rooms: Sequence[Room]) -> float:
        """Raises RedisError while Redis is away."""
        keys = [f"{self._prefix}:{room.name}:{room.seconds}:{int(room.reserved_too)}" for room in rooms]
        return float(self._script(keys=keys, args=list(_numbers(rooms))))


def _numbers(rooms: Sequence[Room]) -> Iterator[int]:
    for room in rooms:
        yield from (room.seconds, room.limit)


@dataclass(slots=True)
class Window:
    """A sliding window counter: this period's calls, and of the last period's the share that still overlaps."""

    seconds: int
    limit: int
    number: int = 0  # of the period
    count: int = 0
    before: int = 0

    def wait(self, now: float) -> float:
        """Seconds until there is room for one call more; 0 when there is."""
        number, into = divmod(now, self.seconds)
        if number != self.number:
            self.before = self.count if number == self.number + 1 else 0
            self.number, self.count = int(number), 0
        overlap = self.before * (1 - into / self.seconds)
        if overlap + self.count + 1 <= self.limit:
            return 0.0
        if self.count < self.limit and self.before:  # when enough of the last period has slid out
            return (overlap + self.count + 1 - self.limit) * self.seconds / self.before
        return self.seconds - into
