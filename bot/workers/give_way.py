"""Other work leaves the machine to welcomes that are due: their codes live seconds, everything else can wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from scrm.db import Database
from scrm.outbox import claims

MOST_SECONDS = 2.0


class GiveWay:
    """For one dispatcher: ``must()`` before it takes up something that is no welcome."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._since: float | None = None

    def must(self) -> bool:
        """Whether a welcome is due that nobody is sending.

        After MOST_SECONDS one batch goes all the same, so that a stream of welcomes starves nobody.
        """
        with self._database.read() as session:
            waiting = claims.welcomes_wait(session, now=self._clock())
        now = time.monotonic()
        if waiting and (self._since is None or now - self._since < MOST_SECONDS):
            self._since = now if self._since is None else self._since
            return True
        self._since = None
        return False
