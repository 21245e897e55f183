"""Worker processes of a cluster: ``celery -A bot.celery_app worker``, with ``LIANKE_CONFIG`` naming the configuration.

A message says "there is work"; the rows say what, and a worker claims them in batches until none are left. So a lost,
late or doubled message costs at most the poll interval, and a flood in one queue never delays another.

    celery -A bot.celery_app worker -Q welcome                        nothing else can delay a welcome here
    celery -A bot.celery_app worker -Q inbound,outgoing,background    the rest
"""

from __future__ import annotations

import threading
from typing import Any

from celery import signals

from bot import logs, memory
from bot.app import build
from bot.config import ConfigError, load_config
from bot.scheduler.jobs import JOBS
from bot.station import Station
from bot.workers.broker import make_celery
from bot.workers.messages import DRAIN, QUEUES, RUN_JOB

try:
    config = load_config()
except ConfigError as error:
    raise SystemExit(str(error)) from None
if config.runtime.mode != "cluster":
    raise SystemExit('celery 工作进程只在 [runtime] mode = "cluster" 时需要；单机请运行 lianke serve')

app = make_celery(config)
_made: list[Station] = []
_making = threading.Lock()


def station() -> Station:
    """This process's workers, made at the first use: what they hold does not survive a fork."""
    with _making:
        if not _made:
            _made.append(Station(build(config)))
        return _made[0]


@app.task(name=DRAIN)  # type: ignore[untyped-decorator, unused-ignore]
def drain(name: str) -> None:
    """Work until nothing of the queue is due."""
    station().listen(next(queue for queue, theirs in QUEUES.items() if theirs == name))


@app.task(name=RUN_JOB)  # type: ignore[untyped-decorator, unused-ignore]
def run_job(name: str) -> None:
    """Run one of the scheduler's jobs here."""
    station().run_job(next(job for job in JOBS if job.name == name))


def _start(**_: Any) -> None:
    consumed = app.amqp.queues.consume_from
    station().start([queue for queue, name in QUEUES.items() if name in consumed])
    memory.settle()


def _stop(**_: Any) -> None:
    if _made:
        _made[0].stop()


@signals.worker_process_init.connect  # type: ignore[untyped-decorator, unused-ignore]
def _in_child(**_: Any) -> None:
    _start()


@signals.celeryd_after_setup.connect  # type: ignore[untyped-decorator, unused-ignore]
def _in_main(instance: Any, **_: Any) -> None:
    """Before the broker is there: a worker that starts while Redis is away must poll."""
    if not instance.pool_cls.__module__.endswith("prefork"):  # threads and solo: no children
        _start()


signals.worker_process_shutdown.connect(_stop, weak=False)
signals.worker_shutdown.connect(_stop, weak=False)


@signals.setup_logging.connect  # type: ignore[untyped-decorator, unused-ignore]
def _log(**_: Any) -> None:
    logs.configure("INFO", secrets=config.secret_values())
