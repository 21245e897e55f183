"""The callback application through ASGI: statuses, slow and broken clients, a database that cannot write."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, func, select

from bot.callbacks.asgi import BODY_SECONDS, CallbackApp
from bot.callbacks.intake import Intake
from bot.callbacks.wecom import MAX_BODY, WecomReceiver
from scrm.db import Database
from scrm.inbox.models import InboxEvent
from tests.bot.callbacks.asgi_client import Client, chunks, exchange, fallback, scope
from tests.envelopes import NOW, crypto, event_xml, post


@pytest.fixture
def receiver() -> WecomReceiver:
    return WecomReceiver([crypto()], lambda: NOW)


@pytest.fixture
def client(receiver: WecomReceiver, database: Database) -> Iterator[Client]:
    with Client.of(receiver, database) as made:
        yield made


def count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(InboxEvent)) or 0


class SteppedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock a test can put forward."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead

    async def advance(self, seconds: float) -> None:
        self.ahead += seconds
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
def stepped(receiver: WecomReceiver, database: Database) -> Iterator[tuple[CallbackApp, asyncio.Runner]]:
    intake = Intake(database, lambda _new: None)
    with asyncio.Runner(loop_factory=SteppedLoop) as runner:
        yield CallbackApp(receiver, intake, fallback), runner
    intake.close()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "post", "X"])
def test_other_methods_are_told_which_are_allowed(method: str, client: Client, database: Database):
    # given a genuine event in the wrong kind of request
    sent = post()

    # when
    status, headers, body = client.exchange(method, sent.query, sent.body)

    # then
    assert (status, body) == (405, b"")
    assert headers[b"allow"] == b"GET, POST"
    assert count(database) == 0


@pytest.mark.parametrize(
    "path", ["/", "/callback", "/callback/wecom/", "/callback/wecom2", "/api/v1/contacts"]
)
def test_every_other_path_is_served_by_the_application_behind(path: str, client: Client, database: Database):
    sent = post()

    status, _, body = client.exchange("POST", sent.query, sent.body, path=path)

    assert (status, body) == (299, b"fallback")
    assert count(database) == 0


def test_a_body_in_many_parts_is_one_event(client: Client, database: Database):
    # given a body that arrives byte by byte
    sent = post()
    parts = [sent.body[number : number + 1] for number in range(len(sent.body))]

    # when
    status, _, body = client._runner.run(exchange(client.app, scope("POST", sent.query), chunks(*parts)))

    # then
    assert (status, body) == (200, b"")
    assert count(database) == 1


def test_an_endless_body_is_refused_as_soon_as_it_is_too_large(client: Client, database: Database):
    # given a client that would send for ever (a chunked body has no Content-Length)
    pulled = 0

    async def receive() -> dict[str, Any]:
        nonlocal pulled
        pulled += 1
        return {"type": "http.request", "body": b"x" * 4096, "more_body": True}

    # when
    status, _, body = client._runner.run(exchange(client.app, scope("POST", post().query), receive))

    # then: no more was read than it takes to know
    assert (status, body) == (413, b"too large")
    assert pulled == MAX_BODY // 4096 + 1
    assert count(database) == 0


@pytest.mark.parametrize("first", [b"", b"<xml>"], ids=["silent from the start", "stops after a part"])
def test_a_slow_body_is_given_up_after_five_seconds(
    first: bytes, stepped: tuple[CallbackApp, asyncio.Runner], database: Database
):
    # given a client that sends at most one part and then nothing
    app, runner = stepped
    started = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if first and not started.is_set():
            started.set()
            return {"type": "http.request", "body": first, "more_body": True}
        return await asyncio.Future()

    async def run() -> tuple[bool, int, bytes]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppedLoop)
        request = asyncio.create_task(exchange(app, scope("POST", post().query), receive))
        await loop.advance(0)
        await loop.advance(BODY_SECONDS - 0.1)
        early = request.done()
        await loop.advance(0.2)
        assert request.done(), "the request still waits"
        status, _, body = await request
        return early, status, body

    # when / then
    assert runner.run(run()) == (False, 408, b"timeout")
    assert count(database) == 0


def test_slow_clients_do_not_hold_up_others(client: Client, database: Database):
    # given 200 clients that never send their body
    async def silent() -> dict[str, Any]:
        return await asyncio.Future()

    async def run() -> int:
        slow = [
            asyncio.create_task(exchange(client.app, scope("POST", post().query), silent)) for _ in range(200)
        ]
        await asyncio.sleep(0)
        sent = post()
        status, _, _ = await asyncio.wait_for(
            exchange(client.app, scope("POST", sent.query), chunks(sent.body)), 2
        )
        for request in slow:
            request.cancel()
        return status

    # when / then
    assert client._runner.run(run()) == 200
    assert count(database) == 1


@pytest.mark.parametrize("before", [[], [b"<xml>"]], ids=["at once", "in the middle of the body"])
def test_a_client_that_disconnects_leaves_nothing(before: list[bytes], client: Client, database: Database):
    # given
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": True} for part in before
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    # when
    status, _, _ = client._runner.run(exchange(client.app, scope("POST", post().query), receive))

    # then
    assert status == 403
    assert count(database) == 0


def test_a_whole_event_is_kept_though_its_client_left(client: Client, database: Database):
    # given a server that cancels the request while the event is being committed
    sent = post()

    async def run() -> None:
        request = asyncio.create_task(exchange(client.app, scope("POST", sent.query), chunks(sent.body)))
        await asyncio.sleep(0)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        other = post(event_xml(ExternalUserID="wm2"))
        status, _, _ = await exchange(client.app, scope("POST", other.query), chunks(other.body))
        assert status == 200

    # when
    client._runner.run(run())

    # then
    assert count(database) == 2


class Disk:
    """Lets a database grow no further on command, as a full disk would (SQLITE_FULL)."""

    def __init__(self, database: Database) -> None:
        self.full = False
        database.engine.dispose()
        event.listen(database.engine, "checkout", self._limit)

    def _limit(self, connection: Any, _record: Any, _proxy: Any) -> None:
        cursor = connection.cursor()
        pages = cursor.execute("PRAGMA page_count").fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count={pages if self.full else 1_000_000}")
        cursor.close()


@pytest.mark.sqlite  # it limits the file's pages
def test_a_full_disk_is_answered_503_until_there_is_room_again(receiver: WecomReceiver, database: Database):
    # given
    disk = Disk(database)
    events = [post(event_xml(ExternalUserID=f"wm{n}", Padding="x" * 20_000)) for n in range(5)]

    with Client.of(receiver, database) as client:
        # when there is room, then none, then room again; the platform sends again what was not 200
        before = client.post(events[0].query, events[0].body)
        disk.full = True
        during = [client.post(sent.query, sent.body) for sent in events[1:]]
        kept = count(database)
        disk.full = False
        after = [client.post(sent.query, sent.body) for sent in events]

    # then
    assert before == (200, b"")
    assert during == [(503, b"try again")] * 4
    assert kept == 1
    assert after == [(200, b"")] * 5
    assert count(database) == 5
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


@pytest.mark.sqlite  # a whole database is locked only there
def test_a_locked_database_is_answered_503_and_works_again_when_free(
    receiver: WecomReceiver, database: Database
):
    # given somebody from outside who holds the write lock longer than we are ready to wait
    database.engine.dispose()

    @event.listens_for(database.engine, "connect")
    def impatient(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA busy_timeout=50")

    holder = database.engine.raw_connection()
    sent = post()

    with Client.of(receiver, database) as client:
        # when
        holder.driver_connection.execute("BEGIN IMMEDIATE")
        locked = client.post(sent.query, sent.body)
        holder.driver_connection.execute("ROLLBACK")
        free = client.post(sent.query, sent.body)
    holder.close()

    # then
    assert locked == (503, b"try again")
    assert free == (200, b"")
    assert count(database) == 1


def test_a_missing_table_is_answered_503_not_500(receiver: WecomReceiver, database: Database):
    # given a database that was never migrated
    with database.write_connection() as connection:
        connection.exec_driver_sql("DROP TABLE inbox")
    sent = post()

    # when / then
    with Client.of(receiver, database) as client:
        assert client.post(sent.query, sent.body) == (503, b"try again")


def test_events_are_told_to_the_workers_only_after_the_commit(receiver: WecomReceiver, database: Database):
    # given
    seen: list[tuple[int, int]] = []
    sent = post()

    # when the same event comes twice
    with Client.of(receiver, database, lambda new: seen.append((new, count(database)))) as client:
        client.post(sent.query, sent.body)
        client.post(sent.query, sent.body)

    # then: told once, and the row could be read from another connection by then
    assert seen == [(1, 1)]


def test_lifespan_is_answered(client: Client):
    # given
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    answers: list[str] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        answers.append(message["type"])

    # when
    client._runner.run(client.app({"type": "lifespan"}, receive, send))

    # then
    assert answers == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
