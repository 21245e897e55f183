"""Ticks the jobs with APScheduler. What is due is found by each job's query, so a missed tick costs only time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from prometheus_client import Counter, Gauge

from bot.app import Product
from bot.scheduler.jobs import JOBS, Job

log = structlog.get_logger(__name__)

RUNS = Counter("lianke_job_runs_total", "Scheduled jobs run, by outcome", ["job", "outcome"])
LAST_SUCCESS = Gauge("lianke_job_last_success_timestamp_seconds", "When a job last ran well", ["job"])


def start_scheduler(product: Product) -> BackgroundScheduler:
    """Start ticking; the caller shuts it down."""
    timezone = product.config.app.timezone
    scheduler = BackgroundScheduler(
        timezone=timezone, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    for job in JOBS:
        first = {"next_run_time": datetime.now(UTC)} if job.at_start else {}
        scheduler.add_job(_guarded(job, product), job.trigger(timezone), id=job.name, name=job.name, **first)
    scheduler.start()
    return scheduler


def _guarded(job: Job, product: Product) -> Callable[[], None]:
    def run() -> None:
        try:
            done = job.run(product)
        except Exception:  # one failing job must not stop the others
            RUNS.labels(job.name, "failed").inc()
            log.exception("job_failed", job=job.name)
            return
        RUNS.labels(job.name, "ok").inc()
        LAST_SUCCESS.labels(job.name).set_to_current_time()
        if done:
            log.info("job_done", job=job.name, rows=done)

    return run
