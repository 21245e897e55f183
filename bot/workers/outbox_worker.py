"""Claims owed calls, hands them to sender threads, records what came of each.

Two of these run in a process: one for welcomes alone, so that nothing else can delay them, one for the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import structlog
from prometheus_client import Counter, Histogram
from structlog.contextvars import bound_contextvars

from bot.workers.give_way import GiveWay
from bot.workers.recorder import Recorder
from bot.workers.sender import Attempt, Sender
from bot.workers.wakeup import Queue, Wakeups
from scrm.db import Database
from scrm.errors import LeaseLost
from scrm.outbox import claims
from scrm.outbox.models import CallState, OutboxCall
from scrm.outbox.service import Outcome, Verdict

log = structlog.get_logger(__name__)

CALLS = Counter("lianke_outbox_calls_total", "Attempts at owed calls, by outcome", ["api", "state"])
WELCOME_SECONDS = Histogram(
    "lianke_welcome_seconds",
    "From enqueued to accepted by the platform",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 18),
)


class OutboxWorker:
    """A dispatcher with ``threads`` senders. ``step`` claims no more than there are idle senders."""

    def __init__(
        self,
        database: Database,
        sender: Sender,
        wakeups: Wakeups,
        *,
        owner: str,
        clock: Callable[[], datetime],
        welcome: bool,
        threads: int,
    ) -> None:
        self._database = database
        self._sender = sender
        self._wakeups = wakeups
        self._owner = owner
        self._clock = clock
        self._welcome = welcome
        self._queue = Queue.WELCOME if welcome else Queue.OUTBOX
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=self._queue.value)
        self._idle = threading.Semaphore(threads)
        self._threads = threads
        self._room = 1  # how many calls the last step could have claimed
        self._recorder = Recorder(database, wakeups, clock)
        self._give_way = GiveWay(database, clock)

    def tick(self) -> int:
        """``step`` for the loop: 0, too, when fewer were due than could be sent. Nothing is left to look for then."""
        if not self._welcome and self._give_way.must():
            return 0
        claimed = self.step()
        if claimed == self._room:
            return claimed
        if self._welcome:
            self._wakeups.wake(Queue.INBOX, Queue.OUTBOX)  # they give way while a welcome is due
        return 0

    def step(self) -> int:
        """Claim as many calls as senders are idle and set them going; how many."""
        self._room = 1
        if not self._idle.acquire(timeout=1.0):
            return 1  # all busy: not idle, only full
        free = 1
        while free < self._threads and self._idle.acquire(blocking=False):
            free += 1
        self._room = free
        claimed: list[OutboxCall] = []  # stays empty when the commit fails: those senders are idle still
        try:
            with self._database.write() as session:
                rows = claims.claim_calls(
                    session, owner=self._owner, now=self._clock(), limit=free, welcome=self._welcome
                )
            claimed = rows
        finally:
            for _ in range(free - len(claimed)):
                self._idle.release()
        for row in claimed:
            self._pool.submit(self._work, row)
        return len(claimed)

    def settle(self) -> bool:
        """Wait until no call is under way; whether one was."""
        held = 0
        while held < self._threads and self._idle.acquire(blocking=False):
            held += 1
        waited = held < self._threads
        for _ in range(self._threads - held):
            self._idle.acquire()
        for _ in range(self._threads):
            self._idle.release()
        return waited

    def _work(self, row: OutboxCall) -> None:
        try:
            with bound_contextvars(outbox_id=row.id):
                self.perform(row)
        except Exception:  # the pool would keep it to itself; the lease runs out and the call becomes unknown
            log.exception("call_not_recorded", outbox_id=row.id, api=row.api)
        finally:
            self._idle.release()
            if row.lane is not None:
                self._wakeups.wake(self._queue)  # the next of the lane

    def perform(self, row: OutboxCall) -> None:
        """Make one claimed call and record the outcome. A crash in between leaves a lease that runs out."""
        asked_at = self._clock()
        try:
            attempt = self._sender.attempt(row)
        except Exception as error:  # a bug in our sender: nobody knows how far it came
            log.exception("sender_crashed", api=row.api)
            attempt = Attempt(Outcome(Verdict.UNKNOWN, reason=f"{type(error).__name__}: {error}"[:500]))
        try:
            state = self._recorder.record(row, attempt, asked_at)
        except LeaseLost:
            log.warning("call_lease_lost", api=row.api)
            return
        CALLS.labels(row.api, state.value).inc()
        if state is CallState.SENT and row.priority == 0:
            WELCOME_SECONDS.observe((self._clock() - row.created_at).total_seconds())
        if state not in (CallState.SENT, CallState.SKIPPED, CallState.PENDING):
            log.warning(
                "call_not_sent",
                api=row.api,
                state=state.value,
                attempt=row.attempts,
                why=attempt.outcome.reason,
            )

    def close(self) -> None:
        """Let running calls end; they have their own timeouts."""
        self._pool.shutdown(wait=True, cancel_futures=False)
