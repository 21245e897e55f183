"""What every stage of a sync does: ask the platform, keep the page with the job's cursor, let it take effect."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.orm import Session

from bot.wechat.errors import (
    AlreadyDone,
    NotSent,
    OutcomeUnknown,
    Permanent,
    QuotaSpent,
    Retryable,
    TokenInvalid,
)
from bot.wechat.wecom import WeComClient
from handlers.context import Context, Corp
from handlers.dispatch import dispatch
from scrm.db import Database
from scrm.errors import LeaseLost
from scrm.inbox import service as inbox
from scrm.inbox.models import InboxEvent
from scrm.jobs import service as jobs
from scrm.jobs.models import Job
from scrm.leases import claim
from scrm.sync import rules, service
from scrm.sync.service import Page

log = structlog.get_logger(__name__)

TRIES = 5  # of one read before the job is given back
LONGEST_WAIT = timedelta(minutes=2)  # for a quota, while holding the job
KEEP_LEASE = timedelta(seconds=30)
POLL_SECONDS = 0.1

STAGES = {
    "departments": "部门",
    "staff": "员工",
    "absent": "核对离职员工",
    "followers": "客户联系权限",
    "tags": "客户标签",
    "ways": "渠道码",
    "contacts": "客户",
    "groups": "客户群",
}


@dataclass(frozen=True)
class SyncProgress:
    """How far a sync is, for a progress bar. ``label`` names the stage for people."""

    stage: str
    label: str
    done: int
    total: int


class Reader:
    """One process's hold on one sync job."""

    def __init__(
        self,
        database: Database,
        client: WeComClient,
        job: Job,
        corp: Corp,
        clock: Callable[[], datetime],
        on_progress: Callable[[SyncProgress], None] | None,
        sleep: Callable[[float], None],
    ) -> None:
        self.database = database
        self.client = client
        self.job = job
        self._corp = corp
        self.clock = clock
        self._on_progress = on_progress
        self._sleep = sleep
        self.cursor: dict[str, Any] = dict(job.cursor)
        self.done = job.done
        self._kept_at = clock()

    @property
    def began(self) -> datetime:
        """Since when what was read counts as read by this job."""
        return self.job.started_at or self.job.created_at

    # --- reading and keeping

    def ask(
        self, api: str, part: str, fields: Mapping[str, Any], refusals: Sequence[int], *, post: bool = False
    ) -> Page:
        """A read whose refusal with one of ``refusals`` is an answer too."""
        at = self.clock()
        try:
            answer = self.call(api, fields) if post else self.call(api, params=fields, secret="app")
        except (Permanent, AlreadyDone) as error:
            if error.errcode not in refusals:
                raise
            key = self._key(api, part)
            return Page(api, key, fields, None, at, error.errcode, error.explanation.message_zh)
        return self.page(api, part, fields, answer, at)

    def page(
        self, api: str, part: str, command: Mapping[str, Any], answer: Mapping[str, Any], at: datetime
    ) -> Page:
        return Page(api, self._key(api, part), command, answer, at)

    def _key(self, api: str, part: str) -> str:
        stage = "end" if api.startswith("sync/") else self.cursor["stage"]
        generation, page = self.cursor.get("generation", 0), self.cursor.get("page", 0)
        return rules.page_key(self.job.id, stage, part, generation, page)

    def call(
        self,
        api: str,
        body: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        secret: str = "contact",
    ) -> dict[str, Any]:
        """Read, again where that may help; keeps the job while waiting."""
        for attempt in range(1, TRIES + 1):
            self._keep_lease()
            try:
                return self.client.call(api, body, params=params, secret=secret)
            except (Retryable, NotSent, OutcomeUnknown, QuotaSpent, TokenInvalid) as error:
                if attempt == TRIES or error.needs_admin:
                    raise
                wait = timedelta(seconds=0.5 * 2**attempt)
                if isinstance(error, Retryable | QuotaSpent):
                    wait = min(max(wait, error.after), LONGEST_WAIT)
                log.warning("sync_read_again", api=api, attempt=attempt, wait_s=wait.total_seconds())
                self._wait(wait)
        raise AssertionError

    def _wait(self, wait: timedelta) -> None:
        left = wait.total_seconds()
        while left > 0:
            step = min(left, 20.0)
            self._sleep(step)
            self._keep_lease()
            left -= step

    def _keep_lease(self) -> None:
        now = self.clock()
        if now - self._kept_at > KEEP_LEASE:
            with self.database.write() as session:
                jobs.heartbeat(session, self.job, now=now)
            self._kept_at = now

    def keep(self, page: Page | None, step: Mapping[str, Any], *, left: int = 0, units: int = 1) -> None:
        """Commit a page with the place to go on from, then let it take effect."""
        cursor = {**self.cursor, **step}
        done, now = self.done + units, self.clock()
        with self.database.write() as session:
            total = done + left + self._ahead(session, cursor)
            if page is not None:
                service.keep_page(session, self.job, page)
            jobs.save_progress(session, self.job, cursor=cursor, done=done, total=total, now=now)
        self.cursor, self.done, self._kept_at = cursor, done, now
        self.tell(total)
        self._apply()

    def _ahead(self, session: Session, cursor: Mapping[str, Any]) -> int:
        """Steps in the stages after this one, as far as known; members left in this one for contacts."""
        stage = cursor["stage"]
        groups = service.count_unread_groups(session, before=self.began) if stage != "groups" else 0
        later = list(STAGES)[list(STAGES).index(stage) + 1 :]
        steps = {"staff": 1, "absent": 0, "followers": 1, "tags": 1}
        ahead = sum(steps.get(name, 0) for name in later)
        if "staff" in later:
            ahead += max(len(service.department_ids(session, after=0)) - 1, 0)
        if "ways" in later:
            ahead += service.count_codes(session)
        if stage == "contacts":
            return groups + service.count_staff(session, after=str(cursor.get("after", "")))
        if stage == "groups":
            return service.count_unread_groups(session, before=self.began)
        return ahead + groups + service.count_staff(session)

    def tell(self, total: int) -> None:
        if self._on_progress is not None:
            stage = self.cursor["stage"]
            self._on_progress(SyncProgress(stage, STAGES[stage], self.done, max(total, self.done)))

    def report(self, found: Mapping[str, Any]) -> None:
        with self.database.write() as session:
            jobs.add_to_report(session, self.job.id, found)

    # --- taking effect

    def _apply(self) -> int:
        """Apply what is due of this job's pages; inbox workers may do the same at the same time."""
        mine = (InboxEvent.lane == rules.lane(self.job.id),)
        applied = 0
        while True:
            now = self.clock()
            with self.database.write() as session:
                rows = claim(
                    session,
                    InboxEvent,
                    inbox.CLAIM,
                    owner=self.job.lease_owner or "sync",
                    lease=inbox.LEASE,
                    limit=1,
                    now=now,
                    where=mine,
                )
            for row in rows:
                self._apply_one(row)
            if not rows:
                return applied
            applied += len(rows)

    def _apply_one(self, row: InboxEvent) -> None:
        now = self.clock()
        context = Context(now=now, received_at=row.received_at, caused_by=row.id, corp=self._corp)
        try:
            with self.database.write() as session:
                handled = dispatch(session, row, context)
                inbox.mark_done(session, row, now=self.clock(), ignored=not handled)
        except LeaseLost:
            return
        except Exception as error:  # the row keeps the error and is tried again
            text = f"{type(error).__name__}: {error}\n{traceback.format_exc(limit=-3)}"[:4000]
            log.exception("sync_page_failed", kind=row.kind, event_id=row.id)
            with self.database.write() as session:
                inbox.mark_failed(session, row, text, now=self.clock())

    def drain(self) -> None:
        """Wait until every page took effect, or was given up."""
        while True:
            self._apply()
            with self.database.read() as session:
                if not service.count_waiting(session, self.job.id):
                    return
            self._sleep(POLL_SECONDS)
            self._keep_lease()
