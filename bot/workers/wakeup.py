"""Tells workers that there is work, so that nobody waits for the next poll.

A hint, never a promise: whoever misses it finds the work at its next poll, a second later. In one process it is an
event per queue; in a cluster a message to the processes that work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import StrEnum

import structlog

log = structlog.get_logger(__name__)

AWAY_SECONDS = 1.0  # a broker that is away is not asked more often


class Queue(StrEnum):
    """What dispatchers wait for."""

    INBOX = "inbox"
    WELCOME = "welcome"
    OUTBOX = "outbox"
    BACKGROUND = "background"


class Wakeups:
    """One event per queue; each queue has one waiting dispatcher in the process."""

    def __init__(self) -> None:
        self._events = {queue: threading.Event() for queue in Queue}

    def wake(self, *queues: Queue) -> None:
        """Wake the dispatchers of the given queues; all of them without arguments."""
        for queue in queues or Queue:
            self._events[queue].set()

    def wait(self, queue: Queue, seconds: float) -> None:
        """Return when woken, or after ``seconds``; a wake-up that came before is not lost."""
        self._events[queue].wait(seconds)
        self._events[queue].clear()


class SharedWakeups(Wakeups):
    """Wake-ups that reach other processes, told by a thread of its own: a broker that is away delays nobody."""

    def __init__(self, tell: Callable[[Queue], None]) -> None:
        super().__init__()
        self._tell = tell
        self._wanted: set[Queue] = set()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None  # made at the first use: threads do not survive a fork

    def wake(self, *queues: Queue) -> None:
        super().wake(*queues)
        with self._change:
            self._wanted.update(queues or Queue)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="wakeups", daemon=True)
                self._thread.start()
            self._change.notify()

    def _run(self) -> None:
        away = False
        while True:
            with self._change:
                self._change.wait_for(lambda: self._wanted)
                queues, self._wanted = sorted(self._wanted), set()
            try:
                for queue in queues:
                    self._tell(queue)
            except Exception as error:  # noqa: BLE001 - whatever a broker's client raises: workers poll
                if not away:
                    log.warning("wakeups_not_told", error=str(error))
                away = True
                threading.Event().wait(AWAY_SECONDS)
            else:
                away = False
