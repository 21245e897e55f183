"""Takes up the jobs that people start: any process may, each chunk takes effect once, no kind waits for another.

A kind is a function of a ``Run`` (``bot/workers/run.py``) and a line in ``bot/workers/kinds.py``. ``ask_for`` makes the
job; wake ``Queue.BACKGROUND`` after the commit. A job whose process died goes on at its cursor elsewhere, at the latest
when its lease ends.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from bot.workers.run import Cancelled, Kind, Run, Stopped, Surroundings
from bot.workers.wakeup import Queue, Wakeups
from handlers.context import Corp
from scrm.access.scope import Actor
from scrm.db import Database
from scrm.errors import LeaseLost, ScrmError
from scrm.jobs import service as jobs
from scrm.jobs.models import Job
from scrm.leases import backoff

__all__ = ["Background", "Cancelled", "Kind", "Run", "ask_for"]

log = structlog.get_logger(__name__)

AT_ONCE = 2  # jobs of one kind in one process
TRIES = 3  # of a chunk that raises what nobody foresaw
WAIT = timedelta(seconds=5)  # before the second try


def ask_for(session: Session, kind: str, actor: Actor, params: Mapping[str, Any], *, now: datetime) -> Job:
    """A job of this person; it waits while an earlier one of theirs and this kind is not over."""
    return jobs.start_job(
        session,
        kind,
        params={**params, "account_id": actor.account_id},
        created_by=actor.audit_name,
        lane=f"{kind}:{actor.account_id}",
        queue=True,
        now=now,
    )


class Background:
    """One process's share of the jobs. ``tick`` takes up what is due and returns at once; threads do the work."""

    def __init__(
        self,
        database: Database,
        wakeups: Wakeups,
        kinds: Mapping[str, Kind],
        corp: Corp,
        *,
        owner: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._around = Surroundings(database, wakeups, corp, clock, threading.Event())
        self._kinds = kinds
        self._owner = owner
        self._busy: Counter[str] = Counter()
        self._changing = threading.Lock()
        self._threads = ThreadPoolExecutor(max(1, AT_ONCE * len(kinds)), thread_name_prefix="job")

    def tick(self) -> int:
        """Take up jobs while there is room for their kind; how many."""
        taken = 0
        while not self._around.stopping.is_set():
            job = self._claim()
            if job is None:
                break
            taken += 1
            with self._changing:
                self._busy[job.kind] += 1
            self._threads.submit(self._work, job)
        return taken

    def _claim(self) -> Job | None:
        with self._changing:
            free = [kind for kind in self._kinds if self._busy[kind] < AT_ONCE]
        if not free:
            return None
        with self._around.database.write() as session:
            return jobs.claim_job(session, owner=self._owner, now=self._around.clock(), kinds=free)

    def _work(self, job: Job) -> None:
        with bound_contextvars(job_id=job.id, kind=job.kind):
            try:
                self._run(job)
            except LeaseLost:
                log.warning("background_job_lost")
            except Exception:  # the database is away: the lease ends, and somebody goes on at the cursor
                log.exception("background_job_left")
            finally:
                with self._changing:
                    self._busy[job.kind] -= 1
                self._around.wakeups.wake(Queue.BACKGROUND)

    def _run(self, job: Job) -> None:
        kind = self._kinds[job.kind]
        run = Run(self._around, job, kind)
        try:
            kind.run(run)
        except Cancelled:
            log.info("background_job_cancelled")
        except Stopped:
            self._give_back(job, timedelta(0))
        except LeaseLost:
            raise
        except ScrmError as error:
            log.info("background_job_refused", code=error.code)
            self._fail(run, error.message)
        except Exception as error:
            log.exception("background_job_crashed", attempt=job.attempts)
            text = f"程序出错（{type(error).__name__}），详情在日志里（background_job_crashed）；重试会接着做"
            if job.attempts >= TRIES:
                self._fail(run, text)
            else:
                self._give_back(job, backoff(job.attempts, base=WAIT), text)
        else:
            with self._around.database.write() as session:
                jobs.finish(session, job, now=run.now(), report=run.found)
            log.info("background_job_done", done=job.done)

    def _fail(self, run: Run, text: str) -> None:
        with self._around.database.write() as session:
            jobs.fail(session, run.job, text, now=run.now())

    def _give_back(self, job: Job, after: timedelta, error: str | None = None) -> None:
        with self._around.database.write() as session:
            jobs.give_back(session, job, now=self._around.clock() + after, error=error)

    def close(self) -> None:
        """Take up no more; jobs under way end with their chunk and are given back."""
        self._around.stopping.set()
        self._threads.shutdown()
