"""May this call go out now? Asked by the outbox workers before every call to a platform.

The platform's limits (path/90312: 10 000 calls a minute and 150 000 an hour per API, some APIs 5 at a time) are
kept from our side with room to spare, and what the platform and the network answer is listened to:

    quota       sliding windows per API and for all APIs; a fifth of the room is kept for priority 0
    pause       45009 stops the API for a minute, for an hour when it comes again at once; then few at a time
    concurrency calls in flight per API; 45033 halves the cap, quiet seconds give it back
    circuit     after some transport failures in a row the API is left alone for seconds, then probed

A refusal is no attempt: the row goes back with `retry_at`. Nothing here sleeps. Losing this state costs pace,
not data.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bot.wechat.errors import QuotaSpent, TokenInvalid, TransportError, WeChatError
from bot.workers.windows import HOUR, MINUTE, Room, Windows

FIRST = 0  # the priority of welcomes and of the sidebar
QUOTA_CODE = 45009
CONCURRENCY_CODE = 45033
WRITE_CAP = 5  # semantics.md section 1: calls in parallel on write-type customer APIs
WRITE_APIS = ("externalcontact/mark_tag", "externalcontact/remark", "kf/sync_msg")
_ALL = "*"


class Reason(StrEnum):
    """Why a call must wait; also the label in /metrics."""

    NONE = ""
    PAUSED = "paused"
    CIRCUIT_OPEN = "circuit_open"
    CONCURRENCY = "concurrency"
    QUOTA = "quota"


class Circuit(StrEnum):
    """State of an API's circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Policy:
    """The gate's numbers; times in seconds. Published limits may move, hence configuration."""

    per_minute: int = 10_000  # per API, path/90312
    per_hour: int = 150_000  # per API, path/90312
    all_per_minute: int = 20_000  # per source IP over all APIs, path/90312
    all_per_hour: int = 600_000
    use: float = 0.6  # the share of the published limits we allow ourselves
    reserved: float = 0.2  # the share of that room which only priority 0 may use
    per_minute_of: Mapping[str, int] = field(default_factory=lambda: {"externalcontact/add_moment_task": 10})
    concurrency: int = 32
    concurrency_of: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(WRITE_APIS, WRITE_CAP))
    lower_every: float = 1.0  # several 45033 within this count as one
    recover_every: float = 10.0  # without a 45033, before the cap grows again
    pause: float = 60.0
    pause_again: float = 3600.0
    cautious_cap: int = 4  # in flight after a 45009: so many are refused at most when the quota ends again
    cautious_for: float = 600.0  # after the pause
    failures: int = 5  # transport failures in a row that open the circuit
    failures_within: float = 30.0
    open_for: float = 5.0  # short: a welcome code lives 20 s
    probe_every: float = 1.0  # how often priority 0 may probe an open circuit
    probe_lost_after: float = 30.0  # a probe that never reports back is forgotten

    def rooms(self, api: str, *, reserved: bool) -> Iterator[Room]:
        """What is kept of the published limits for calls to ``api``; ``reserved``: for priority 0, which has it all."""
        published = (
            (api, MINUTE, self.per_minute_of.get(api, self.per_minute)),
            (api, HOUR, self.per_hour),
            (_ALL, MINUTE, self.all_per_minute),
            (_ALL, HOUR, self.all_per_hour),
        )
        for name, seconds, limit in published:
            room = max(1, int(limit * self.use))
            yield Room(name, seconds, room, reserved_too=True)
            if not reserved:
                yield Room(name, seconds, max(1, int(room * (1 - self.reserved))), reserved_too=False)


@dataclass(frozen=True, slots=True)
class Admission:
    """The gate's answer. When not granted, ask again at `retry_at`; when granted, `Gate.done` must follow."""

    granted: bool
    retry_at: datetime | None = None
    reason: Reason = Reason.NONE


@dataclass(frozen=True, slots=True)
class ApiState:
    """One API as /metrics and /readyz show it. `paused_for` is in seconds."""

    api: str
    in_flight: int
    concurrency: int
    paused_for: float
    circuit: Circuit
    admitted: int
    refused: Mapping[Reason, int]

    @property
    def degraded(self) -> bool:
        """True while calls to this API are held back by the platform or the network."""
        return self.paused_for > 0 or self.circuit is not Circuit.CLOSED


@dataclass(slots=True)
class _Api:
    """What the gate knows of one API; guarded by the gate's lock."""

    cap: int
    full_cap: int
    in_flight: int = 0
    lowered_at: float = -math.inf
    paused_until: float = 0.0
    answered_since_pause: bool = True
    cautious_until: float = -math.inf
    failures: int = 0
    first_failure_at: float = 0.0
    circuit: Circuit = Circuit.CLOSED
    opened_at: float = 0.0
    probed_at: float | None = None
    admitted: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)


class Gate:
    """Admits calls of one corp, for all worker threads of this process.

    Windows are shared by processes through the Redis at `redis_url`; pauses, caps and circuits are per process, each
    of which learns them from its own answers.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        redis_url: str = "",
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._policy = policy or Policy()
        self._clock = clock
        self._jitter = jitter
        self._lock = threading.Lock()
        self._apis: dict[str, _Api] = {}
        self._windows = Windows(redis_url=redis_url, wall=wall)
        self._rooms: dict[tuple[str, bool], tuple[Room, ...]] = {}

    def admit(self, api: str, priority: int, now: datetime) -> Admission:
        """Say whether a call may start now; 0 is the highest priority. Never blocks, counts no attempt.

        A granted call occupies a place until `done` or `release`. `now` is only used to express `retry_at`.
        """
        with self._lock:
            state = self._api(api)
            wait, reason = self._hold(state, priority)
            if reason is Reason.NONE:
                state.in_flight += 1
        if reason is Reason.NONE:
            wait = self._windows.take(self._rooms_of(api, priority))  # outside the lock: may ask Redis
            if wait > 0:
                reason = Reason.QUOTA
        with self._lock:
            if reason is Reason.NONE:
                state.admitted += 1
                return Admission(granted=True)
            if reason is Reason.QUOTA:
                self._give_back(state)
            state.refused[reason] += 1
        return Admission(granted=False, retry_at=now + timedelta(seconds=wait), reason=reason)

    def done(self, api: str, outcome: WeChatError | None) -> None:
        """Report how an admitted call ended: None for errcode 0, else the error raised. Frees its place."""
        with self._lock:
            state, now = self._api(api), self._clock()
            self._leave(state)
            if isinstance(outcome, TransportError):
                self._note_failure(state, now)
                return
            state.failures = 0
            state.circuit = Circuit.CLOSED  # any answer proves that the platform is there
            if isinstance(outcome, QuotaSpent):
                self._pause(state, now, outcome)
                return
            if outcome is not None and outcome.errcode == CONCURRENCY_CODE:
                self._lower_cap(state, now)
            if now >= state.paused_until and not isinstance(outcome, TokenInvalid):
                state.answered_since_pause = True  # the platform checks the token before the quota

    def release(self, api: str) -> None:
        """Give back the place of an admitted call that was not made after all."""
        with self._lock:
            self._give_back(self._api(api))

    def snapshot(self) -> tuple[ApiState, ...]:
        """Return the state of every API asked for so far, by name."""
        with self._lock:
            now = self._clock()
            return tuple(
                ApiState(
                    api=name,
                    in_flight=state.in_flight,
                    concurrency=self._cap(state, now),
                    paused_for=max(0.0, state.paused_until - now),
                    circuit=state.circuit,
                    admitted=state.admitted,
                    refused=dict(state.refused),
                )
                for name, state in sorted(self._apis.items())
            )

    def _api(self, api: str) -> _Api:
        state = self._apis.get(api)
        if state is None:
            cap = self._policy.concurrency_of.get(api, self._policy.concurrency)
            state = self._apis[api] = _Api(cap=cap, full_cap=cap)
        return state

    def _rooms_of(self, api: str, priority: int) -> tuple[Room, ...]:
        """The windows a call is counted in; made once."""
        key = (api, priority <= FIRST)
        rooms = self._rooms.get(key)
        if rooms is None:
            rooms = self._rooms[key] = tuple(self._policy.rooms(api, reserved=priority <= FIRST))
        return rooms

    def _hold(self, state: _Api, priority: int) -> tuple[float, Reason]:
        """Return the seconds to wait and why, or (0, NONE). Takes the probe's place when it lets a probe through."""
        now = self._clock()
        if now < state.paused_until:
            return state.paused_until - now, Reason.PAUSED
        self._recover_cap(state, now)
        if state.in_flight >= self._cap(state, now):
            return self._jitter(0.1, 0.5), Reason.CONCURRENCY  # semantics.md: 45033 wants 100-500 ms
        if state.circuit is Circuit.CLOSED:
            return 0.0, Reason.NONE
        return self._hold_for_circuit(state, priority, now)

    def _hold_for_circuit(self, state: _Api, priority: int, now: float) -> tuple[float, Reason]:
        policy = self._policy
        probing = state.probed_at is not None and now - state.probed_at < policy.probe_lost_after
        since_probe = now - (state.opened_at if state.probed_at is None else state.probed_at)
        half_open_in = state.opened_at + policy.open_for - now
        may_probe = half_open_in <= 0 and not (probing and state.circuit is Circuit.HALF_OPEN)
        if may_probe or (priority <= FIRST and since_probe >= policy.probe_every):
            state.circuit, state.probed_at = Circuit.HALF_OPEN, now
            return 0.0, Reason.NONE
        if priority <= FIRST:
            return policy.probe_every - since_probe, Reason.CIRCUIT_OPEN
        return max(half_open_in, policy.probe_every), Reason.CIRCUIT_OPEN

    def _cap(self, state: _Api, now: float) -> int:
        return min(state.cap, self._policy.cautious_cap) if now < state.cautious_until else state.cap

    def _recover_cap(self, state: _Api, now: float) -> None:
        if state.cap >= state.full_cap:
            return
        steps = int((now - state.lowered_at) / self._policy.recover_every)
        if steps > 0:
            state.cap = min(state.full_cap, state.cap + steps * max(1, state.full_cap // 5))
            state.lowered_at += steps * self._policy.recover_every

    def _note_failure(self, state: _Api, now: float) -> None:
        if now - state.first_failure_at > self._policy.failures_within:
            state.failures = 0
        if state.failures == 0:
            state.first_failure_at = now
        state.failures += 1
        if state.circuit is Circuit.HALF_OPEN or state.failures >= self._policy.failures:
            if state.circuit is Circuit.CLOSED:
                state.probed_at = None
            if state.circuit is not Circuit.OPEN:
                state.opened_at = now
            state.circuit = Circuit.OPEN

    def _pause(self, state: _Api, now: float, outcome: QuotaSpent) -> None:
        if now < state.paused_until:
            return  # calls that were under way when the pause began
        first = max(self._policy.pause, outcome.after.total_seconds())
        state.paused_until = now + (first if state.answered_since_pause else self._policy.pause_again)
        state.answered_since_pause = False
        state.cautious_until = state.paused_until + self._policy.cautious_for

    def _lower_cap(self, state: _Api, now: float) -> None:
        if now - state.lowered_at < self._policy.lower_every:
            return  # the same burst: its calls were admitted under the old cap
        state.cap = max(1, min(state.cap, state.in_flight + 1) // 2)
        state.lowered_at = now

    def _give_back(self, state: _Api) -> None:
        self._leave(state)
        if state.circuit is Circuit.HALF_OPEN:
            state.circuit = Circuit.OPEN  # it may have been the probe: let another one go

    @staticmethod
    def _leave(state: _Api) -> None:
        state.in_flight = max(0, state.in_flight - 1)
