"""Celery messages of a cluster: "there is work in this queue", and "run this job". Redis carries them.

They hold no data and may be lost, late or doubled: what is to be done stands in our tables, and workers poll.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog
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
TOLD_MS = 1_000  # one message is under way for so long at most; as long as workers rest between polls
JOB_TOLD_MS = 60_000  # so a lost message delays a job by a minute
CONNECT_SECONDS = 1.0


class Messages:
    """Sends them; for any process, after its last fork. Raises what Celery and Redis raise while Redis is away."""

    def __init__(self, config: Config) -> None:
        from bot.workers.broker import make_celery  # noqa: PLC0415 - a tenth of every start, for clusters only

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
