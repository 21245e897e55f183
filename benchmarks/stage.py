"""The sandbox and ``lianke serve`` as processes of their own, with one channel to scan."""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Self
from urllib.request import Request, urlopen

from sqlalchemy import text

from benchmarks.config import product_config
from benchmarks.processes import Process, free_port
from bot.app import build
from bot.config import Config
from bot.workers.sync import run_sync
from migrations import runner
from scrm import clock
from scrm.accounts import tokens
from scrm.db import Database
from scrm.sync import service as sync

CHANNEL = {
    "name": "性能测试",
    "staff": ["zhangsan", "lisi", "wangwu"],
    "tags": ["来源/展会"],
    "welcome": {
        "text": "{customer}您好，我是{rep}，很高兴认识您！",
        "attachments": [
            {"msgtype": "link", "link": {"title": "产品手册", "url": "https://example.com/handbook"}}
        ],
    },
}
UNLIMITED = ("rate-per-minute", "rate-per-hour", "member-messages-per-minute", "member-messages-per-hour")


class Stage:
    """``with Stage(home) as stage``: ``stage.code`` can be scanned."""

    def __init__(self, home: Path) -> None:
        self.home = home
        port = free_port()
        self.box_port = free_port()
        self.sandbox = f"http://127.0.0.1:{self.box_port}"
        self.config = product_config(f"sqlite:///{home / 'lianke.db'}", port, self.sandbox)
        self.base = self.config.app.base_url

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            limits = [part for name in UNLIMITED for part in (f"--{name}", "0")]
            arguments = ["--port", str(self.box_port), "--database", str(self.home / "sandbox.db"), *limits]
            callback = ["--callback-url", f"{self.base}/callback/wecom"]
            self._box = stack.enter_context(
                Process("-m", "bot.sandbox", *arguments, *callback, port=self.box_port, path="/sandbox/clock")
            )
            token = self._prepare()
            path = self.home / "config.toml"
            path.write_text(as_toml(self.config))
            self._served = stack.enter_context(
                Process(
                    "-m", "bot", "--config", str(path), "serve", port=self.config.server.port, path="/healthz"
                )
            )
            made = self.http("POST", f"{self.base}/api/v1/channels", CHANNEL, token)
            self.code: str = made["state"]
            self._stack = stack.pop_all()
        return self

    def _prepare(self) -> str:
        product = build(self.config)
        runner.upgrade(product.database)
        with product.database.write() as session:
            _, token = tokens.create_token(
                session, name="bench", role="admin", ttl=timedelta(days=1), now=clock.now()
            )
            job = sync.start_sync(session, created_by="bench", now=clock.now()).id
        run_sync(
            product.database, product.client, job, corp=product.corp, clock=clock.now, sleep=lambda _: None
        )  # type: ignore[arg-type]
        product.database.dispose()
        return token

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def http(self, method: str, url: str, body: Any = None, token: str = "") -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(url, data=data, method=method, headers={"Content-Type": "application/json"})
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def box(self, path: str, body: Any = None) -> Any:
        """The sandbox's control: POST with a body, else GET."""
        return self.http("GET" if body is None else "POST", f"{self.sandbox}/sandbox{path}", body)

    @property
    def pid(self) -> int:
        """Of the serving process."""
        return self._served.child.pid

    def cpu_seconds(self, *, sandbox: bool = False) -> float:
        """Processor time the serving process (or the sandbox) has used."""
        pid = self._box.child.pid if sandbox else self.pid
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_until_quiet(self, seconds: float) -> float:
        """Wait until no event and no call is open; when that was, by ``time.time``."""
        database = Database(self.config.database.url)
        query = text(
            "SELECT (SELECT count(*) FROM inbox WHERE state IN ('pending', 'leased'))"
            " + (SELECT count(*) FROM outbox WHERE state IN ('pending', 'sending')"
            " OR (state = 'unknown' AND available_at IS NOT NULL))"
        )
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                with database.engine.connect() as connection:
                    if not connection.execute(query).scalar():
                        return time.time()
                time.sleep(0.25)
        finally:
            database.dispose()
        raise RuntimeError(f"still busy after {seconds} s")


def as_toml(config: Config) -> str:
    """The configuration as ``lianke --config`` reads it."""
    wecom = config.wecom
    values = {
        "app": {
            "base_url": config.app.base_url,
            "secret_key": config.app.secret_key.get_secret_value(),
            "encryption_keys": [key.get_secret_value() for key in config.app.encryption_keys],
        },
        "server": {"port": config.server.port},
        "database": {"url": config.database.url},
        "wecom": {
            "corp_id": wecom.corp_id,
            "agent_id": wecom.agent_id,
            "secret": wecom.secret.get_secret_value(),
            "contact_secret": wecom.contact_secret.get_secret_value(),
            "token": wecom.token.get_secret_value(),
            "encoding_aes_key": wecom.encoding_aes_key.get_secret_value(),
            "api_base": wecom.api_base,
        },
    }
    return "\n".join(
        f"[{section}]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in fields.items())
        for section, fields in values.items()
    )
