"""Of many schedulers one ticks: who leads runs the jobs, the others wait to succeed it within seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from prometheus_client import Gauge

from bot.app import Product
from bot.scheduler.runner import run_by_message, start_scheduler
from scrm.ids import new_token
from scrm.leadership import lead, resign

log = structlog.get_logger(__name__)

MATTER = "scheduler"
TERM = timedelta(seconds=6)
RENEW_SECONDS = 2.0

LEADS = Gauge("lianke_leader", "1 in the scheduler that runs the jobs")


class Candidate:
    """``run(stopping)`` until told to stop: ticks while it leads."""

    def __init__(self, product: Product, start: Callable[..., BackgroundScheduler] = start_scheduler) -> None:
        self._product = product
        self._start = start
        self._owner = f"{product.owner}:{new_token(4)}"
        self._ticking: BackgroundScheduler | None = None
        self._renewed = 0.0

    @property
    def leads(self) -> bool:
        """Whether this one runs the jobs."""
        return self._ticking is not None

    def run(self, stopping: threading.Event) -> None:
        """Stand for leadership until ``stopping``; then resign, so that the next one takes over at once."""
        while not stopping.is_set():
            self.step()
            stopping.wait(RENEW_SECONDS)
        self._lose()
        try:
            with self._product.database.write() as session:
                resign(session, MATTER, self._owner, now=self._product.clock())
        except Exception:  # the term ends by itself
            log.exception("leader_not_resigned")

    def step(self) -> None:
        """Take or renew the leadership, or find that it is lost."""
        asked = time.monotonic()
        try:
            with self._product.database.write() as session:
                leads = lead(session, MATTER, self._owner, now=self._product.clock(), term=TERM)
        except Exception as error:  # noqa: BLE001 - a database that is away: the term goes on until its end
            log.warning("leader_not_renewed", error=str(error))
            leads = self.leads and asked - self._renewed < TERM.total_seconds()
        else:
            self._renewed = asked
        if leads and not self.leads:
            log.info("leader_elected", owner=self._owner)
            self._ticking = self._start(self._product, run_by_message)
            LEADS.set(1)
        elif self.leads and not leads:
            log.warning("leader_lost", owner=self._owner)
            self._lose()

    def _lose(self) -> None:
        LEADS.set(0)
        if self._ticking is not None:
            self._ticking.shutdown(wait=False)
            self._ticking = None
