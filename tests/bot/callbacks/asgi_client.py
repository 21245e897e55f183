"""Speaks ASGI to the callback application: no server, no socket, one event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from bot.callbacks.asgi import CallbackApp, Receive
from bot.callbacks.intake import Intake
from bot.callbacks.wecom import WecomReceiver
from scrm.db import Database

Message = MutableMapping[str, Any]


def scope(method: str, query: bytes, path: str = "/callback/wecom") -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "query_string": query, "headers": []}


def chunks(*parts: bytes) -> Receive:
    """A body that arrives in these parts, then silence."""
    messages = [
        {"type": "http.request", "body": part, "more_body": number < len(parts) - 1}
        for number, part in enumerate(parts)
    ]

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        return await asyncio.Future()

    return receive


async def exchange(
    app: CallbackApp, scope: dict[str, Any], receive: Receive
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body of one request."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    return start["status"], dict(start["headers"]), b"".join(part["body"] for part in rest)


async def fallback(scope: Any, receive: Receive, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"fallback"})


class Client:
    """``client.post(query, body)`` → (status, body)."""

    def __init__(self, app: CallbackApp, intake: Intake, runner: asyncio.Runner) -> None:
        self.app = app
        self.intake = intake
        self._runner = runner

    @classmethod
    @contextmanager
    def of(
        cls, receiver: WecomReceiver, database: Database, recorded: Callable[[int], None] = lambda _new: None
    ) -> Iterator[Client]:
        intake = Intake(database, recorded)
        with asyncio.Runner() as runner:
            yield cls(CallbackApp(receiver, intake, fallback), intake, runner)
        intake.close()

    def exchange(
        self, method: str, query: bytes, body: bytes = b"", path: str = "/callback/wecom"
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        return self._runner.run(exchange(self.app, scope(method, query, path), chunks(body)))

    def post(self, query: bytes, body: bytes) -> tuple[int, bytes]:
        status, _, answer = self.exchange("POST", query, body)
        return status, answer

    def get(self, query: bytes) -> tuple[int, bytes]:
        status, _, answer = self.exchange("GET", query)
        return status, answer

    def post_all(self, requests: Iterable[tuple[bytes, bytes]]) -> list[tuple[int, bytes]]:
        """Requests that arrive at the same moment, and their answers in order."""

        async def run() -> list[tuple[int, dict[bytes, bytes], bytes]]:
            return await asyncio.gather(
                *(exchange(self.app, scope("POST", query), chunks(body)) for query, body in requests)
            )

        return [(status, answer) for status, _, answer in self._runner.run(run())]
