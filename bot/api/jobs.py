"""/jobs: long work with its progress; starting a reconciliation with the platform, or an import."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from bot import workbook
from bot.api import paging
from bot.api.routes import Call, Raw, Routes, Upload
from bot.api.types import Answer, Page, PageQuery, Text
from bot.redact import Redactor
from bot.workers import importing
from scrm.errors import Invalid, NotFound
from scrm.jobs import files, service
from scrm.jobs.models import FileKind, Job, JobState
from scrm.leads.making import Known
from scrm.leads.sheets import read_sheet
from scrm.sync import service as sync

routes = Routes("任务")
LONGEST_NAME = 120
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


@routes.post(
    "/jobs/import",
    "导入客户",
    scope="jobs.write",
    status=201,
    note="multipart/form-data：file 为 xlsx、xls 或 CSV，列名同 lianke import contacts；known 可填 skip（默认）、fill、"
    "overwrite，即手机号已有客户时跳过、补充空白字段、覆盖。不合格的行在 /jobs/<job_id>/failed.xlsx。",
)
def start_import(call: Call, upload: Upload) -> JobOut:
    """An import of contacts that a worker will run."""
    known = upload.fields.get("known", Known.SKIP)
    extra = set(upload.fields) - {"known"}
    if extra or known not in list(Known):
        fields = dict.fromkeys(sorted(extra)[:20], "没有这个字段，请删除")
        fields |= {} if known in list(Known) else {"known": "应为 skip、fill 或 overwrite"}
        raise Invalid("invalid", "请求内容有误", fields)
    read_sheet(upload.content)
    job = service.start_job(
        call.session,
        importing.KIND,
        params={"filename": upload.filename[-LONGEST_NAME:], "known": known},
        created_by=call.actor,
        lane=f"{importing.KIND}:{call.token.id}",
        queue=True,
        now=call.now,
    )
    files.save(call.session, job, FileKind.INPUT, upload.filename, upload.content, now=call.now)
    return _out(job)


@routes.get(
    "/jobs/<job_id>/failed.xlsx",
    "没能导入的行（Excel）",
    scope="jobs.read",
    produces=(workbook.MIMETYPE,),
    note="只有发起导入的令牌可以下载，保留 7 天。",
)
def job_failures(call: Call, job_id: int) -> Raw:
    """The rows that failed, each with its reason, ready to be mended and imported again."""
    job = service.get_job(call.session, job_id)
    info = files.find_file(call.session, job_id, FileKind.FAILED)
    if job.created_by != call.actor or call.now - info.created_at > files.FETCHED:
        raise NotFound("job_file_not_found", "没有这个文件，或它已超过保存期")
    return Raw(files.read(call.session, job_id, FileKind.FAILED), workbook.MIMETYPE)


@routes.post("/jobs/<job_id>/cancel", "取消任务", scope="jobs.write", note="已完成的部分保留。")
def cancel_job(call: Call, job_id: int) -> JobOut:
    """The job stops at its next step; 409 when it is over."""
    return _out(service.cancel(call.session, job_id, now=call.now))


@routes.post(
    "/jobs/<job_id>/retry", "继续失败或已取消的任务", scope="jobs.write", note="从停下的地方接着做。"
)
def retry_job(call: Call, job_id: int) -> JobOut:
    """The job goes on where it stopped; 409 unless it failed or was cancelled."""
    return _out(service.retry(call.session, job_id, now=call.now))


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
