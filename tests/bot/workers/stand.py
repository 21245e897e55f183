"""Workers around a pretended platform and a real database, stepped by hand."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from bot.workers.inbox_worker import InboxWorker
from bot.workers.limits import Gate, Policy
from bot.workers.outbox_worker import OutboxWorker
from bot.workers.sender import Gated, Sender
from bot.workers.special_calls import SpecialCalls
from bot.workers.wakeup import Wakeups
from handlers.context import Corp
from scrm.db import Database
from scrm.inbox.models import InboxEvent
from scrm.outbox import claims
from scrm.outbox import service as outbox
from scrm.outbox.commands import Command
from scrm.outbox.models import OutboxAttempt, OutboxCall
from scrm.timeline.models import TimelineEntry
from tests.bot.workers.platform import Clock, Platform

CORP = Corp(ZoneInfo("Asia/Shanghai"), 1000002, "https://crm.example")


class Stand:
    """``stand.owe(command)``, ``stand.send()``, then look at ``stand.call()`` and ``stand.platform``."""

    def __init__(self, database: Database, policy: Policy | None = None) -> None:
        self.database = database
        self.clock = Clock()
        self.platform = Platform(self.clock)
        self.gate = Gate(policy, clock=self.clock.monotonic, jitter=lambda low, _high: low)
        gated = Gated(self.platform, self.gate, self.clock)
        self.special = SpecialCalls(database, gated)
        self.sender = Sender(gated, self.special.table())
        self.wakeups = Wakeups()
        self.worker = self.outbox_worker()
        self.inbox_worker = InboxWorker(database, CORP, self.wakeups, owner="w1", clock=self.clock)

    def outbox_worker(self, *, welcome: bool = False, threads: int = 1) -> OutboxWorker:
        return OutboxWorker(
            self.database,
            self.sender,
            self.wakeups,
            owner="w1",
            clock=self.clock,
            welcome=welcome,
            threads=threads,
        )

    def owe(self, command: Command, **changes: Any) -> int:
        """Owe a call; the id of its row."""
        with self.database.write() as session:
            assert outbox.enqueue(session, command, **{"now": self.clock(), **changes})
            return session.scalars(select(OutboxCall.id).order_by(OutboxCall.id.desc()).limit(1)).one()

    def claim(self, limit: int = 20) -> list[OutboxCall]:
        with self.database.write() as session:
            return claims.claim_calls(session, owner="w1", now=self.clock(), limit=limit)

    def send(self) -> int:
        """Make every call that is due now, once; how many."""
        rows = self.claim()
        for row in rows:
            self.worker.perform(row)
        return len(rows)

    def sweep(self) -> int:
        with self.database.write() as session:
            return len(claims.sweep_expired_leases(session, now=self.clock()))

    def change(self, call_id: int, **values: Any) -> None:
        with self.database.write() as session:
            row = session.get_one(OutboxCall, call_id)
            for name, value in values.items():
                setattr(row, name, value)

    def wait_for(self, call_id: int) -> None:
        """Put the clock to when the call is due."""
        due = self.call(call_id).available_at
        assert due is not None
        self.clock.now = max(self.clock.now, due)

    def call(self, call_id: int) -> OutboxCall:
        with self.database.read() as session:
            return session.get_one(OutboxCall, call_id)

    def calls(self) -> list[OutboxCall]:
        with self.database.read() as session:
            return list(session.scalars(select(OutboxCall).order_by(OutboxCall.id)))

    def attempts(self) -> list[OutboxAttempt]:
        with self.database.read() as session:
            return list(
                session.scalars(select(OutboxAttempt).order_by(OutboxAttempt.outbox_id, OutboxAttempt.n))
            )

    def events(self) -> list[InboxEvent]:
        with self.database.read() as session:
            return list(session.scalars(select(InboxEvent).order_by(InboxEvent.id)))

    def timeline(self) -> list[str]:
        with self.database.read() as session:
            return list(session.scalars(select(TimelineEntry.kind).order_by(TimelineEntry.id)))

    def close(self) -> None:
        self.special.close()
        self.worker.close()

    def open(self) -> closing[Stand]:
        return closing(self)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)
