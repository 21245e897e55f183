"""The thin ASGI application in front of Flask: it answers callbacks and hands everything else on.

Why not a Flask view: see docs/adr/0003-callback-path.md (measured).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote_from_bytes

import structlog
from prometheus_client import Counter, Histogram

from bot.callbacks.intake import Intake, Unavailable
from bot.callbacks.wecom import MAX_BODY, WecomReceiver
from bot.wechat.crypto import Rejected
from scrm.ids import new_token

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH = "/callback/wecom"
METHOD_NOT_ALLOWED = 405
BODY_SECONDS = 5.0  # the platform itself gives up after 5 s
QUERY = "%=&+/:?,;@!$'()*[]~"  # what a query may hold as it is
TEXT = [(b"content-type", b"text/plain; charset=utf-8")]

CALLBACKS = Counter("lianke_callbacks_total", "Callbacks by answer", ["status"])
QUARANTINED = Counter(
    "lianke_callbacks_quarantined_total", "Callbacks whose timestamp was off by over 5 minutes"
)
ANSWERED = {status: CALLBACKS.labels(status) for status in (200, 403, 405, 408, 413, 503)}
SECONDS = Histogram("lianke_callback_seconds", "From request to durable answer")


_PROCESS = new_token(6)  # with a counter: ids without a system call for each
_requests = itertools.count(1)


class TooLarge(Exception):
    """The body exceeds what the platform ever sends."""


class CallbackApp:
    """ASGI application. ``fallback`` serves every other path."""

    def __init__(self, receiver: WecomReceiver, intake: Intake, fallback: Asgi) -> None:
        self._receiver = receiver
        self._intake = intake
        self._fallback = fallback
        self._open: set[asyncio.Future[Any]] = set()  # Flask's requests that have not ended

    async def settle(self, seconds: float) -> None:
        """Wait until every request has ended, at most so long. An answer may be out before its request has ended."""
        if self._open:
            await asyncio.wait(self._open, timeout=seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http" and scope["path"] == PATH:
            with SECONDS.time():
                status, body = await self._answer(scope, receive)
            ANSWERED[status].inc()
            headers = [*TEXT, (b"content-length", str(len(body)).encode())]
            if status == METHOD_NOT_ALLOWED:
                headers.append((b"allow", b"GET, POST"))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        else:
            query: bytes = scope["query_string"]
            if not query.isascii():  # people type 李 into the address bar; WSGI wants it escaped
                scope = {**scope, "query_string": quote_from_bytes(query, safe=QUERY).encode()}
            ended = asyncio.get_running_loop().create_future()
            self._open.add(ended)
            try:
                await self._fallback(scope, _as_coroutine(receive), send)
            finally:
                self._open.discard(ended)
                ended.cancel()

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        query: bytes = scope["query_string"]
        try:
            if scope["method"] == "GET":
                return 200, self._receiver.echo(query)
            if scope["method"] != "POST":
                return 405, b""
            body = await _body(receive, _declared_length(scope))
            arrival = self._receiver.receive(query, body, request_id=f"{_PROCESS}-{next(_requests)}")
            await self._intake.record(arrival)
        except Rejected as error:
            log.warning("callback_rejected", why=str(error))
            return 403, b"forbidden"
        except TooLarge:
            return 413, b"too large"
        except TimeoutError:
            return 408, b"timeout"
        except Unavailable as error:
            log.error("callback_not_durable", why=str(error))  # noqa: TRY400 - the cause is logged by the intake
            return 503, b"try again"
        if arrival.quarantined:
            QUARANTINED.inc()
            log.error("callback_quarantined", kind=arrival.kind, request_id=arrival.request_id)
        return 200, b""


def _as_coroutine(receive: Receive) -> Receive:
    """Granian answers a bare future where a2wsgi hands a coroutine to the loop: a body could not be read at all."""

    async def waiting() -> MutableMapping[str, Any]:
        return await receive()

    return waiting


def _declared_length(scope: Scope) -> int | None:
    """Content-Length; None without one. Raises TooLarge before a byte of the body is read."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            length = int(value[:9])
            if length > MAX_BODY:
                raise TooLarge
            return length
    return None


async def _body(receive: Receive, length: int | None) -> bytes:
    async with asyncio.timeout(BODY_SECONDS):  # also for the first part: some send headers and nothing else
        first = await receive()
        body: bytes = first.get("body", b"")
        if (
            first.get("more_body") and len(body) != length
        ):  # granian says "more" even when there is none: do not ask
            body = await _rest(receive, body)
    if len(body) > MAX_BODY:
        raise TooLarge
    return body


async def _rest(receive: Receive, body: bytes) -> bytes:
    parts, size = [body], len(body)
    more = True
    while more and size <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Rejected("disconnected")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
    return b"".join(parts)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
