"""The whole product in this process on a clock that jumps, the sandbox as a process that jumps with it.

Nothing of ours is pretended: the web server, the workers' steps and the list of jobs are the product's. What waits in
an embedded process for real time to pass (the loops, the ticking) is replaced by asking for what is due.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

from granian.constants import Interfaces
from granian.server.embed import Server
from sqlalchemy import func, select

from bot.app import build, create_asgi, wecom_client
from bot.config import load_config
from bot.logs import GRANIAN_LOGGING
from bot.runtime import WorkerSet
from bot.scheduler.jobs import JOBS
from bot.scheduler.runner import run_guarded
from bot.wechat.tokens import TokenStore
from bot.workers.limits import Gate
from migrations import runner
from scrm.accounts import tokens
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox.models import CallState, OutboxCall
from scrm.sync import service as sync
from tests.load.crowd import Crowd
from tests.load.rig import Books, Channels
from tests.rig import Rig

WAITING = (
    (InboxEvent, (EventState.PENDING, EventState.LEASED)),
    (OutboxCall, (CallState.PENDING, CallState.SENDING, CallState.UNKNOWN)),
)


class Time:
    """The machine's clocks, ahead by what was jumped over."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def wall(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


class Simulated(Channels, Rig):
    """``with Simulated(home, database=url, crowds=[…]) as rig``: ``rig.go_to(moment)``, ``rig.work()``."""

    box_options: ClassVar[Mapping[str, Any]] = {"callback-own-clock": True}

    def __init__(self, home: Path, *, database: str, crowds: list[Crowd]) -> None:
        super().__init__(home, database=database)
        self.time = Time()
        self._crowds = crowds

    def _prepare(self) -> None:
        for crowd in self._crowds:
            self.post("/load", crowd.world())
        config = load_config(self.config_path, {})
        client = wecom_client(config, TokenStore(clock=self.time.monotonic))
        gate = Gate(clock=self.time.monotonic, wall=self.time.wall)
        self.product = replace(build(config, clock=self.time.now, client=client), gate=gate)
        self.database = self.product.database
        self.zone = self.product.corp.tz
        runner.upgrade(self.database)
        with self.database.write() as session:
            _, self.token = tokens.create_token(
                session, name="rig", role="admin", ttl=timedelta(days=90), now=self.time.now()
            )
            sync.start_sync(session, created_by="rig", now=self.time.now())
        self._due = {job.name: self.time.now() for job in JOBS}
        self._workers = WorkerSet(self.product)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.app, self._intake = create_asgi(self.product)
        self._server = Server(
            self.app,
            address="127.0.0.1",
            port=self.port,
            interface=Interfaces.ASGI,
            websockets=False,
            log_dictconfig=GRANIAN_LOGGING,
        )
        self._thread.start()
        self.until("the web answers", self.is_up, 60)

    def __enter__(self) -> Self:
        super().__enter__()
        self.books = Books(self.home / "sandbox.db")
        return self

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._server.serve())

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._server.stop)
        self._thread.join(10)
        self._workers.close()
        self._intake.close()
        self.books.close()
        super().__exit__(*error)

    # --- time passes

    def go_to(self, moment: datetime) -> None:
        """Jump there, both sides together, unless it is past."""
        seconds = (moment - self.time.now()).total_seconds()
        if seconds > 0:
            self.post("/clock", {"advance_s": seconds})
            self.time.ahead += seconds

    def tick(self) -> None:
        """Run the scheduler's jobs that are due, once each, as after a late tick."""
        now = self.time.now()
        for job in JOBS:
            if self._due[job.name] <= now:
                run_guarded(job, self.product)
                trigger = job.trigger(self.zone.key)
                self._due[job.name] = trigger.get_next_fire_time(None, now + timedelta(microseconds=1))

    def work(self) -> datetime | None:
        """Handle and send until nothing is due; when the next row falls due that waits for its time."""
        now = self.time.now()
        waiting = self._waiting()
        if any(at <= now for at in waiting):
            self._work()
            waiting = self._waiting()
        return min((at for at in waiting if at > now), default=None)

    def _waiting(self) -> list[datetime]:
        """When rows are due: the first of all, and the first that is due later, of each table."""
        now = self.time.now()
        with self.database.read() as session:
            asked = [
                select(func.min(model.available_at)).where(model.state.in_(states), *later)
                for model, states in WAITING
                for later in ((), (model.available_at > now,))
            ]
            return [at for at in map(session.scalar, asked) if at is not None]

    def _work(self) -> None:
        workers = self._workers
        steps = (
            workers.inbox.step,
            lambda: workers.welcomes.step() or workers.welcomes.settle(),
            lambda: workers.others.step() or workers.others.settle(),
        )
        while sum(step() for step in steps):
            pass

    def make(self, body: dict[str, Any]) -> dict[str, Any]:
        """As over REST, which waits for the code, while we work."""
        with ThreadPoolExecutor(1) as pool:
            made = pool.submit(super().make, body)
            while not made.done():
                self._work()
                time.sleep(0.01)
            return made.result()
