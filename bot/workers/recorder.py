"""Writes down what senders bring home: those who wait at the same moment share one transaction."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from bot.workers.sender import Attempt
from bot.workers.wakeup import Queue, Wakeups
from scrm import batch
from scrm.db import Database
from scrm.dialects import may_pass
from scrm.inbox import service as inbox
from scrm.outbox import service as outbox
from scrm.outbox.commands import FetchContact
from scrm.outbox.models import CallState, OutboxCall

log = structlog.get_logger(__name__)

BATCH = 16
WAITS = (0.1, 0.5, 2.0)  # seconds: a failover of the database should cost no call its outcome


@dataclass(eq=False)
class Result:
    """One attempt's result on its way into the database."""

    row: OutboxCall
    attempt: Attempt
    asked_at: datetime
    state: CallState | None = None
    error: Exception | None = None

    @property
    def is_over(self) -> bool:
        """Whether it was written, or cannot be."""
        return self.state is not None or self.error is not None


class Recorder:
    """For the senders of one lane. Whoever's turn it is writes for all who wait: no thread of its own."""

    def __init__(self, database: Database, wakeups: Wakeups, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._wakeups = wakeups
        self._clock = clock
        self._waiting: list[Result] = []
        self._list = threading.Lock()
        self._turn = threading.Lock()

    def record(self, row: OutboxCall, attempt: Attempt, asked_at: datetime) -> CallState:
        """Return the call's new state once it is committed. Raises LeaseLost, and what the database raises."""
        result = Result(row, attempt, asked_at)
        with self._list:
            self._waiting.append(result)
        with self._turn:
            while not result.is_over:
                with self._list:
                    taken, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                self._write(taken)
        if result.error is not None:
            raise result.error
        assert result.state is not None  # noqa: S101 - for mypy: is_over says so
        return result.state

    def _write(self, results: list[Result], waits: tuple[float, ...] = WAITS) -> None:
        """All in one transaction; if one fails, each in its own: it fails alone, after some tries if it may pass.

        A second try after a commit of which nobody knows is refused by the lease: LeaseLost, and the state is right.
        """
        try:
            states = self._commit(results)
        except Exception as error:  # noqa: BLE001 - told to whoever waits for this result
            if len(results) > 1:
                for result in results:
                    self._write([result])
                return
            if may_pass(error) and waits:
                time.sleep(waits[0])
                self._write(results, waits[1:])
                return
            results[0].error = error
            return
        for result, state in zip(results, states, strict=True):
            result.state = state

    def _commit(self, results: list[Result]) -> list[CallState]:
        with self._database.write() as session:
            now = self._clock()
            with batch.collect(session):
                states = [self._finish(session, result, now) for result in results]
            arrived = session.info.get(inbox.ARRIVED)
        if arrived:
            self._wakeups.wake(Queue.INBOX)
        return states

    def _finish(self, session: Session, result: Result, now: datetime) -> CallState:
        row, asked_at = result.row, result.asked_at
        outcome = replace(result.attempt.outcome, asked_at=asked_at)
        state = outbox.finish(session, row, outcome, now=now)
        profile = result.attempt.profile
        if profile is not None and row.contact_id is not None:
            external = row.command["external_userid"]
            inbox.record_answer(
                session,
                FetchContact.api,
                {"state": "sent", "command": {"external_userid": external}, "answer": profile},
                key=f"welcome-profile:{row.id}:{row.attempts}",
                now=now,
                lane=f"fetch:{external}",
                call_id=row.id,
                asked_at=asked_at,
            )
            reason = "欢迎语发送时已读取客户资料"
            outbox.skip_pending(session, row.contact_id, FetchContact, reason, owed_before=asked_at, now=now)
        return state
