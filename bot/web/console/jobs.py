"""``/console/jobs``: long work, how far it is, what came of it; and its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from flask import Response, make_response, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.redact import Redactor
from bot.web.bidi import plain
from bot.web.console.door import ANYBODY, Console, Visit, see_other
from bot.web.console.followups import took
from bot.web.times import Moment
from bot.words.sentences import shown
from bot.workers.run import PACE
from scrm.accounts.models import Account
from scrm.accounts.roles import Role
from scrm.errors import Conflict, NotFound
from scrm.jobs import files
from scrm.jobs import service as jobs
from scrm.jobs.files import FileInfo
from scrm.jobs.models import FileKind, Job, JobState

PAGE = 30
FETCHABLE = (FileKind.RESULT, FileKind.FAILED)
SHOWN = 20  # names of a list in a report
_redactor = Redactor()


@dataclass(frozen=True)
class Attachment:
    """A file to fetch."""

    text: str
    url: str
    size: str


@dataclass(frozen=True)
class Card:
    """A job as the pages show it."""

    id: int
    url: str
    kind: str
    about: str
    who: str
    at: Moment
    ended: Moment | None
    state: str
    text: str
    done: int
    total: int | None
    percent: int | None
    pace: str
    error: str
    found: list[tuple[str, str]]
    files: list[Attachment]
    is_open: bool
    may_cancel: bool
    may_retry: bool


def register(console: Console) -> None:
    """Put the pages at ``/console/jobs``."""

    @console.get("/jobs", ANYBODY)
    def job_list(visit: Visit) -> Response:
        return _list(visit)

    @console.get("/jobs/<int:job_id>", ANYBODY)
    def job_page(visit: Visit, job_id: int) -> Response:
        with visit.read() as session:
            card = _cards(visit, session, [_seen(visit, session, job_id)])[0]
        return visit.page("console/job.html", card=card)

    @console.get("/jobs/mine", ANYBODY)
    def job_mark(visit: Visit) -> Response:
        html = render_template("console/_job_mark.html", screen=visit, t=visit.t, was_running=True)
        return make_response(html)

    @console.post("/jobs/<int:job_id>/cancel", ANYBODY)
    def cancel_job(visit: Visit, job_id: int) -> Response:
        return _change(visit, job_id, "cancelled")

    @console.post("/jobs/<int:job_id>/retry", ANYBODY)
    def retry_job(visit: Visit, job_id: int) -> Response:
        return _change(visit, job_id, "retried")

    @console.get("/jobs/<int:job_id>/files/<kind>", ANYBODY)
    def job_file(visit: Visit, job_id: int, kind: str) -> Response:
        return _fetch(visit, job_id, kind)


def _list(visit: Visit) -> Response:
    before = request.args.get("before", "")
    mine_only = not visit.may("jobs.read") or request.args.get("mine") == "1"
    with visit.read() as session:
        rows = jobs.list_jobs(
            session,
            before=int(before) if before.isascii() and before.isdigit() else None,
            limit=PAGE + 1,
            created_by=visit.actor.audit_name if mine_only else None,
        )
        cards = _cards(visit, session, rows[:PAGE])
    return visit.page(
        "console/jobs.html",
        cards=cards,
        before=before,
        more=rows[PAGE - 1].id if len(rows) > PAGE else None,
        mine=mine_only,
        runs=any(card.is_open for card in cards),
    )


def _is_mine(visit: Visit, job: Job) -> bool:
    return job.created_by == visit.actor.audit_name


def _seen(visit: Visit, session: Session, job_id: int) -> Job:
    """The job, if the visitor may know of it. Raises NotFound."""
    job = jobs.get_job(session, job_id)
    if jobs.is_draft(job) or not (_is_mine(visit, job) or visit.may("jobs.read")):
        raise NotFound("job_not_found", f"没有编号为 {job_id} 的任务")
    return job


def _may_change(visit: Visit, job: Job) -> bool:
    return _is_mine(visit, job) or visit.may("jobs.write")


def _change(visit: Visit, job_id: int, deed: str) -> Response:
    """Cancel or retry, once; what is over already, or under way again, is left alone."""
    with visit.write() as session:
        job = _seen(visit, session, job_id)
        if not _may_change(visit, job):
            raise NotFound("job_not_found", f"没有编号为 {job_id} 的任务")
        try:
            (jobs.cancel if deed == "cancelled" else jobs.retry)(session, job_id, now=visit.now)
        except Conflict:
            return see_other(visit.url("job_page", job_id=job_id))
        visit.record(session, f"job:{deed}", "job", str(job_id), what=job.kind)
    visit.site.wake()
    return see_other(visit.url("job_page", job_id=job_id))


# --- files


def _may_fetch(visit: Visit, job: Job) -> bool:
    return _is_mine(visit, job) or visit.actor.role is Role.ADMIN


def _fetch(visit: Visit, job_id: int, kind: str) -> Response:
    """The file, as it is read: only for whoever started the job, and administrators, and for a week."""
    with visit.write() as session:
        job = _seen(visit, session, job_id)
        if kind not in FETCHABLE:
            raise NotFound("job_file_not_found", "没有这个文件")
        info = files.find_file(session, job_id, FileKind(kind))
        if not _is_there(visit, job, info):
            raise NotFound("job_file_not_found", "没有这个文件，或它已超过 7 天")
        visit.record(session, "job:fetched", "job", str(job_id), file=info.filename, size=info.size)
    response = Response(_pieces(visit, info), mimetype="application/octet-stream")
    response.content_length = info.size
    name = quote(info.filename, safe="")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    return response


def _pieces(visit: Visit, info: FileInfo) -> Iterator[bytes]:
    for n in range(info.pieces):
        with visit.read() as session:
            yield files.piece(session, info.job_id, info.kind, n) or b""


# --- cards


def _cards(visit: Visit, session: Session, rows: Sequence[Job]) -> list[Card]:
    ids = {row.created_by.removeprefix("account:") for row in rows if row.created_by.startswith("account:")}
    names = {row.id: row.name for row in session.scalars(select(Account).where(Account.id.in_(ids)))}
    held: dict[int, list[FileInfo]] = {}
    for info in files.list_files(session, [row.id for row in rows]):
        held.setdefault(info.job_id, []).append(info)
    return [_card(visit, row, names, held.get(row.id, [])) for row in rows]


def _card(visit: Visit, job: Job, names: dict[str, str], held: Sequence[FileInfo]) -> Card:
    t, is_open = visit.t, job.state in jobs.OPEN
    done, total = job.done or 0, job.total
    who = (
        names.get(job.created_by.removeprefix("account:"))
        or t.find(f"job_by_{job.created_by}")
        or job.created_by
    )
    changes = _may_change(visit, job)
    return Card(
        id=job.id,
        url=visit.url("job_page", job_id=job.id),
        kind=t.find(f"job_{job.kind}") or job.kind,
        about=plain(str(job.params.get("filename") or job.params.get("about") or "")),
        who=plain(who),
        at=visit.calendar.moment(job.created_at),
        ended=visit.calendar.moment(job.finished_at) if job.finished_at else None,
        state=job.state.value,
        text=t(f"job_state_{job.state}"),
        done=done,
        total=total,
        percent=min(100, done * 100 // total) if total else None,
        pace=_pace(visit, job) if job.state is JobState.RUNNING else "",
        error=plain(shown(t, _redactor.text(job.error))) if job.error else "",
        found=_found(visit, job),
        files=[_attachment(visit, info) for info in held if _is_there(visit, job, info)],
        is_open=is_open,
        may_cancel=is_open and changes,
        may_retry=job.state in (JobState.FAILED, JobState.CANCELLED) and changes,
    )


def _pace(visit: Visit, job: Job) -> str:
    """How fast it goes and how long it will still take, by what this run has done so far."""
    begun, before = job.cursor.get(PACE, (None, 0))
    if begun is None or job.available_at is None or job.done <= before:
        return ""
    seconds = (job.available_at - jobs.LEASE - datetime.fromisoformat(begun)).total_seconds()
    if seconds < 1:
        return ""
    rate = (job.done - before) / seconds
    told = visit.t("job_rate", n=f"{rate:,.0f}" if rate >= 1 else f"{rate:.1f}")
    if not job.total or job.total <= job.done:
        return told
    return f"{told}{visit.t('comma')}{visit.t('job_left', span=took(visit, round((job.total - job.done) / rate)))}"


def _found(visit: Visit, job: Job) -> list[tuple[str, str]]:
    """What the job found, in words; numbers of nothing are left out."""
    lines: list[tuple[str, str]] = []
    for key, value in job.report.items():
        text = visit.t.find(f"found_{key}")
        if text is None or not value:
            continue
        if isinstance(value, list):
            count = job.report.get(f"{key}_count", len(value))
            more = "…" if count > SHOWN else ""
            lines.append((text, f"{count:,}: {plain(', '.join(map(str, value[:SHOWN])))}{more}"))
        else:
            lines.append((text, f"{value:,}"))
    return lines


def _is_there(visit: Visit, job: Job, info: FileInfo) -> bool:
    young = visit.now - info.created_at <= files.FETCHED
    return info.kind in FETCHABLE and young and job.state is JobState.DONE and _may_fetch(visit, job)


def _attachment(visit: Visit, info: FileInfo) -> Attachment:
    url = visit.url("job_file", job_id=info.job_id, kind=info.kind.value)
    size = (
        f"{max(1, info.size // 1024):,} KB"
        if info.size < files.PIECE
        else f"{info.size / files.PIECE:,.1f} MB"
    )
    return Attachment(f"{visit.t(f'job_file_{info.kind}')} {plain(info.filename)}", url, size)
