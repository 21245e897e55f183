"""A real sandbox server in a thread, and a receiver that collects the callbacks it sends."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Self, TypeVar

import requests
from aiohttp import web
from defusedxml import ElementTree

from bot.sandbox.server import create_app
from bot.sandbox.settings import SandboxSettings
from bot.wechat.crypto import CallbackCrypto

START_TIMEOUT_S = 10.0
T = TypeVar("T")


class Loop:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(START_TIMEOUT_S)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(START_TIMEOUT_S)
        self.loop.close()


class HttpServer:
    """Serves one aiohttp application on a free port (or a given one)."""

    def __init__(self, port: int = 0) -> None:
        self._loop = Loop()
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._runner: web.AppRunner | None = None

    def serve(self, make: Callable[[], web.Application]) -> None:
        async def start() -> None:
            self._runner = web.AppRunner(make(), access_log=None, shutdown_timeout=0.1)
            await self._runner.setup()
            await web.SockSite(self._runner, self._socket).start()

        self._loop.run(start())

    def stop(self) -> None:
        if self._runner is not None:
            self._loop.run(self._runner.cleanup())
            self._runner = None
        self._loop.stop()
        self._socket.close()


class SandboxServer:
    """The sandbox, listening: ``with SandboxServer(callback_url=...) as box: box.post("/sandbox/scan", {...})``.

    Settings by keyword, as in SandboxSettings; in memory and with short callback spacing unless said otherwise.
    """

    def __init__(self, *, port: int = 0, **settings: Any) -> None:
        self._server = HttpServer(port)
        self.url = self._server.url
        chosen = {"callback_spacing_s": 0.05, "callback_url": "", "base_url": self.url, **settings}
        self.settings = SandboxSettings(**chosen)
        self.session = requests.Session()
        self.session.trust_env = False
        self._server.serve(lambda: create_app(self.settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.session.close()
        self._server.stop()

    @property
    def api_base(self) -> str:
        """What ``wecom.api_base`` points at."""
        return f"{self.url}/qyapi"

    def request(self, method: str, path: str, body: Any = None, **kwargs: Any) -> requests.Response:
        return self.session.request(method, self.url + path, json=body, timeout=30, **kwargs)

    def post(self, path: str, body: Any = None) -> Any:
        """POST JSON, answer JSON; any status but 2xx raises."""
        return self._answer(self.request("POST", path, {} if body is None else body))

    def get(self, path: str) -> Any:
        """GET, answer JSON; any status but 2xx raises."""
        return self._answer(self.request("GET", path))

    def delete(self, path: str) -> Any:
        return self._answer(self.request("DELETE", path))

    @staticmethod
    def _answer(response: requests.Response) -> Any:
        if not response.ok:
            raise AssertionError(
                f"{response.request.method} {response.url}: {response.status_code} {response.text}"
            )
        return response.json()

    def token(self, secret: str | None = None) -> str:
        """An access token, of the app unless another secret is given."""
        query = {"corpid": self.settings.corp_id, "corpsecret": secret or self.settings.secret}
        answer = self.session.get(f"{self.api_base}/cgi-bin/gettoken", params=query, timeout=30).json()
        return str(answer["access_token"])

    def api(self, path: str, body: Any = None, *, token: str | None = None, **query: Any) -> dict[str, Any]:
        """Call a platform API with a token: POST when there is a body, else GET. Raw UTF-8 as the platform wants."""
        url = f"{self.api_base}/cgi-bin/{path}"
        params = {"access_token": self.token() if token is None else token, **query}
        if body is None:
            response = self.session.get(url, params=params, timeout=30)
        else:
            data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
            response = self.session.post(url, params=params, data=data, timeout=30)
        answer: dict[str, Any] = response.json()
        return answer


@dataclasses.dataclass
class Received:
    """One callback POST as it came."""

    query: dict[str, str]
    body: bytes
    xml: str
    event: dict[str, str]


class CallbackReceiver:
    """Decrypts and keeps what a sandbox posts. ``answers``: statuses for the next POSTs (200 when empty)."""

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        settings = settings or SandboxSettings()
        self._crypto = CallbackCrypto(settings.token, settings.encoding_aes_key, settings.corp_id)
        self.received: list[Received] = []
        self.answers: list[int] = []
        self.delay_s = 0.0
        self.on_event: Callable[[dict[str, str]], Awaitable[None]] | None = None
        self._server = HttpServer()
        self.url = f"{self._server.url}/callback/wecom"
        self._server.serve(self._make_app)

    def _make_app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/callback/wecom", self._post)
        app.router.add_get("/callback/wecom", self._verify)
        return app

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.read()
        query = dict(request.query)
        encrypted = ElementTree.fromstring(body).findtext("Encrypt") or ""
        if not self._crypto.verify(query["msg_signature"], query["timestamp"], query["nonce"], encrypted):
            return web.Response(status=403)
        xml = self._crypto.decrypt(encrypted).decode()
        event = {child.tag: child.text or "" for child in ElementTree.fromstring(xml)}
        self.received.append(Received(query, body, xml, event))
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    async def _verify(self, request: web.Request) -> web.Response:
        return web.Response(body=self._crypto.decrypt(request.query["echostr"]))

    @property
    def events(self) -> list[dict[str, str]]:
        """Top-level fields of each callback received, in order."""
        return [item.event for item in self.received]

    def wait_for(self, count: int, seconds: float = 5.0) -> list[dict[str, str]]:
        """The events once there are ``count``; fails after ``seconds``."""
        end = time.monotonic() + seconds
        while len(self.received) < count:
            if time.monotonic() > end:
                raise AssertionError(f"{len(self.received)} callbacks, not {count}: {self.events}")
            time.sleep(0.01)
        return self.events

    def clear(self) -> None:
        self.received.clear()
        self.answers.clear()
        self.delay_s = 0.0

    def stop(self) -> None:
        self._server.stop()
