"""/jobs: long work with its progress; starting a reconciliation with the platform."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from bot.api import paging
from bot.api.routes import Call, Routes
from bot.api.types import Answer, Page, PageQuery, Text
from bot.redact import Redactor
from scrm.jobs import service
from scrm.jobs.models import Job, JobState
from scrm.sync import service as sync

routes = Routes("任务")
_redactor = Redactor()


class JobOut(Answer):
    """One run of long work."""

    id: int
    kind: str
    state: JobState
    done: int
    total: int | None = Field(description="总量；尚不知道时为 null")
    report: dict[str, Any]
    error: str | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobPage(Page[JobOut]):
    """A page of jobs."""


class JobQuery(PageQuery):
    """Which jobs."""

    kind: Annotated[Text, Field(max_length=48)] | None = None
    state: JobState | None = None


@routes.get("/jobs", "任务，最新的在前", scope="jobs.read")
def list_jobs(call: Call, query: JobQuery) -> JobPage:
    """A page of jobs."""
    before = paging.decode(query.cursor, int)[0] if query.cursor else None
    rows = service.list_jobs(
        call.session, before=before, limit=query.limit + 1, kind=query.kind, state=query.state
    )
    page, cursor = paging.cut(rows, query.limit, lambda row: (row.id,))
    return JobPage(items=[_out(row) for row in page], next_cursor=cursor)


@routes.get("/jobs/<job_id>", "一个任务", scope="jobs.read")
def get_job(call: Call, job_id: int) -> JobOut:
    """One job."""
    return _out(service.get_job(call.session, job_id))


@routes.post("/jobs/sync", "与企业微信全量同步", scope="jobs.write", status=201)
def start_sync(call: Call) -> JobOut:
    """A reconciliation that a worker will run; 409 while one is at work."""
    return _out(sync.start_sync(call.session, created_by=call.actor, now=call.now))


def _out(row: Job) -> JobOut:
    return JobOut(
        id=row.id,
        kind=row.kind,
        state=row.state,
        done=row.done or 0,
        total=row.total,
        report=row.report or {},
        error=None if row.error is None else _redactor.text(row.error),
        created_by=row.created_by,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
