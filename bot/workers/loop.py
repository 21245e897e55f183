"""The loop every worker thread runs: step, rest while idle, stop when asked, survive what a step raises."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from bot.workers.wakeup import Queue, Wakeups

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0  # the safety net behind wake-ups


class Loop:
    """A thread that calls ``step`` until stopped. ``step`` returns how much it did: 0 means rest."""

    def __init__(self, name: str, step: Callable[[], int], wakeups: Wakeups, queue: Queue) -> None:
        self._step = step
        self._wakeups = wakeups
        self._queue = queue
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                done = self._step()
            except Exception:  # the loop must outlive a database that is away for a minute
                log.exception("worker_step_failed", worker=self._thread.name)
                self._stopping.wait(POLL_SECONDS)
                continue
            if not done:
                self._wakeups.wait(self._queue, POLL_SECONDS)

    def stop(self) -> None:
        """Ask the loop to end after its current step."""
        self._stopping.set()
        self._wakeups.wake(self._queue)

    def join(self, seconds: float) -> bool:
        """Wait for the end; whether it came in time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()
