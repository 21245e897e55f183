"""A load generator on raw sockets: prepared requests, keep-alive connections, a latency for each answer."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from bot.sandbox.settings import SandboxSettings
from bot.wechat.crypto import CallbackCrypto

BOX = SandboxSettings()
XML = (
    "<xml><ToUserName><![CDATA[{corp}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
    "<CreateTime>{at}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
    "<Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[add_external_contact]]></ChangeType>"
    "<UserID><![CDATA[zhangsan]]></UserID><ExternalUserID><![CDATA[wmBENCH{n:025d}]]></ExternalUserID>"
    "<State><![CDATA[ch_000017]]></State><WelcomeCode><![CDATA[CODE{n:012d}]]></WelcomeCode></xml>"
)


def prepare(count: int, first: int = 0) -> list[bytes]:
    """``count`` distinct, signed and encrypted callbacks as complete HTTP requests."""
    crypto = CallbackCrypto(BOX.token, BOX.encoding_aes_key, BOX.corp_id)
    now = int(time.time())
    requests = []
    for n in range(first, first + count):
        encrypted = crypto.encrypt(XML.format(corp=BOX.corp_id, at=now, n=n).encode())
        nonce = str(random.randrange(10**9, 10**10))
        query = urlencode(
            {"msg_signature": crypto.sign(str(now), nonce, encrypted), "timestamp": now, "nonce": nonce}
        )
        body = (
            f"<xml><ToUserName><![CDATA[{BOX.corp_id}]]></ToUserName><AgentID><![CDATA[]]></AgentID>"
            f"<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
        ).encode()
        head = (
            f"POST /callback/wecom?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/xml\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    return requests


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


@dataclass
class Result:
    """What a run came to; latencies in seconds."""

    seconds: float
    statuses: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.statuses["200"] / self.seconds

    def percentile(self, share: float) -> float:
        return percentile(self.latencies, share)


class _Connection(asyncio.Protocol):
    def __init__(self, run: Run) -> None:
        self._run = run
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._next()

    def _next(self) -> None:
        request = self._run.take()
        if request is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        self._run.result.statuses[self._buffer[9:12].decode()] += 1
        self._run.result.latencies.append(time.perf_counter() - self._sent)
        self._buffer = b""
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        self._run.closed()


class Run:
    """One run against one server."""

    def __init__(self, requests: list[bytes], seconds: float, connections: int) -> None:
        self._requests = iter(requests)
        self._end = time.perf_counter() + seconds
        self._open = connections
        self._done = asyncio.get_running_loop().create_future()
        self.result = Result(0.0)

    def take(self) -> bytes | None:
        return next(self._requests, None) if time.perf_counter() < self._end else None

    def closed(self) -> None:
        self._open -= 1
        if not self._open and not self._done.done():
            self._done.set_result(None)

    async def go(self, port: int, connections: int) -> Result:
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port)
        await self._done
        self.result.seconds = time.perf_counter() - began
        return self.result


def run(port: int, requests: list[bytes], *, seconds: float, connections: int) -> Result:
    """Send prepared requests over keep-alive connections until the time or the requests are over."""

    async def main() -> Result:
        return await Run(requests, seconds, connections).go(port, connections)

    return asyncio.run(main())
