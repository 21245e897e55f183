"""Claims events and runs their handlers: effect, calls owed and 'done' in one transaction."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import structlog
from prometheus_client import Counter, Histogram
from structlog.contextvars import bound_contextvars

from bot.workers.give_way import GiveWay
from bot.workers.wakeup import Queue, Wakeups
from handlers.context import Context, Corp
from handlers.dispatch import dispatch_together, dispatch_urgent
from scrm.db import Database
from scrm.errors import LeaseLost
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox import service as outbox

log = structlog.get_logger(__name__)

BATCH = 32  # scans greeted together; other work of theirs comes in smaller pieces, for it holds up greetings
CROWD = 8  # from so many waiting scans on, all are greeted before the first is handled to the end
SMALL_BATCH = 12  # other events, which must not keep a scan waiting
PUT_OFF = 2  # the priority of an event whose greeting is owed: before answers, after other greetings

EVENTS = Counter("lianke_inbox_events_total", "Events handled, by outcome", ["outcome"])
HANDLED_AFTER = Histogram("lianke_inbox_age_seconds", "From received to handled")


class InboxWorker:
    """One thread's worth of event handling."""

    def __init__(
        self, database: Database, corp: Corp, wakeups: Wakeups, *, owner: str, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._corp = corp
        self._wakeups = wakeups
        self._owner = owner
        self._clock = clock
        self._give_way = GiveWay(database, clock)

    def tick(self) -> int:
        """``step`` for the loop: other events wait while a welcome is due that nobody is sending."""
        return self._urgent_step() or (0 if self._give_way.must() else self._other_step())

    def step(self) -> int:
        """Claim a batch and handle it; how many events were claimed."""
        return self._urgent_step() or self._other_step()

    def _urgent_step(self) -> int:
        rows = self._claim(BATCH, urgent=True)
        left = self._greet_first(rows) if len(rows) >= CROWD else rows
        if left:
            self._handle_batch(left)
        return len(rows)

    def _other_step(self) -> int:
        rows = self._claim(SMALL_BATCH)
        if rows:
            self._handle_batch(rows)
        return len(rows)

    def _claim(self, limit: int, *, urgent: bool = False) -> list[InboxEvent]:
        with self._database.write() as session:
            return inbox.claim_events(
                session, owner=self._owner, now=self._clock(), limit=limit, urgent=urgent
            )

    def _greet_first(self, rows: list[InboxEvent]) -> list[InboxEvent]:
        """Do what cannot wait and put the rest off, in one transaction; which rows are still to be handled."""
        try:
            with self._database.write() as session:
                greeted = dispatch_urgent(session, rows, self._context)
                inbox.put_off(session, greeted, priority=PUT_OFF, now=self._clock())
        except Exception as error:  # noqa: BLE001 - whose it is shows when each runs alone
            log.info("event_batch_split", events=len(rows), why=type(error).__name__)
            return rows
        self._wakeups.wake(Queue.WELCOME)
        return [row for row in rows if row not in greeted]

    @contextmanager
    def _context(self, row: InboxEvent) -> Iterator[Context]:
        with bound_contextvars(event_id=row.id, request_id=row.request_id):
            yield Context(now=self._clock(), received_at=row.received_at, caused_by=row.id, corp=self._corp)

    def _handle_batch(self, rows: list[InboxEvent]) -> None:
        """Events of one kind in one transaction, which is most of an event's cost; if one fails, each in its own."""
        for kind in dict.fromkeys(row.kind for row in rows):
            self._handle_kind([row for row in rows if row.kind == kind])

    def _handle_kind(self, rows: list[InboxEvent]) -> None:
        if len(rows) > 1:
            try:
                handled = self._run(rows)
            except Exception as error:  # noqa: BLE001 - whose it is shows when each runs alone
                log.info("event_batch_split", events=len(rows), why=type(error).__name__)
            else:
                self._count(rows, handled)
                return
        for row in rows:
            self._handle(row)

    def _handle(self, row: InboxEvent) -> None:
        with bound_contextvars(event_id=row.id, request_id=row.request_id):
            try:
                handled = self._run([row])
            except LeaseLost:
                log.warning("event_lease_lost", kind=row.kind)
            except Exception as error:  # noqa: BLE001 - the row keeps the error; the loop goes on with the next
                self._failed(row, error)
            else:
                self._count([row], handled)

    def _run(self, rows: list[InboxEvent]) -> list[bool]:
        """Effects, calls owed and 'done' of all rows in one transaction; whether each was known to anybody."""
        with self._database.write() as session:
            handled = dispatch_together(session, rows, self._context)
            for ignored in (False, True):
                done = [row for row, known in zip(rows, handled, strict=True) if known is not ignored]
                inbox.mark_done_together(session, done, now=self._clock(), ignored=ignored)
            owed = session.info
        wanted = {outbox.OWED_WELCOME: Queue.WELCOME, outbox.OWED: Queue.OUTBOX}
        queues = [queue for name, queue in wanted.items() if owed.get(name)]
        if queues:
            self._wakeups.wake(*queues)
        return handled

    def _count(self, rows: list[InboxEvent], handled: list[bool]) -> None:
        now = self._clock()
        for row, known in zip(rows, handled, strict=True):
            EVENTS.labels("done" if known else "ignored").inc()
            HANDLED_AFTER.observe((now - row.received_at).total_seconds())

    def _failed(self, row: InboxEvent, error: Exception) -> None:
        where = traceback.format_exc(limit=-3)
        text = f"{type(error).__name__}: {error}\n{where}"[:4000]
        try:
            with self._database.write() as session:
                state = inbox.mark_failed(session, row, text, now=self._clock())
        except LeaseLost:
            return
        EVENTS.labels("dead" if state is EventState.DEAD else "failed").inc()
        log.error("event_failed", kind=row.kind, attempt=row.attempts, state=state.value, error=text)
