"""Call rates and parallel calls per API (path/90312). Counters live in memory: a restart forgives."""

from __future__ import annotations

from collections import defaultdict

from bot.sandbox.errors import ApiError
from bot.sandbox.settings import SandboxSettings

MINUTE, HOUR = 60, 3600


class Limits:
    """One counter per (API, window) and one gauge per API; the sandbox's clock decides the window."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._windows = ((MINUTE, settings.rate_per_minute), (HOUR, settings.rate_per_hour))
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}
        self._concurrency = settings.concurrency
        self._running: defaultdict[str, int] = defaultdict(int)

    def check_rate(self, api: str, now: float) -> None:
        """Count one call. Raises 45009 until the window ends once its limit is passed."""
        for length, limit in self._windows:
            if not limit:
                continue
            window = int(now // length)
            seen, count = self._counts.get((api, length), (window, 0))
            count = count + 1 if seen == window else 1
            self._counts[api, length] = (window, count)
            if count > limit:
                raise ApiError(45009)

    def enter(self, api: str) -> None:
        """A call arrives."""
        self._running[api] += 1

    def leave(self, api: str) -> None:
        """It is answered."""
        self._running[api] -= 1

    def is_busy(self, api: str) -> bool:
        """Whether more calls of this API run than allowed: the newest must get 45033."""
        return bool(self._concurrency) and self._running[api] > self._concurrency

    def clear(self) -> None:
        self._counts.clear()
