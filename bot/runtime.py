"""The embedded runtime: workers and the scheduler as threads of one process."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import structlog
from sqlalchemy.engine import make_url

from bot.app import Product
from bot.scheduler.runner import start_scheduler
from bot.workers.background import Background
from bot.workers.inbox_worker import InboxWorker
from bot.workers.kinds import KINDS
from bot.workers.loop import Loop
from bot.workers.outbox_worker import OutboxWorker
from bot.workers.sender import Gated, Sender
from bot.workers.special_calls import SpecialCalls
from bot.workers.wakeup import Queue
from scrm.db import Database
from scrm.inbox import service as inbox
from scrm.jobs import service as jobs
from scrm.outbox import claims

log = structlog.get_logger(__name__)

WELCOME_THREADS = 8
OTHER_THREADS = 6
STOP_SECONDS = 25.0


class AlreadyRunning(Exception):
    """Another embedded process works on the same database."""


class WorkerSet:
    """The workers of one process, wired and idle."""

    def __init__(self, product: Product) -> None:
        gated = Gated(product.client, product.gate, product.clock)
        self._special = SpecialCalls(product.database, gated)
        self._sender = Sender(gated, self._special.table())
        self._product = product
        self.inbox = InboxWorker(
            product.database, product.corp, product.wakeups, owner=product.owner, clock=product.clock
        )
        self.welcomes = self._outbox(welcome=True, threads=WELCOME_THREADS)
        self.others = self._outbox(welcome=False, threads=OTHER_THREADS)
        self.background = Background(
            product.database, product.wakeups, KINDS, product.corp, owner=product.owner, clock=product.clock
        )

    def _outbox(self, *, welcome: bool, threads: int) -> OutboxWorker:
        product = self._product
        return OutboxWorker(
            product.database,
            self._sender,
            product.wakeups,
            owner=product.owner,
            clock=product.clock,
            welcome=welcome,
            threads=threads,
        )

    def close(self) -> None:
        """Let running calls end, and jobs after the chunk they are at."""
        self.background.close()
        self.welcomes.close()
        self.others.close()
        self._special.close()


class Workers:
    """All threads of an embedded process. ``start``, then ``stop``; not restartable."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._set = workers = WorkerSet(product)
        self._loops = [
            Loop("inbox", workers.inbox.tick, product.wakeups, Queue.INBOX),
            Loop("welcome", workers.welcomes.tick, product.wakeups, Queue.WELCOME),
            Loop("outbox", workers.others.tick, product.wakeups, Queue.OUTBOX),
            Loop("background", workers.background.tick, product.wakeups, Queue.BACKGROUND),
        ]
        self._lock = _only_one(product.database)

    def start(self) -> None:
        """Take over what a dead process left, where we are surely alone, then work."""
        if self._lock is not None:
            self._take_over()
        for loop in self._loops:
            loop.start()
        self._scheduler = start_scheduler(self._product)

    def _take_over(self) -> None:
        now = self._product.clock()
        with self._product.database.write() as session:
            events = inbox.release_all(session, now=now)
            calls = claims.sweep_expired_leases(session, now=now, everyone=True)
            left = jobs.release_all(session, list(KINDS), now=now)
        if events or calls or left:
            log.warning("took_over_after_crash", events=events, calls=len(calls), jobs=left)

    def stop(self) -> None:
        """Stop claiming, let running work end within STOP_SECONDS; what does not is recovered at the next start."""
        end = time.monotonic() + STOP_SECONDS
        self._scheduler.shutdown(wait=False)
        for loop in self._loops:
            loop.stop()
        for loop in self._loops:
            loop.join(max(0.1, end - time.monotonic()))
        self._set.close()
        if self._lock is not None:
            os.close(self._lock)


def _only_one(database: Database) -> int | None:
    """Hold a lock file for as long as we run: taking over leases is right only when nobody else works."""
    if database.dialect != "sqlite":
        return None
    path = Path(make_url(str(database.engine.url)).database or "")
    handle = os.open(path.with_name(path.name + ".serve"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise AlreadyRunning(f"另一个联客进程正在使用 {path}，请先停止它") from error
    return handle
