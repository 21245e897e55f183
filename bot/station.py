"""The workers of one process of a cluster. Each drains its queue when told to, and once a second anyway."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from types import MappingProxyType

import structlog

from bot.app import Product
from bot.runtime import WorkerSet
from bot.scheduler.jobs import Job
from bot.scheduler.runner import run_guarded
from bot.workers.loop import POLL_SECONDS
from bot.workers.messages import QUEUES
from bot.workers.wakeup import Queue

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 10.0  # then the message is acknowledged, and another process has its turn


class Station:
    """``drain(queue)`` works until nothing is due. ``start`` polls: messages may be lost, rows are not."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self._set = WorkerSet(product)
        self._steps: MappingProxyType[Queue, Callable[[], int]] = MappingProxyType(
            {
                Queue.INBOX: self._set.inbox.tick,
                Queue.WELCOME: self._welcomes,
                Queue.OUTBOX: self._others,
                Queue.BACKGROUND: self._set.background.tick,
            }
        )
        self._told = dict.fromkeys(Queue, False)
        self._turns = {queue: threading.Lock() for queue in Queue}
        self._stopping = threading.Event()
        self._pollers: list[threading.Thread] = []

    # Ticks, not steps: what is no welcome gives way to those that are due, here as in one process.
    def _welcomes(self) -> int:
        return self._set.welcomes.tick() or self._set.welcomes.settle()

    def _others(self) -> int:
        return self._set.others.tick() or self._set.others.settle()

    def listen(self, queue: Queue) -> None:
        """A message said that there is work: ``drain``."""
        if self.product.messages is not None:
            self.product.messages.heard(QUEUES[queue])
        self.drain(queue)

    def run_job(self, job: Job) -> None:
        """A message said that it is time for one of the scheduler's jobs."""
        if self.product.messages is not None:
            self.product.messages.heard(job.name)
        run_guarded(job, self.product)

    def drain(self, queue: Queue) -> None:
        """Work until nothing of ``queue`` is due, or for DRAIN_SECONDS. Told twice at once, one works for both."""
        self._told[queue] = True
        while self._told[queue] and self._turns[queue].acquire(blocking=False):
            try:
                self._told[queue] = False
                self._work(queue)
            finally:
                self._turns[queue].release()

    def _work(self, queue: Queue) -> None:
        end = time.monotonic() + DRAIN_SECONDS
        while not self._stopping.is_set() and self._steps[queue]():
            if time.monotonic() > end:
                self.product.wakeups.wake(queue)
                return

    def start(self, queues: Collection[Queue]) -> None:
        """Poll these queues from now on."""
        for queue in queues:
            poller = threading.Thread(target=self._poll, args=(queue,), name=f"poll-{queue}", daemon=True)
            self._pollers.append(poller)
            poller.start()

    def _poll(self, queue: Queue) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            try:
                self.drain(queue)
            except Exception:  # it must outlive a database that is away for a minute
                log.exception("worker_step_failed", worker=queue.value)

    def stop(self) -> None:
        """Claim no more, let running calls end."""
        self._stopping.set()
        for poller in self._pollers:
            poller.join()
        self._set.close()
        self.product.database.dispose()
