"""An upgrade without downtime: web processes are restarted one after the other and nobody notices."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pytest
import requests
from sqlalchemy import func, select

from bot.app import build
from bot.config import load_config
from migrations import runner
from scrm.db import Database
from scrm.inbox.models import InboxEvent
from tests.deploy.nginx_site import Site, needs_nginx
from tests.deploy.proxy import RoundRobin
from tests.envelopes import crypto, event_xml, post
from tests.rig import CONFIG
from tests.stand import BOX, free_port

SECRET = "s" * 40
SENDERS = 4
DRAIN_SECONDS = 25


class Web:
    """One ``lianke web`` (or ``serve``) process."""

    def __init__(self, config: Path, port: int, command: str = "web") -> None:
        self._config = config
        self._command = command
        self.port = port
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "bot", "--config", str(self._config), self._command]
        env = {**os.environ, "LIANKE_SERVER__PORT": str(self.port)}
        with self._config.with_name(f"web-{self.port}.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=env, stdout=log, stderr=log)

    def wait_until_up(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.05)
        raise AssertionError(f"lianke {self._command} did not come up")

    def stop(self) -> int:
        """SIGTERM; the exit code. Raises when it takes longer than an operator's supervisor waits."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(DRAIN_SECONDS)

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)


class Traffic:
    """Clients that never rest: half of the requests are callbacks, each about another customer."""

    def __init__(self, base: str, verify: str | bool = True) -> None:
        self._base = base
        self._verify = verify
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._sent = 0
        self.answers: Counter[str] = Counter()
        self.callbacks = 0
        self._threads = [threading.Thread(target=self._run) for _ in range(SENDERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                self._sent += 1
                number = self._sent
            answer = self._answer(number)
            with self._lock:
                self.answers[answer] += 1
                self.callbacks += number % 2 and answer == "200"

    def _answer(self, number: int) -> str:
        options = {"timeout": 20, "verify": self._verify}
        try:
            if number % 2 == 0:
                return str(requests.get(f"{self._base}/healthz", **options).status_code)
            sent = post(event_xml(ExternalUserID=f"wm{number:028}"), pair=PAIR, at=datetime.now(UTC))
            url = f"{self._base}/callback/wecom?{sent.query.decode()}"
            return str(requests.post(url, data=sent.body, **options).status_code)
        except requests.RequestException as error:
            return type(error).__name__


PAIR = crypto(token=BOX.token, key=BOX.encoding_aes_key, receive_id=BOX.corp_id)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    database = f"sqlite:///{tmp_path}/lianke.db"
    text = CONFIG.format(base=base, secret=SECRET, port=port, database=database, box=BOX, sandbox=base)
    path.write_text(text)
    return path


@pytest.fixture
def database(config: Path) -> Iterator[Database]:
    opened = build(load_config(config, {})).database
    runner.upgrade(opened)
    yield opened
    opened.dispose()


@pytest.fixture
def webs(config: Path, database: Database) -> Iterator[list[Web]]:
    started = [Web(config, free_port()) for _ in range(2)]
    for web in started:
        web.wait_until_up()
    yield started
    for web in started:
        web.end()


def restart_in_turn(webs: list[Web]) -> None:
    for web in webs:
        assert web.stop() == 0
        web.start()
        web.wait_until_up()
    time.sleep(0.5)  # both are back in turn


def events(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(InboxEvent)) or 0


def test_a_rolling_restart_answers_every_request(webs: list[Web], database: Database) -> None:
    with RoundRobin([web.port for web in webs]) as proxy:
        with Traffic(f"http://127.0.0.1:{proxy.port}") as traffic:
            restart_in_turn(webs)
        assert min(proxy.served.values()) > 20, proxy.served

    assert traffic.answers["200"] > 100, traffic.answers
    assert set(traffic.answers) == {"200"}
    assert events(database) == traffic.callbacks  # each that was answered is a row, once


@needs_nginx
def test_a_rolling_restart_behind_our_nginx_site(webs: list[Web], database: Database, tmp_path: Path) -> None:
    ports = [web.port for web in webs]
    with Site(tmp_path / "nginx", ports) as site, Traffic(site.base, str(site.http.verify)) as traffic:
        restart_in_turn(webs)

    assert traffic.answers["200"] > 100, traffic.answers
    assert set(traffic.answers) == {"200"}
    assert events(database) == traffic.callbacks  # each that was answered is a row, once


@pytest.fixture(params=["web", "serve"])
def process(config: Path, database: Database, request: pytest.FixtureRequest) -> Iterator[Web]:
    started = Web(config, free_port(), request.param)
    started.wait_until_up()
    yield started
    started.end()


def wait_until_refused(port: int) -> None:
    """Until nobody new is let in."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    raise AssertionError("the process still takes connections")


def test_a_request_under_way_is_answered_before_the_process_ends(process: Web) -> None:
    request = b"POST /api/v1/contacts HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
    with socket.create_connection(("127.0.0.1", process.port), 10) as client:
        client.sendall(request + b"{")
        time.sleep(0.3)  # it is being read
        stopped = threading.Thread(target=process.stop)
        stopped.start()
        wait_until_refused(process.port)

        client.sendall(b"}")
        answer = client.recv(4096)
        stopped.join(DRAIN_SECONDS)

    assert answer.startswith(b"HTTP/1.1 4"), answer  # refused for its token, but answered
    assert process._process.returncode == 0
