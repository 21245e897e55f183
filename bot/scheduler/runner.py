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


def start_scheduler(
    product: Product, run: Callable[[Job, Product], None] | None = None
) -> BackgroundScheduler:
    """Start ticking; the caller shuts it down. ``run`` is how a job is run, by default here and now."""
    timezone = product.config.app.timezone
    run = run or run_guarded
    scheduler = BackgroundScheduler(
        timezone=timezone, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    for job in JOBS:
        first = {"next_run_time": datetime.now(UTC)} if job.at_start else {}
        scheduler.add_job(run, job.trigger(timezone), (job, product), id=job.name, name=job.name, **first)
    scheduler.start()
    return scheduler


def run_guarded(job: Job, product: Product) -> None:
    """Run a job; count and log what it raises, so that it stops no other."""
    try:
        done = job.run(product)
    except Exception:
        RUNS.labels(job.name, "failed").inc()
        log.exception("job_failed", job=job.name)
        return
    RUNS.labels(job.name, "ok").inc()
    LAST_SUCCESS.labels(job.name).set_to_current_time()
    if done:
        log.info("job_done", job=job.name, rows=done)


def run_by_message(job: Job, product: Product) -> None:
    """Let a worker run what takes long; here and now when it is short, or when the message cannot be sent."""
    if job.is_long and product.messages is not None:
        try:
            product.messages.run_job(job.name)
        except Exception as error:  # noqa: BLE001 - whatever a broker's client raises
            log.warning("job_not_told", job=job.name, error=str(error))
        else:
            return
    run_guarded(job, product)
