"""The product and the sandbox as processes with files of their own, to be killed; ``tests.judge`` judges."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

import requests
from sqlalchemy import select

from bot.app import build, wecom_client
from bot.config import load_config
from bot.workers.sync import run_sync
from migrations import runner
from scrm import clock
from scrm.accounts import tokens
from scrm.db import Database
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox.models import CallState, OutboxCall
from scrm.sync import service as sync
from tests.forked import Forked, kill_session
from tests.stand import BOX, free_port

CALLBACK_ATTEMPTS, CALLBACK_SPACING_S = (
    30,
    2.0,
)  # outlasts what we do to servers and networks on a busy machine
CONFIG = """
[app]
base_url = "{base}"
secret_key = "{secret}"
encryption_keys = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
[server]
port = {port}
[database]
url = "{database}"
[wecom]
corp_id = "{box.corp_id}"
agent_id = {box.agent_id}
secret = "{box.secret}"
contact_secret = "{box.contact_secret}"
token = "{box.token}"
encoding_aes_key = "{box.encoding_aes_key}"
api_base = "{sandbox}/qyapi"
"""
KILLED = 137


@dataclass(frozen=True)
class Through:
    """What the product and the sandbox speak to each other and to the database through, where that is not direct."""

    base: str
    callback: str
    database: str
    sandbox: str


class Rig:
    """``with Rig(home) as rig``: the sandbox runs and a channel exists; ``rig.start()`` starts the product."""

    box_options: ClassVar[Mapping[str, Any]] = {}  # of the sandbox, over those that follow
    is_forked: ClassVar[bool] = True  # else each process imports all by itself

    def __init__(
        self,
        home: Path,
        *,
        database: str = "",
        more: str = "",
        sandbox_port: int = 0,
        through: Through | None = None,
    ) -> None:
        self.home = home
        self.port, self.sandbox_port = free_port(), sandbox_port or free_port()
        self.sandbox = f"http://127.0.0.1:{self.sandbox_port}"
        self.database_url = database or f"sqlite:///{home}/lianke.db"
        base = f"http://127.0.0.1:{self.port}"
        self._through = through or Through(base, base, self.database_url, self.sandbox)
        self.base = self._through.base
        self.config_path = home / "config.toml"
        self.config_path.write_text(
            CONFIG.format(
                base=self.base,
                secret="s" * 40,
                port=self.port,
                database=self._through.database,
                box=BOX,
                sandbox=self._through.sandbox,
            )
            + more
        )
        self._box: Forked | subprocess.Popen[bytes] | None = None
        self._served: Forked | subprocess.Popen[bytes] | None = None
        self._http = requests.Session()
        self._http.trust_env = False

    # --- processes

    def __enter__(self) -> Self:
        options = {
            "port": self.sandbox_port,
            "database": self.home / "sandbox.db",
            "callback-url": f"{self._through.callback}/callback/wecom",
            "callback-attempts": CALLBACK_ATTEMPTS,
            "callback-spacing-s": CALLBACK_SPACING_S,
            "rate-per-minute": 0,
            "rate-per-hour": 0,
            "member-messages-per-minute": 0,
            "member-messages-per-hour": 0,
            **self.box_options,
        }
        arguments = [
            part
            for name, value in options.items()
            for part in ((f"--{name}",) if value is True else (f"--{name}", str(value)))
        ]
        self._box = self._spawn("sandbox", "-m", "bot.sandbox", *arguments)
        self.until("the sandbox answers", lambda: self._answers(f"{self.sandbox}/sandbox/clock"), 180)
        self._prepare()
        return self

    def _spawn(
        self, name: str, *arguments: str, env: Mapping[str, str] | None = None
    ) -> Forked | subprocess.Popen[bytes]:
        path = self.home / f"{name}.log"
        if self.is_forked:
            return Forked(arguments, path, env)
        with path.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    def _prepare(self) -> None:
        """Migrate, read the corp, make an API token and, over REST, a channel with tags and a welcome by name."""
        config = load_config(self.config_path, {})
        product = build(config)
        self.database = Database(self.database_url)  # of our own: what we do to the network is not done to us
        runner.upgrade(self.database)
        with self.database.write() as session:
            _, self.token = tokens.create_token(
                session, name="rig", role="admin", ttl=timedelta(days=1), now=clock.now()
            )
            job = sync.start_sync(session, created_by="rig", now=clock.now()).id
        client = wecom_client(config)
        run_sync(self.database, client, job, corp=product.corp, clock=clock.now, sleep=lambda _: None)
        client.close()

    def make_channel(self) -> None:
        """Over REST; the product must run."""
        answer = self.post_channel("渠道", key="first")
        assert answer.status_code == 201, answer.text
        self.code: str = answer.json()["state"]
        ready = lambda: any(way["state"] == self.code for way in self.get("/ways"))  # noqa: E731
        self.until("the channel's code exists", ready, 120)

    def post_channel(self, name: str, *, key: str) -> requests.Response:
        """Make a channel, once per ``key``."""
        body = {"name": name, "staff": ["zhangsan", "lisi", "wangwu"], "tags": ["来源/展会"]}
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": key}
        body |= {"welcome": {"text": "{customer}您好"}}
        return self._http.post(f"{self.base}/api/v1/channels", json=body, headers=headers, timeout=30)

    def start(self) -> None:
        """Start ``lianke serve`` and wait until it answers."""
        self.launch()
        self.until("the product answers", self.is_up, 180)

    def launch(self) -> None:
        self._served = self._spawn("serve", "-m", "bot", "--config", str(self.config_path), "serve")

    def is_up(self) -> bool:
        return self._answers(f"{self.base}/healthz")

    def kill(self) -> None:
        """SIGKILL, as a machine dies."""
        assert self._served is not None
        kill_session(self._served)
        self._served.wait(30)
        self._served = None

    def stop(self) -> int:
        """SIGTERM; answers the exit code."""
        assert self._served is not None
        self._served.send_signal(signal.SIGTERM)
        code = self._served.wait(40)
        self._served = None
        return code

    def __exit__(self, *_: object) -> None:
        for child in (self._served, self._box):
            if child is not None and child.poll() is None:
                kill_session(child)
                child.wait(30)
        self._http.close()
        self.database.dispose()

    # --- acting and looking

    def _answers(self, url: str) -> bool:
        try:
            return self._http.get(url, timeout=2).ok
        except requests.RequestException:
            return False

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._http.post(f"{self.sandbox}/sandbox{path}", json=body or {}, timeout=180)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    def get(self, path: str) -> list[dict[str, Any]]:
        answer = self._http.get(f"{self.sandbox}/sandbox{path}", timeout=60)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def delete(self, path: str) -> None:
        answer = self._http.delete(f"{self.sandbox}/sandbox{path}", timeout=60)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"

    def scan(self, customer: str) -> str:
        """A scan whose callback the sandbox goes on delivering by itself; answers the customer's id."""
        body = {"customer": customer, "code": self.code, "mode": "async"}
        return str(self.post("/scan", body)["customer_id"])

    def until(self, what: str, probe: Callable[[], Any], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not probe():
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {what}\n{self.tail()}")
            time.sleep(0.05)

    def tail(self) -> str:
        """The last words of the product, for whoever reads a failure."""
        path = self.home / "serve.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-15:]) if path.exists() else ""

    def drain(self, seconds: float = 240.0) -> None:
        """Wait until every callback has ended and no work is left."""
        self.until("all callbacks ended", lambda: not self._undelivered(), seconds)
        try:
            self.until("all work is done", lambda: not self._unfinished(), seconds)
        except AssertionError as error:
            error.add_note("\n".join(self._unfinished()))
            raise

    def _undelivered(self) -> list[dict[str, Any]]:
        return [item for item in self.get("/callbacks") if item["state"] == "pending"]

    def _unfinished(self) -> list[str]:
        """The events and calls that will still be worked on."""
        open_events = InboxEvent.state.in_((EventState.PENDING, EventState.LEASED))
        open_calls = OutboxCall.state.in_((CallState.PENDING, CallState.SENDING, CallState.UNKNOWN))
        with self.database.read() as session:
            if (
                session.get_bind().dialect.name != "sqlite"
            ):  # one moment: an ended call may just have become an event
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            events = session.scalars(select(InboxEvent).where(open_events)).all()
            calls = session.scalars(
                select(OutboxCall).where(open_calls, OutboxCall.available_at.is_not(None))
            ).all()
        return [f"event {row.id} {row.kind} {_lease(row)}: {row.error}" for row in events] + [
            f"call {row.id} {row.api} {_lease(row)}: {row.reason}" for row in calls
        ]


def _lease(row: InboxEvent | OutboxCall) -> str:
    return f"{row.state} {row.attempts} {row.available_at} {row.lane}"
