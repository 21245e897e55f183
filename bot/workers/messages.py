"""Celery messages of a cluster: "there is work in this queue", and "run this job". Redis carries them.

They hold no data and may be lost, late or doubled: what is to be done stands in our tables, and workers poll.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from celery import Celery
from kombu.transport.redis import Channel, Transport
from redis import Redis
from redis.exceptions import RedisError

from bot.config import Config
from bot.workers.wakeup import Queue

log = structlog.get_logger(__name__)

BACKGROUND = "background"
QUEUES: Mapping[Queue, str] = {
    Queue.WELCOME: "welcome",
    Queue.OUTBOX: "outgoing",
    Queue.INBOX: "inbound",
    Queue.BACKGROUND: BACKGROUND,
}
DRAIN, RUN_JOB = "lianke.drain", "lianke.run_job"
REDELIVER_SECONDS = 60  # of a message whose worker died; nothing waits for it
TOLD_MS = 1_000  # one message is under way for so long at most; as long as workers rest between polls
JOB_TOLD_MS = 60_000  # so a lost message delays a job by a minute
CONNECT_SECONDS = 1.0


class _Channel(Channel):  # type: ignore[misc, unused-ignore]
    """Says when its connection is gone. kombu 5.7 stumbles there (AttributeError), which ends the worker.

    It does so when a task ends after the broker was lost, and when it puts back what was not acknowledged; that comes
    again by itself after REDELIVER_SECONDS.
    """

    do_restore = False

    def _connparams(self, *arguments: Any, **options: Any) -> Any:
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("the broker's connection is closed")
        return super()._connparams(*arguments, **options)


def make_celery(config: Config) -> Celery:
    """Celery as we use it: late acknowledgement, one message at a time, no results, no countdowns."""
    Transport.Channel = _Channel
    made = Celery("lianke", broker=config.redis.url)
    made.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # workers poll meanwhile
        broker_connection_timeout=CONNECT_SECONDS,
        broker_transport_options={
            "visibility_timeout": REDELIVER_SECONDS,
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_keepalive": True,
        },
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_default_queue=BACKGROUND,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        timezone=config.app.timezone,
    )
    return made


class Messages:
    """Sends them; for any process, after its last fork. Raises what Celery and Redis raise while Redis is away."""

    def __init__(self, config: Config) -> None:
        self._celery = make_celery(config)
        self._redis = Redis.from_url(
            config.redis.url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS
        )

    def tell(self, queue: Queue) -> None:
        """Say that there is work, unless somebody just did and nobody has listened yet."""
        name = QUEUES[queue]
        if self._redis.set(_told(name), 1, nx=True, px=TOLD_MS):
            self._celery.send_task(DRAIN, args=[name], queue=name, retry=False)

    def heard(self, name: str) -> None:
        """A worker is about to look: whoever makes work from now on must tell again."""
        try:
            self._redis.delete(_told(name))
        except RedisError as error:
            log.warning("redis_away", error=str(error))

    def is_away(self) -> bool:
        """Whether Redis does not answer: workers then poll."""
        try:
            return not self._redis.ping()
        except RedisError:
            return True

    def run_job(self, name: str) -> None:
        """Let a worker run one of the scheduler's jobs, unless it was told and has not begun: nothing piles up."""
        if self._redis.set(_told(name), 1, nx=True, px=JOB_TOLD_MS):
            self._celery.send_task(RUN_JOB, args=[name], queue=BACKGROUND, retry=False)


def _told(name: str) -> str:
    return f"lianke:told:{name}"
