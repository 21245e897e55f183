"""Access tokens: kept, shared between threads, and fetched once when many find them dead.

One token belongs to one (corp, secret). The platform may end it before its time, so callers hand back the token
that was refused, and a new one is fetched only if nobody has replaced it meanwhile. The same store serves the
JS-SDK tickets, which expire alike.

Source: path/91039 (gettoken: cache it, refresh near the end, frequency protected), `reliability.md` I14.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from bot.wechat.errors import CredentialsRefused, TokenInvalid, WeChatError

REFRESH_BEFORE = 300.0  # seconds before the end; never more than half of the token's life
FAILURE_KEPT = 3.0  # seconds for which a failed fetch answers for everybody
REFUSAL_KEPT_MAX = 60.0  # repeated wrong secrets get the IP banned for an hour: slow down to this
REJECTIONS_BEFORE_BRAKE = 3  # fresh tokens refused in a row before fetching more is pointless


@dataclass(frozen=True, slots=True)
class Held:
    """A kept token: its value, the seconds it lives in all and the seconds it has left."""

    value: str
    lifetime: float
    left: float

    @property
    def early(self) -> bool:
        """True when it still works but is so near its end that one caller should replace it."""
        return self.left <= min(REFRESH_BEFORE, self.lifetime / 2)


class TokenBackend(Protocol):
    """Where tokens are kept: this process, or Redis for many. It holds nothing that cannot be fetched again."""

    def get(self, key: str) -> Held | None:
        """Return the token, or None when there is none or it has run out."""
        ...

    def set(self, key: str, value: str, lifetime: float) -> None:
        """Keep the token for `lifetime` seconds."""
        ...

    def lock(self, key: str, *, wait: bool) -> AbstractContextManager[bool]:
        """Return a context manager giving True while held; with ``wait=False`` it gives False if taken."""
        ...


class MemoryBackend:
    """Tokens of one process, on the monotonic clock, so that clock jumps neither keep nor kill them."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens: dict[str, tuple[str, float, float]] = {}
        self._locks: dict[str, threading.Lock] = {}

    def get(self, key: str) -> Held | None:
        """Return the token, or None when there is none or it has run out."""
        kept = self._tokens.get(key)
        if kept is None:
            return None
        value, lifetime, ends = kept
        left = ends - self._clock()
        return Held(value, lifetime, left) if left > 0 else None

    def set(self, key: str, value: str, lifetime: float) -> None:
        """Keep the token for `lifetime` seconds."""
        self._tokens[key] = (value, lifetime, self._clock() + lifetime)

    @contextmanager
    def lock(self, key: str, *, wait: bool) -> Iterator[bool]:
        """Hold the key's lock; give False at once when it is taken and ``wait`` is false."""
        lock = self._locks.setdefault(key, threading.Lock())  # atomic, unlike a defaultdict
        held = lock.acquire(blocking=wait)
        try:
            yield held
        finally:
            if held:
                lock.release()


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch brings: the token and its life in seconds."""

    value: str
    lifetime: float


@dataclass(frozen=True, slots=True)
class Grant:
    """A token to use. `fetched` says whether this very call fetched it."""

    value: str
    fetched: bool


@dataclass(slots=True)
class _Trouble:
    """What this process remembers of a key that misbehaves."""

    error: WeChatError | None = None
    until: float = 0.0
    refusals: int = 0
    rejected_in_row: int = 0


def token_key(corp_id: str, secret: str, *, kind: str = "access_token") -> str:
    """Return the storage key of a credential. It holds a hash; no part of the secret can be read from it."""
    digest = hashlib.sha256(f"{corp_id}\0{secret}".encode()).hexdigest()[:32]
    return f"wechat:{kind}:{corp_id}:{digest}"


class TokenStore:
    """Hands out tokens and fetches each only once, however many threads ask.

    Failures are remembered for some seconds (longer each time when the credentials themselves are refused), so
    that 50 threads with a wrong secret make one gettoken call, not 50.
    """

    def __init__(
        self, backend: TokenBackend | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._backend: TokenBackend = MemoryBackend(clock=clock) if backend is None else backend
        self._clock = clock
        self._troubles: dict[str, _Trouble] = {}

    def get(self, key: str, fetch: Callable[[], Fetched], *, failed: str | None = None) -> Grant:
        """Return a token that is not `failed`, fetching one if there is none.

        `failed` is the token the platform refused; it is replaced once, by one caller, while the others wait and
        get the new one. Near its end one caller replaces a token while the others go on using it; if that fails
        the old one serves until it ends. Raises what `fetch` raised, now or within the last seconds.
        """
        held = self._backend.get(key)
        if held is None or held.value == failed:
            return self._replace(key, fetch, failed)
        if not held.early or self._recent_failure(key) is not None:
            return Grant(held.value, fetched=False)
        return self._replace_early(key, fetch, held)

    def current(self, key: str) -> str | None:
        """Return the token at hand, whoever fetched it, without ever fetching."""
        held = self._backend.get(key)
        return None if held is None else held.value

    def accepted(self, key: str) -> None:
        """Note that the platform accepted a token of this key, which ends the brake of `rejected`."""
        trouble = self._troubles.get(key)
        if trouble is not None and trouble.rejected_in_row:
            trouble.rejected_in_row = 0

    def rejected(self, key: str, error: TokenInvalid) -> None:
        """Note that a fresh token was refused. After a few in a row fetching pauses for some seconds."""
        trouble = self._trouble(key)
        trouble.rejected_in_row += 1
        if trouble.rejected_in_row >= REJECTIONS_BEFORE_BRAKE:
            trouble.error, trouble.until = error, self._clock() + FAILURE_KEPT

    def _replace(self, key: str, fetch: Callable[[], Fetched], failed: str | None) -> Grant:
        with self._backend.lock(key, wait=True):
            held = self._backend.get(key)
            if held is not None and held.value != failed:
                return Grant(held.value, fetched=False)
            failure = self._recent_failure(key)
            if failure is not None:
                raise _copy(failure)
            return self._fetch(key, fetch)

    def _replace_early(self, key: str, fetch: Callable[[], Fetched], held: Held) -> Grant:
        with self._backend.lock(key, wait=False) as mine:
            if not mine:
                return Grant(held.value, fetched=False)
            newest = self._backend.get(key)
            if newest is not None and not newest.early:
                return Grant(newest.value, fetched=False)
            try:
                return self._fetch(key, fetch)
            except WeChatError:
                return Grant(held.value, fetched=False)  # remembered by _fetch; the old token still works

    def _fetch(self, key: str, fetch: Callable[[], Fetched]) -> Grant:
        try:
            fetched = fetch()
        except WeChatError as error:
            self._remember(key, error)
            raise
        self._trouble(key).error, self._trouble(key).refusals = None, 0
        self._backend.set(key, fetched.value, fetched.lifetime)
        return Grant(fetched.value, fetched=True)

    def _remember(self, key: str, error: WeChatError) -> None:
        trouble = self._trouble(key)
        kept = FAILURE_KEPT
        if isinstance(error, CredentialsRefused):
            kept = min(FAILURE_KEPT * 2**trouble.refusals, REFUSAL_KEPT_MAX)
            trouble.refusals += 1
        trouble.error, trouble.until = error, self._clock() + kept

    def _trouble(self, key: str) -> _Trouble:
        return self._troubles.setdefault(key, _Trouble())

    def _recent_failure(self, key: str) -> WeChatError | None:
        trouble = self._troubles.get(key)
        return trouble.error if trouble is not None and self._clock() < trouble.until else None


def _copy(kept: WeChatError) -> WeChatError:
    """Copy a kept error: one exception object raised by many threads would mix their tracebacks."""
    copy = type(kept)(kept.errcode, kept.errmsg, kept.hint, api=kept.api, http_status=kept.http_status)
    copy.__dict__.update(kept.__dict__)
    return copy
