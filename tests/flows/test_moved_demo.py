"""An embedded installation moves to a server and goes on there as a cluster, as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from redis import Redis
from sqlalchemy import func, select

from bot.app import Product
from bot.cli import main
from bot.config import Config, RedisSection, RuntimeSection
from bot.station import Station
from bot.workers.wakeup import Queue
from scrm.inbox.models import InboxEvent
from scrm.outbox.models import CallState, OutboxCall
from tests.databases import REDIS_URL, Place
from tests.flows.scene import MovableTime, Scene

pytestmark = [pytest.mark.redis, pytest.mark.timeout(300)]
SERVERS = pytest.mark.parametrize(
    "engine",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mysql),
    ],
    indirect=True,
)


class Posted(Station):
    """A worker process of a cluster that hears no message: it polls all queues."""

    def start(self, queues: Any = tuple(Queue)) -> None:
        super().start(queues)


class ClusterScene(Scene):
    """The same story on a database server, in cluster mode."""

    def __init__(self, home: Path, url: str, time: MovableTime, **sandbox: Any) -> None:
        self._url, self._time = url, time
        super().__init__(home, **sandbox)

    def _make(self, config: Config) -> Product:
        more = {
            "database": config.database.model_copy(update={"url": self._url}),
            "redis": RedisSection(url=REDIS_URL),
            "runtime": RuntimeSection(mode="cluster"),
        }
        self.time = self._time  # the platform's clock goes on, too
        return super()._make(config.model_copy(update=more))

    def _workers(self) -> Station:
        return Posted(self.product)


@dataclass
class Before:
    """What was so before the move."""

    time: MovableTime
    token: str
    channel: dict[str, Any]
    contacts: list[dict[str, Any]]
    scan: dict[str, Any]
    last: tuple[int, int]


def last_ids(scene: Scene) -> tuple[int, int]:
    with scene.product.database.read() as session:
        ids = [session.scalar(select(func.max(table.id))) or 0 for table in (InboxEvent, OutboxCall)]
    return ids[0], ids[1]


def live_embedded(home: Path, box: str) -> Before:
    with Scene(home, database=box) as scene:
        channel = scene.channel("秋季展会", tags=["来源/展会"])
        scan = scene.scan("王芳", channel)
        scene.scan("李娜", channel)
        scene.settle()
        return Before(scene.time, scene.token, channel, scene.all("/contacts"), scan, last_ids(scene))


@pytest.fixture
def redis() -> Iterator[Redis]:
    client = Redis.from_url(REDIS_URL)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@SERVERS
@pytest.mark.usefixtures("redis")
def test_everything_goes_on_after_the_move(place: Place, tmp_path: Path) -> None:
    # given two customers, greeted by one process on SQLite
    url, box = place.empty(tmp_path), str(tmp_path / "sandbox.db")
    before = live_embedded(tmp_path, box)

    # when the database moves and a cluster starts on it, at the same platform
    moved = CliRunner().invoke(
        main, ["migrate-data", "--from", f"sqlite:///{tmp_path / 'lianke.db'}", "--to", url]
    )
    assert moved.exit_code == 0, moved.output
    with ClusterScene(tmp_path, url, before.time, database=box) as scene:
        scene.token = before.token

        # then old customers are there under the old token, and the last callback once more does nothing
        assert scene.all("/contacts") == before.contacts
        counted = len(scene.all("/events")), len(scene.all("/calls"))
        assert scene.box.post("/sandbox/resend", {"times": 2})["statuses"] == [200, 200]
        scene.settle()
        assert (len(scene.all("/events")), len(scene.all("/calls"))) == counted
        assert last_ids(scene) >= before.last

        _goes_on(scene, before)


def _goes_on(scene: Scene, before: Before) -> None:
    reached = last_ids(scene)
    new = scene.scan("赵敏", before.channel)
    scene.settle()
    (message,) = scene.customer(new["customer_id"])["messages"]
    assert message["text"] == "您好，欢迎！"
    assert [tag["name"] for tag in scene.contact(new["customer_id"])["tags"]] == ["展会"]
    with scene.product.database.read() as session:
        events = session.scalars(select(InboxEvent.id).where(InboxEvent.id > reached[0])).all()
        calls = session.scalars(select(OutboxCall.state).where(OutboxCall.id > reached[1])).all()
    assert events  # ids count on behind those that were moved
    assert set(calls) <= {CallState.SENT, CallState.SKIPPED}

    scene.box.post("/sandbox/leave", {"customer": before.scan["customer_id"], "staff": "zhangsan"})
    scene.settle()
    (relation,) = scene.contact(before.scan["customer_id"])["relations"]
    assert relation["state"] == "lost"
    assert len(scene.customer(before.scan["customer_id"])["messages"]) == 1
