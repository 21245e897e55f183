"""How often a password may be guessed: by name and address, of all processes together where there is a Redis."""

from __future__ import annotations

import structlog
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

TRIES = RateLimitItemPerMinute(5, 15)  # wrong passwords per name and address in 15 minutes (ASVS 6.3.1)
PATIENCE = 0.5  # seconds for an answer of Redis


class Guesses:
    """Counts wrong passwords: whoever guesses elsewhere does not lock the owner out.

    Each process counts its own as well: while Redis is away, that is what holds.
    """

    def __init__(self, redis_url: str = "") -> None:
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._shared = None
        if redis_url:
            storage = RedisStorage(
                redis_url,
                key_prefix="lianke:guesses",
                socket_timeout=PATIENCE,
                socket_connect_timeout=PATIENCE,
            )
            self._shared = MovingWindowRateLimiter(storage)

    def is_over(self, username: str, address: str) -> bool:
        """Whether no further guess is let through."""
        who = (username.casefold(), address)
        if not self._own.test(TRIES, *who):
            return True
        try:
            return self._shared is not None and not self._shared.test(TRIES, *who)
        except RedisError as error:
            log.warning("guesses_not_shared", error=str(error))
            return False

    def count(self, username: str, address: str) -> None:
        """One wrong password more."""
        who = (username.casefold(), address)
        self._own.hit(TRIES, *who)
        try:
            if self._shared is not None:
                self._shared.hit(TRIES, *who)
        except RedisError as error:
            log.warning("guesses_not_shared", error=str(error))
