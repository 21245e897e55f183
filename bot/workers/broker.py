"""Celery as a cluster uses it, over Redis. Imported only where messages are sent or heard: it is large."""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu.transport.redis import Channel, Transport

from bot.config import Config
from bot.workers.messages import BACKGROUND, CONNECT_SECONDS

REDELIVER_SECONDS = 60  # of a message whose worker died; nothing waits for it


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
