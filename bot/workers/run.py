"""One run of a job: what the function of its kind may know and do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from bot.workers.give_way import GiveWay
from bot.workers.wakeup import Queue, Wakeups
from handlers.context import Corp
from scrm.access.scope import Actor, actor_of, limit_to
from scrm.accounts.models import Account
from scrm.audit import service as audit
from scrm.db import Database
from scrm.errors import LeaseLost, Refused
from scrm.jobs import service as jobs
from scrm.jobs.models import Job, JobState
from scrm.outbox import service as outbox

PACE = "_pace"  # in the cursor: when this run began and how much was done then, for the rate
REST_SECONDS = 0.05  # between two looks whether welcomes are still due
PAUSE_SECONDS = 0.002  # after each chunk, so that other writers come to their turn


class Cancelled(Exception):
    """A person cancelled the job: what the chunk did is rolled back."""


class Stopped(Exception):
    """The process ends: the chunk is committed, and another run goes on behind it."""


@dataclass(frozen=True)
class Kind:
    """What a job of this kind does, and the permission whoever started it must have to the end."""

    run: Callable[[Run], None]
    permission: str


@dataclass(frozen=True)
class Surroundings:
    """What all runs of a process share."""

    database: Database
    wakeups: Wakeups
    corp: Corp
    clock: Callable[[], datetime]
    stopping: threading.Event


class Run:
    """Work in chunks: each a ``write()`` that ends with ``progress``; the next run goes on at ``cursor``.

    ``read()`` and ``write()`` know only what the person who started the job may see at that moment
    (``params["account_id"]``; without one, as a program's token, they know everything). They raise Refused when that
    person was shut out or lost the permission.
    """

    def __init__(self, around: Surroundings, job: Job, kind: Kind) -> None:
        self.job = job
        self.params: Mapping[str, Any] = job.params
        self.corp = around.corp
        self.actor: Actor | None = None
        self.found: dict[str, Any] = dict(job.report)
        self._around = around
        self._kind = kind
        self._way = GiveWay(around.database, around.clock)
        self._pace = [around.clock().isoformat(), job.done or 0]

    @property
    def cursor(self) -> dict[str, Any]:
        """Where the last committed chunk left off; empty at the first."""
        return {name: value for name, value in self.job.cursor.items() if name != PACE}

    def now(self) -> datetime:
        return self._around.clock()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that reads what the person may see."""
        with self._around.database.read() as session:
            self._limit(session)
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A chunk: all of it takes effect or nothing. Keep it short: SQLite has one writer, and welcomes go first."""
        while self._way.must():
            time.sleep(REST_SECONDS)
        with self._around.database.write() as session:
            self._limit(session)
            yield session
            owed = session.info
        wanted = {outbox.OWED_WELCOME: Queue.WELCOME, outbox.OWED: Queue.OUTBOX}
        queues = [queue for name, queue in wanted.items() if owed.get(name)]
        if queues:
            self._around.wakeups.wake(*queues)
        time.sleep(PAUSE_SECONDS)
        if self._around.stopping.is_set():
            raise Stopped

    def progress(
        self, session: Session, *, done: int, cursor: Mapping[str, Any], total: int | None = None
    ) -> None:
        """Keep how far the job is, and what was reported, in the transaction of the chunk; keeps the lease.

        Raises Cancelled when a person cancelled the job, LeaseLost when another worker has it.
        """
        total = self.job.total if total is None else total
        held = {**cursor, PACE: self._pace}
        with self._held(session):
            jobs.save_progress(
                session, self.job, cursor=held, done=done, total=total, now=self.now(), report=self.found
            )

    def beat(self) -> None:
        """Keep the lease while something takes long that is no chunk. Raises as ``progress`` does."""
        with self._around.database.write() as session, self._held(session):
            jobs.heartbeat(session, self.job, now=self.now())
        if self._around.stopping.is_set():
            raise Stopped

    def report(self, found: Mapping[str, int | list[Any]]) -> None:
        """Add to what the job found: numbers add up, lists grow. Kept with the next ``progress``, or at the end."""
        self.found = jobs.merged(self.found, found)

    def record(self, session: Session, action: str, kind: str = "", key: str = "", **detail: Any) -> None:
        """Write into the audit trail what the person who started the job did."""
        who, name = self.job.created_by, self.job.created_by
        if self.actor is not None:
            who, name = self.actor.audit_name, self.actor.name
        audit.append(session, audit.Deed(who, name, action, kind, key, detail), now=self.now())

    @contextmanager
    def _held(self, session: Session) -> Iterator[None]:
        try:
            yield
        except LeaseLost:
            if jobs.get_job(session, self.job.id).state is JobState.CANCELLED:
                raise Cancelled from None
            raise

    def _limit(self, session: Session) -> None:
        account_id = self.params.get("account_id")
        if account_id is None:
            return
        account = session.get(Account, account_id)
        if account is None or account.disabled_at is not None:
            raise Refused("job_account_closed", "发起人的账号已停用，任务已停止；请由有权限的同事重新发起")
        self.actor = actor_of(session, account)
        if not self.actor.may(self._kind.permission):
            raise Refused(
                "job_not_permitted",
                "发起人已没有做这件事的权限，任务已停止；请联系管理员，或由有权限的同事重新发起",
            )
        limit_to(session, self.actor)
