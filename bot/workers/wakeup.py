"""Tells workers that there is work, so that nobody waits for the next poll.

A hint, never a promise: whoever misses it finds the work at its next poll, a second later. In one process it is an
event per queue; with Redis (cluster) it will be a message.
"""

from __future__ import annotations

import threading
from enum import StrEnum


class Queue(StrEnum):
    """What dispatchers wait for."""

    INBOX = "inbox"
    WELCOME = "welcome"
    OUTBOX = "outbox"


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
