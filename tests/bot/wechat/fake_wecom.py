"""A small WeCom on a real socket that can misbehave on purpose."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SECRET = "sEcReT-of-the-app-0123456789"
OK = {"errcode": 0, "errmsg": "ok"}


@dataclass(frozen=True)
class Seen:
    """One request as the platform got it."""

    method: str
    api: str
    query: dict[str, str]
    body: bytes
    content_type: str
    connection: tuple[str, int]


Reply = Callable[["_Handler"], None]


def answers(data: Any, *, status: int = 200) -> Reply:
    """A complete answer: JSON of the data, or the bytes themselves."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()

    def reply(handler: _Handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return reply


def cut(data: Any, *, at: int) -> Reply:
    """The full Content-Length, `at` bytes of body, then the end of the connection."""
    body = json.dumps(data).encode()

    def reply(handler: _Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:at])
        handler.close_connection = True

    return reply


def resets(handler: _Handler) -> None:
    """Read the request, then RST without a byte of answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True


def hangs(seconds: float) -> Reply:
    """Read the request and stay silent."""

    def reply(handler: _Handler) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return reply


def drips(handler: _Handler) -> None:
    """A byte of body every 50 ms for 5 s: never silent long enough for a read timeout."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b" ")
            time.sleep(0.05)
    except OSError:
        handler.close_connection = True


@dataclass
class FakeWeCom:
    """Knows tokens as the platform does; `script` holds one-off replies per API, `always` lasting ones."""

    base: str = ""
    seen: list[Seen] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    script: dict[str, deque[Reply]] = field(default_factory=dict)
    always: dict[str, Reply] = field(default_factory=dict)
    token_lifetime: int = 7200
    issued: int = 0
    token: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def expire(self) -> None:
        """Kill the current token before its time."""
        with self.lock:
            self.token = ""

    def next(self, api: str, *replies: Reply) -> None:
        """Answer the next calls of an API with these."""
        self.script.setdefault(api, deque()).extend(replies)

    def calls(self, api: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.api == api]

    def reply_to(self, seen: Seen) -> Reply:
        with self.lock:
            self.seen.append(seen)
            if self.script.get(seen.api):
                return self.script[seen.api].popleft()
            if seen.api in self.always:
                return self.always[seen.api]
            if seen.api == "gettoken":
                if not self.token:
                    self.issued += 1
                    self.token = f"TOKEN-{self.issued:04d}-canary"
                return answers({**OK, "access_token": self.token, "expires_in": self.token_lifetime})
            if seen.query.get("access_token") != self.token:
                return answers({"errcode": 42001, "errmsg": "access_token expired, hint: [17]"})
            return answers({**OK, "echo": seen.body.decode("utf-8", "replace")})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    platform: FakeWeCom

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        self.platform.connections.add(self.client_address)
        seen = Seen(
            self.command,
            url.path.partition("/cgi-bin/")[2],
            dict(parse_qsl(url.query)),
            self.rfile.read(length),
            self.headers.get("Content-Type", ""),
            self.client_address,
        )
        self.platform.reply_to(seen)(self)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # broken pipes are what these tests are about


def serve(fake: FakeWeCom) -> ThreadingHTTPServer:
    """Start the platform on a free port; the caller shuts it down."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"platform": fake}))
    fake.base = f"http://127.0.0.1:{server.server_port}/qyapi"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server
