"""Jobs: one at a time, taken over when abandoned, never worked on by two."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from scrm.errors import Conflict, LeaseLost, NotFound
from scrm.jobs import service as jobs
from scrm.jobs.models import Job, JobState


@pytest.fixture
def job(session: Session, now: datetime) -> Job:
    return jobs.start_job(session, "import", params={"file": "a.csv"}, created_by="cli", now=now)


def claim(session: Session, now: datetime, **more: object) -> Job:
    claimed = jobs.claim_job(session, owner="w", now=now, **more)
    assert claimed is not None
    session.expunge(claimed)
    return claimed


def test_one_job_of_a_kind_and_lane(session: Session, job: Job, now: datetime) -> None:
    with pytest.raises(Conflict) as refused:
        jobs.start_job(session, "import", created_by="cli", now=now)
    assert str(job.id) in refused.value.message

    jobs.start_job(session, "import", created_by="cli", now=now, lane="other")
    jobs.start_job(session, "export", created_by="cli", now=now)
    assert [row.kind for row in jobs.list_jobs(session)] == ["export", "import", "import"]
    assert len(jobs.list_jobs(session, kind="import", state=JobState.PENDING, limit=1)) == 1


def test_progress_is_kept_and_the_end_closes(session: Session, job: Job, now: datetime) -> None:
    mine = claim(session, now, kinds=["import"])
    assert jobs.claim_job(session, owner="x", now=now) is None

    jobs.save_progress(session, mine, cursor={"line": 7}, done=7, total=9, now=now)
    jobs.finish(session, mine, now=now)

    row = jobs.get_job(session, job.id)
    assert (row.state, row.cursor, row.done, row.total) == (JobState.DONE, {"line": 7}, 7, 9)
    assert jobs.start_job(session, "import", created_by="cli", now=now).id != job.id


def test_an_abandoned_job_goes_to_the_next_and_the_first_worker_is_fenced(
    session: Session, job: Job, now: datetime
) -> None:
    first = claim(session, now)
    assert not jobs.is_abandoned(jobs.get_job(session, job.id), now=now)
    later = now + jobs.LEASE
    assert jobs.is_abandoned(jobs.get_job(session, job.id), now=later)

    second = claim(session, later, job_id=job.id)

    with pytest.raises(LeaseLost):
        jobs.save_progress(session, first, cursor={}, done=1, total=None, now=later)
    with pytest.raises(LeaseLost):
        jobs.heartbeat(session, first, now=later)
    jobs.heartbeat(session, second, now=later)


def test_a_job_whose_workers_keep_dying_fails(session: Session, job: Job, now: datetime) -> None:
    for _ in range(jobs.MAX_ATTEMPTS):
        claim(session, now)
        now += jobs.LEASE

    assert jobs.claim_job(session, owner="w", now=now) is None
    row = jobs.get_job(session, job.id)
    assert (row.state, row.error) == (JobState.FAILED, "执行该任务的进程反复中断")


def test_a_cancelled_job_stops_its_worker(session: Session, job: Job, now: datetime) -> None:
    mine = claim(session, now)

    jobs.cancel(session, job.id, now=now)

    with pytest.raises(LeaseLost):
        jobs.heartbeat(session, mine, now=now)
    with pytest.raises(Conflict):
        jobs.cancel(session, job.id, now=now)
    with pytest.raises(NotFound):
        jobs.cancel(session, 999, now=now)


def test_a_job_given_back_waits_its_time(session: Session, job: Job, now: datetime) -> None:
    mine = claim(session, now)
    jobs.give_back(session, mine, now=now + timedelta(minutes=5), error="离线")

    assert jobs.claim_job(session, owner="w", now=now) is None
    assert claim(session, now + timedelta(minutes=5)).error == "离线"


def test_a_report_adds_up_until_the_job_is_over(session: Session, job: Job, now: datetime) -> None:
    jobs.add_to_report(session, job.id, {"n": 2, "names": ["a"], "none": 0, "empty": []})
    jobs.add_to_report(session, job.id, {"n": 3, "names": [str(n) for n in range(jobs.LONGEST_LIST)]})

    report = jobs.get_job(session, job.id).report
    assert (report["n"], report["names_count"]) == (5, jobs.LONGEST_LIST + 1)
    assert len(report["names"]) == jobs.LONGEST_LIST
    assert set(report) == {"n", "names", "names_count"}

    jobs.cancel(session, job.id, now=now)
    jobs.add_to_report(session, job.id, {"n": 1})
    jobs.add_to_report(session, None, {"n": 1})
    assert jobs.get_job(session, job.id).report["n"] == 5
