"""A broker that is lost under a worker is an error that Celery knows how to live with."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from kombu import Connection, Message, Queue

from bot.config import Config
from bot.workers.broker import make_celery
from tests.private_servers import PrivateRedis
from tests.stand import config_for

pytestmark = pytest.mark.redis


@pytest.fixture
def broker() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture
def connection(broker: PrivateRedis) -> Iterator[Connection]:
    made: Config = config_for("sqlite:///unused.db", 1, "http://127.0.0.1:1")
    url = f"redis://127.0.0.1:{broker.port}/0"
    config = made.model_copy(update={"redis": made.redis.model_copy(update={"url": url})})
    app = make_celery(config)
    app.send_task("lianke.drain", args=["welcome"], queue="welcome")
    with app.connection_for_read() as opened:
        yield opened


def take(connection: Connection) -> Message:
    channel = connection.default_channel
    Queue("welcome", channel=channel).declare()
    message = channel.basic_get("welcome", no_ack=False)
    assert message is not None
    return message


def test_a_task_that_ends_after_its_connection_does_not_end_the_worker(
    connection: Connection, caplog: pytest.LogCaptureFixture
):
    message = take(connection)
    connection.close()

    message.ack_log_error(logging.getLogger("celery"), connection.connection_errors)

    assert "Couldn't ack" in caplog.text
