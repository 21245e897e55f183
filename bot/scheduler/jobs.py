"""The one list of jobs. Each finds what is due by query and is safe to run twice, or late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from bot.app import Product
from bot.scheduler import reminders, retention
from bot.workers.sync import resume_sync
from scrm.channels import media
from scrm.channels import service as channels
from scrm.errors import Conflict
from scrm.library import service as library
from scrm.outbox import claims
from scrm.sync import service as sync

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Job:
    """A name (cadence, verb, noun), when, and what."""

    name: str
    trigger: Callable[[str], BaseTrigger]
    run: Callable[[Product], int]
    at_start: bool = False  # also once as soon as the process runs: it may have been away for days
    is_long: bool = False  # in a cluster a worker runs it


def every_5_seconds_sweep_leases(product: Product) -> int:
    """Calls whose sender vanished become unknown and are resolved."""
    with product.database.write() as session:
        rows = claims.sweep_expired_leases(session, now=product.clock())
    if rows:
        product.wakeups.wake()
    return len(rows)


def every_minute_keep_codes_right(product: Product) -> int:
    """Contact ways follow shifts, limits and leave."""
    with product.database.write() as session:
        changed = channels.keep_codes_right(session, now=product.clock(), tz=product.corp.tz)
    if changed:
        product.wakeups.wake()
    return changed


def every_minute_remind_of_tasks(product: Product) -> int:
    """Reps are told in the morning what is to do, and of each task when its hour has come."""
    owed = reminders.remind(product.database, product.corp, now=product.clock())
    if owed:
        product.wakeups.wake()
    return owed


def every_hour_renew_media(product: Product) -> int:
    """The files of welcomes and of live materials are uploaded again before their ids die."""
    with product.database.write() as session:
        renewed = media.renew_media(session, now=product.clock())
        renewed += library.renew_media(session, now=product.clock())
    if renewed:
        product.wakeups.wake()
    return renewed


def every_night_reconcile(product: Product) -> int:
    """Have the platform read and what callbacks missed healed: ``every_10_seconds_run_waiting_sync`` does it."""
    try:
        with product.database.write() as session:
            sync.start_sync(session, created_by="scheduler", now=product.clock())
    except Conflict:  # one is under way
        return 0
    return 1


def every_10_seconds_run_waiting_sync(product: Product) -> int:
    """Run a sync that was asked for, or go on with one that was cut off."""
    if resume_sync(product.database, product.client, corp=product.corp, clock=product.clock) is None:
        return 0
    product.wakeups.wake()
    return 1


def every_night_prune(product: Product) -> int:
    """What is past its time goes: payloads, old events and calls, idempotency keys."""
    return retention.prune(product.database, now=product.clock())


def _every(**interval: int) -> Callable[[str], BaseTrigger]:
    return lambda timezone: IntervalTrigger(timezone=timezone, **interval)


def _daily(hour: int, minute: int) -> Callable[[str], BaseTrigger]:
    return lambda timezone: CronTrigger(hour=hour, minute=minute, timezone=timezone)


JOBS = (
    Job("every_5_seconds_sweep_leases", _every(seconds=5), every_5_seconds_sweep_leases),
    Job("every_minute_keep_codes_right", _every(minutes=1), every_minute_keep_codes_right, at_start=True),
    Job("every_minute_remind_of_tasks", _every(minutes=1), every_minute_remind_of_tasks),
    Job("every_hour_renew_media", _every(hours=1), every_hour_renew_media, at_start=True),
    Job(
        "every_10_seconds_run_waiting_sync",
        _every(seconds=10),
        every_10_seconds_run_waiting_sync,
        is_long=True,
    ),
    Job("every_night_reconcile", _daily(3, 10), every_night_reconcile),
    Job("every_night_prune", _daily(3, 40), every_night_prune),
)
