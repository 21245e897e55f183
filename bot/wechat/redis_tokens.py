"""Access tokens shared by the processes of a deployment, through Redis.

Redis holds nothing that cannot be fetched again: while it is away each process keeps its own tokens, which costs a
few more gettoken calls and nothing else. Values are sealed: who reads Redis cannot call WeCom.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from redis import Redis
from redis.exceptions import LockError, RedisError
from redis.lock import Lock

from bot.wechat.tokens import Held, MemoryBackend
from scrm import seal

log = structlog.get_logger(__name__)

LOCK_SECONDS = 15.0  # longer than a gettoken call with its timeouts; a dead holder frees the lock by this
CONNECT_SECONDS = 1.0


class RedisBackend:
    """A `TokenBackend` for many processes."""

    def __init__(self, url: str, *, prefix: str = "lianke:") -> None:
        self._redis = Redis.from_url(
            url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS, decode_responses=True
        )
        self._prefix = prefix
        self._own = MemoryBackend()

    def get(self, key: str) -> Held | None:
        """Return the token, or None when there is none or it has run out."""
        name = self._prefix + key
        try:
            both = self._redis.pipeline()
            both.get(name)
            both.pttl(name)
            kept, left = both.execute()
        except RedisError as error:
            self._away(error)
            return self._own.get(key)
        if kept is None or left <= 0:
            return None
        try:
            body = json.loads(seal.ring().open(kept, key))
        except seal.SealBroken:  # written with a key we no longer have: fetch anew
            return None
        return Held(body["value"], body["lifetime"], left / 1000)

    def set(self, key: str, value: str, lifetime: float) -> None:
        """Keep the token for `lifetime` seconds, here too in case Redis goes away."""
        self._own.set(key, value, lifetime)
        sealed = seal.ring().seal(json.dumps({"value": value, "lifetime": lifetime}), key)
        try:
            self._redis.set(self._prefix + key, sealed, px=int(lifetime * 1000))
        except RedisError as error:
            self._away(error)

    @contextmanager
    def lock(self, key: str, *, wait: bool) -> Iterator[bool]:
        """Hold the key's lock over all processes; give False at once when it is taken and ``wait`` is false."""
        with self._own.lock(key, wait=wait) as mine:
            if not mine:
                yield False
                return
            held = Lock(self._redis, f"{self._prefix}{key}:lock", timeout=LOCK_SECONDS)
            try:
                taken = held.acquire(blocking=wait, blocking_timeout=LOCK_SECONDS if wait else None)
            except RedisError as error:
                self._away(error)
                yield True  # without Redis the lock of this process must do
                return
            try:
                yield taken
            finally:
                if taken:
                    self._release(held)

    def _release(self, lock: Lock) -> None:
        try:
            lock.release()
        except LockError:
            log.warning(
                "token_lock_outlived"
            )  # its time ran out while we fetched; somebody else may fetch too
        except RedisError as error:
            self._away(error)

    @staticmethod
    def _away(error: RedisError) -> None:
        log.warning("redis_away", why=type(error).__name__)
