"""Start, lease, advance and end jobs. One process works on a job at a time; a crash leaves it to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from scrm.db import affected
from scrm.errors import Conflict, LeaseLost, NotFound
from scrm.jobs.models import Job, JobFile, JobState
from scrm.leases import Claim, claim, holds

LEASE = timedelta(minutes=2)  # a job that shows no progress for this long is taken over
DRAFT_KEPT = timedelta(days=1)
MAX_ATTEMPTS = 8
OPEN = (JobState.PENDING, JobState.RUNNING)
CLAIM = Claim(ready=OPEN, busy=OPEN, leased=JobState.RUNNING)
LONGEST_LIST = 500  # names a report's list keeps; ``<name>_count`` goes on counting


def start_job(
    session: Session,
    kind: str,
    *,
    params: Mapping[str, Any] | None = None,
    created_by: str,
    now: datetime,
    lane: str | None = None,
    queue: bool = False,
    draft: bool = False,
) -> Job:
    """A new job, waiting for a worker. Raises Conflict while another of this kind and lane is not over.

    With ``queue`` it waits for the other instead; a ``draft`` waits for ``submit``, and holds nobody up.
    """
    lane = lane or kind
    other = None if queue else find_open_job(session, kind, lane=lane)
    if other is not None:
        since = f"{other.created_at:%m-%d %H:%M} UTC"
        raise Conflict(
            "job_running", f"已有同类任务（编号 {other.id}，{since} 开始）尚未结束，请等它完成或先取消"
        )
    job = Job(
        kind=kind,
        lane=lane,
        params=dict(params or {}),
        created_by=created_by[:128],
        created_at=now,
        available_at=None if draft else now,
    )
    session.add(job)
    session.flush()
    return job


def is_draft(job: Job) -> bool:
    """Whether a person has not confirmed the job yet."""
    return job.state is JobState.PENDING and job.available_at is None


def submit(session: Session, job_id: int, params: Mapping[str, Any], *, now: datetime) -> Job:
    """A person confirmed the draft, with these parameters too. Raises NotFound, and Conflict when it is none."""
    job = get_job(session, job_id, lock=True)
    if not is_draft(job):
        raise Conflict("job_begun", "这个任务已经开始或结束，请到任务中心查看")
    job.params = {**job.params, **params}
    job.available_at = now
    session.flush()
    return job


def drop_draft(session: Session, job_id: int) -> None:
    """Forget a draft with its files. Raises NotFound, and Conflict when it is none."""
    job = get_job(session, job_id, lock=True)
    if not is_draft(job):
        raise Conflict("job_begun", "这个任务已经开始或结束，请到任务中心查看")
    session.execute(delete(JobFile).where(JobFile.job_id == job_id))
    session.delete(job)
    session.flush()


def drop_drafts(session: Session, *, now: datetime, limit: int) -> int:
    """Forget drafts that nobody confirmed within DRAFT_KEPT; how many, at most ``limit``."""
    left = select(Job.id).where(
        Job.state == JobState.PENDING, Job.available_at.is_(None), Job.created_at < now - DRAFT_KEPT
    )
    ids = list(session.scalars(left.order_by(Job.id).limit(limit)))
    session.execute(delete(JobFile).where(JobFile.job_id.in_(ids)))
    session.execute(delete(Job).where(Job.id.in_(ids)))
    return len(ids)


def find_open_job(session: Session, kind: str, *, lane: str | None = None) -> Job | None:
    """The job of this kind and lane that is waiting or running."""
    query = select(Job).where(Job.kind == kind, Job.lane == (lane or kind), Job.state.in_(OPEN))
    return session.scalars(query.order_by(Job.id).limit(1)).first()


def is_abandoned(job: Job, *, now: datetime) -> bool:
    """Whether nobody works on this open job now: it waits, or its worker stopped showing progress."""
    return job.state in OPEN and job.available_at is not None and job.available_at <= now


def claim_job(
    session: Session,
    *,
    owner: str,
    now: datetime,
    job_id: int | None = None,
    kinds: Sequence[str] = (),
) -> Job | None:
    """Lease one job (that one, or the first due of these kinds) to ``owner``; None when there is nothing to do.

    One whose workers died MAX_ATTEMPTS times fails instead.
    """
    where: list[Any] = [Job.id == job_id] if job_id is not None else []
    if kinds:
        where.append(Job.kind.in_(kinds))
    for job in claim(session, Job, CLAIM, owner=owner, lease=LEASE, limit=1, now=now, where=where):
        if job.attempts > MAX_ATTEMPTS:
            fail(session, job, job.error or "执行该任务的进程反复中断", now=now)
            return None
        job.started_at = job.started_at or now
        session.flush()
        return job
    return None


def _change(session: Session, job: Job, **values: Any) -> None:
    mine = update(Job).where(holds(Job, job, JobState.RUNNING)).values(**values)
    if affected(session.execute(mine.execution_options(synchronize_session=False))) != 1:
        raise LeaseLost("job", job.id)


def heartbeat(session: Session, job: Job, *, now: datetime) -> None:
    """Keep the lease. Raises LeaseLost when another worker has it or a person cancelled the job."""
    _change(session, job, available_at=now + LEASE)


def save_progress(
    session: Session,
    job: Job,
    *,
    cursor: Mapping[str, Any],
    done: int,
    total: int | None,
    now: datetime,
    **more: Any,
) -> None:
    """Keep where to go on after a crash, in the transaction of the work done; keeps the lease. Raises LeaseLost.

    ``more`` are other columns that go with it, such as the report where only the worker writes it.
    """
    job.cursor, job.done, job.total, job.attempts = dict(cursor), done, total, 1
    _change(
        session,
        job,
        cursor=job.cursor,
        done=done,
        total=total,
        available_at=now + LEASE,
        attempts=1,
        error=None,
        **more,
    )


def finish(session: Session, job: Job, *, now: datetime, **more: Any) -> None:
    """The job did what it should. Raises LeaseLost."""
    _change(session, job, state=JobState.DONE, finished_at=now, available_at=None, error=None, **more)


def fail(session: Session, job: Job, error: str, *, now: datetime) -> None:
    """The job cannot go on; ``error`` says why and what to do. Raises LeaseLost."""
    _change(session, job, state=JobState.FAILED, finished_at=now, available_at=None, error=error)


def give_back(session: Session, job: Job, *, now: datetime, error: str | None = None) -> None:
    """Let somebody go on with the job at ``now``: on shutdown, or later after a fault. Raises LeaseLost."""
    _change(session, job, state=JobState.PENDING, available_at=now, error=error)


def cancel(session: Session, job_id: int, *, now: datetime) -> Job:
    """Stop a job that is not over; its worker notices at its next step. Raises NotFound, Conflict."""
    job = get_job(session, job_id, lock=True)
    if job.state not in OPEN:
        raise Conflict("job_over", f"任务已结束（{job.state.value}），不能取消")
    job.state, job.finished_at, job.available_at, job.lease_token = JobState.CANCELLED, now, None, None
    session.flush()
    return job


def retry(session: Session, job_id: int, *, now: datetime) -> Job:
    """Let a job that failed or was cancelled go on at its cursor. Raises NotFound, Conflict."""
    job = get_job(session, job_id, lock=True)
    if job.state not in (JobState.FAILED, JobState.CANCELLED):
        raise Conflict("job_not_over", f"任务没有失败或取消（{job.state.value}），不用重试")
    job.state, job.attempts, job.available_at = JobState.PENDING, 0, now
    job.finished_at, job.error = None, None
    session.flush()
    return job


def release_all(session: Session, kinds: Sequence[str], *, now: datetime) -> int:
    """Nobody else can be working on these kinds (embedded start): jobs of the dead process are due at once."""
    leased = update(Job).where(Job.state == JobState.RUNNING, Job.kind.in_(kinds))
    return affected(session.execute(leased.values(available_at=now)))


def get_job(session: Session, job_id: int, *, lock: bool = False) -> Job:
    """The job as it is in the database now. Raises NotFound."""
    job = session.get(Job, job_id, populate_existing=True, with_for_update=lock)
    if job is None:
        raise NotFound("job_not_found", f"没有编号为 {job_id} 的任务")
    return job


def list_jobs(
    session: Session,
    *,
    before: int | None = None,
    limit: int = 50,
    kind: str | None = None,
    state: JobState | None = None,
    created_by: str | None = None,
) -> list[Job]:
    """Newest first, at most ``limit``, without drafts; ``before`` is the last id of the page before."""
    begun = or_(Job.state != JobState.PENDING, Job.available_at.is_not(None))
    query = select(Job).where(begun).order_by(Job.id.desc()).limit(limit)
    if created_by is not None:
        query = query.where(Job.created_by == created_by)
    if before is not None:
        query = query.where(Job.id < before)
    if kind:
        query = query.where(Job.kind == kind)
    if state:
        query = query.where(Job.state == state)
    return list(session.scalars(query))


def count_open(session: Session, created_by: str) -> int:
    """How many jobs of theirs wait or run."""
    mine = select(func.count()).where(
        Job.state.in_(OPEN), Job.available_at.is_not(None), Job.created_by == created_by
    )
    return session.scalar(mine) or 0


def add_to_report(session: Session, job_id: int | None, found: Mapping[str, int | list[Any]]) -> None:
    """Add to what an open job has found: numbers add up, lists grow to LONGEST_LIST and are counted on.

    Does nothing without a job, or when the job is over: replaying its events must not count them again.
    """
    if job_id is None or not any(found.values()):
        return
    job = session.get(Job, job_id, with_for_update=True, populate_existing=True)
    if job is not None and job.state in OPEN:
        job.report = merged(job.report, found)
        session.flush()


def merged(report: Mapping[str, Any], found: Mapping[str, int | list[Any]]) -> dict[str, Any]:
    """The report with what was found; pure."""
    result = dict(report)
    for name, value in found.items():
        if isinstance(value, list):
            if value:
                result[name] = [*result.get(name, ()), *value][:LONGEST_LIST]
                result[f"{name}_count"] = result.get(f"{name}_count", 0) + len(value)
        elif value:
            result[name] = result.get(name, 0) + value
    return result
