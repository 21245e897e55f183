"""The whole product on real sockets, in this process: sandbox, web server, workers; the platform alone is pretended."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

import requests
from granian.constants import Interfaces
from granian.server.embed import Server

from bot.app import Product, build, create_asgi
from bot.config import Config
from bot.logs import GRANIAN_LOGGING
from bot.runtime import Workers
from bot.sandbox.settings import SandboxSettings
from migrations import runner
from scrm.accounts import tokens
from tests.sandbox_fixture import SandboxServer

T = TypeVar("T")


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


BOX = SandboxSettings()


def config_for(database_url: str, port: int, sandbox_url: str) -> Config:
    """A configuration that speaks to the sandbox at ``sandbox_url``."""
    return Config.model_validate(
        {
            "app": {
                "base_url": f"http://127.0.0.1:{port}",
                "secret_key": "s" * 40,
                "encryption_keys": ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="],
            },
            "server": {"port": port},
            "database": {"url": database_url},
            "wecom": {
                "corp_id": BOX.corp_id,
                "agent_id": BOX.agent_id,
                "secret": BOX.secret,
                "contact_secret": BOX.contact_secret,
                "token": BOX.token,
                "encoding_aes_key": BOX.encoding_aes_key,
                "api_base": f"{sandbox_url}/qyapi",
            },
        }
    )


class Stand:
    """``with Stand(tmp_path) as stand``: ``stand.box`` is the sandbox, ``stand.api`` speaks REST as administrator."""

    def __init__(self, home: Path, *, make: Callable[[Config], Product] = build, **sandbox: Any) -> None:
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.box = SandboxServer(callback_url=f"{self.base}/callback/wecom", **sandbox)
        self.config = config_for(f"sqlite:///{home / 'lianke.db'}", self.port, self.box.url)
        self.product: Product = make(self.config)
        runner.upgrade(self.product.database)
        with self.product.database.write() as session:
            _, self.token = tokens.create_token(
                session, name="tests", role="admin", ttl=timedelta(days=1), now=self.product.clock()
            )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._http = requests.Session()

    def _workers(self) -> Any:
        """What works on rows: ``start`` and ``stop``."""
        return Workers(self.product)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._server.serve())

    def __enter__(self) -> Self:
        self.app, self.intake = create_asgi(self.product)
        self._server = Server(
            self.app,
            address="127.0.0.1",
            port=self.port,
            interface=Interfaces.ASGI,
            websockets=False,
            log_dictconfig=GRANIAN_LOGGING,
        )
        self.workers = self._workers()
        self.workers.start()
        self._thread.start()
        self.until("the server answers", self._alive)
        return self

    def _alive(self) -> bool:
        try:
            return self._http.get(f"{self.base}/healthz", timeout=1).ok
        except requests.ConnectionError:
            return False

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.stop)
        self._thread.join(10)
        self.workers.stop()
        self.intake.close()
        self.box.stop()
        self.product.database.dispose()

    def api(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        url = f"{self.base}/api/v1{path}"
        return self._http.request(method, url, json=body, headers=headers, timeout=15, **options)

    def until(self, what: str, probe: Callable[[], T], seconds: float = 15.0) -> T:
        """Wait for something to become true and return it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = probe()
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {what}")
