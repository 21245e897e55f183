"""A cluster of real processes before a crowd, and the sandbox's own books, read where they are kept.

No proxy stands between its parts, unlike in ``tests.cluster_rig``: what is measured here is the product.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from redis import Redis
from sqlalchemy import create_engine, make_url

from tests.databases import REDIS_URL
from tests.forked import Forked, kill_session
from tests.load.crowd import CHANNELS, Crowd, staff_of_channel
from tests.rig import Rig

CHANNEL_TAG = "来源/展会"
PATIENCE = 10
REST = ("worker", "--queue", "inbound", "--queue", "outgoing", "--queue", "background")
ROLES: Mapping[str, Sequence[str]] = {
    "web": ("web",),
    "welcome-1": ("worker", "--queue", "welcome"),
    "rest-1": REST,
    "scheduler-1": ("scheduler",),
    "welcome-2": ("worker", "--queue", "welcome"),
    "rest-2": REST,
    "scheduler-2": ("scheduler",),
}
FEW = list(ROLES)[:4]
MORE = """
[redis]
url = "{redis}"
[runtime]
mode = "cluster"
"""
AS_PLATFORM = {"callback-attempts": 3, "callback-spacing-s": 1.0}  # WeCom's three tries


class Books:
    """The sandbox's database, read only: what its control API would take minutes to list."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
        self._db.row_factory = sqlite3.Row

    def all(self, query: str, *values: Any) -> list[sqlite3.Row]:
        return self._db.execute(query, values).fetchall()

    def value(self, query: str, *values: Any) -> Any:
        return self._db.execute(query, values).fetchone()[0]

    def effects(self, api: str, after: int = 0) -> list[dict[str, Any]]:
        """The bodies of a kind of accepted effect."""
        query = "SELECT body_json FROM ledger WHERE api = ? AND seq > ? ORDER BY seq"
        return [json.loads(row[0]) for row in self.all(query, api, after)]

    def close(self) -> None:
        self._db.close()


class Channels:
    """For a rig: a channel for each third of the reps, with a tag and a welcome by name."""

    def make_channels(self) -> list[str]:
        codes = []
        for number in range(CHANNELS):
            body = {
                "name": f"渠道{number}",
                "staff": staff_of_channel(number),
                "tags": [CHANNEL_TAG],
                "welcome": {"text": "{customer}您好，我是{rep}"},
            }
            codes.append(self.make(body)["state"])
        return codes

    def make(self, body: dict[str, Any]) -> dict[str, Any]:
        """A channel over REST; its code is there."""
        answer = self._http.post(
            f"{self.base}/api/v1/channels",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
        )
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


class LoadRig(Channels, Rig):
    """``with LoadRig(home, database=url, crowd=crowd) as rig``: the crowd is known to both sides."""

    box_options: ClassVar[Mapping[str, Any]] = AS_PLATFORM

    def __init__(self, home: Path, *, database: str, crowd: Crowd) -> None:
        durable(database)
        super().__init__(home, database=database, more=MORE.format(redis=REDIS_URL))
        self.crowd = crowd
        self.processes: dict[str, Forked | subprocess.Popen[bytes]] = {}
        with Redis.from_url(REDIS_URL) as redis:
            redis.flushdb()

    def _prepare(self) -> None:
        self.post("/load", self.crowd.world())
        super()._prepare()

    @contextmanager
    def books(self) -> Iterator[Books]:
        books = Books(self.home / "sandbox.db")
        try:
            yield books
        finally:
            books.close()

    def until(self, what: str, probe: Callable[[], Any], seconds: float) -> None:
        """As the rig does, with patience: what is measured must not fail because of who else is busy."""
        super().until(what, probe, PATIENCE * seconds)

    def start_roles(self, roles: Sequence[str] = tuple(ROLES)) -> None:
        """Start these and wait until the web answers and the workers listen."""
        for role in roles:
            self.processes[role] = self._spawn(
                role, "-m", "bot", "--config", str(self.config_path), *ROLES[role]
            )
        self.until("the web answers", self.is_up, 60)
        for role in roles:
            if ROLES[role][0] == "worker":
                self.until(f"{role} is ready", lambda role=role: "ready." in self._log(role), 60)

    def _log(self, role: str) -> str:
        return (self.home / f"{role}.log").read_text(errors="replace")

    def tail(self) -> str:
        """The last words of each process."""
        return "\n".join(
            f"== {role}\n" + "\n".join(self._log(role).splitlines()[-8:]) for role in self.processes
        )

    def __exit__(self, *error: object) -> None:
        for child in self.processes.values():
            kill_session(child)
            child.wait(30)
        super().__exit__(*error)

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time by kind of process so far; how much a callback costs does not depend on who else is busy."""
        assert self._box is not None
        spent: dict[str, float] = {"sandbox": _cpu_seconds(self._box.pid)}
        for role, child in self.processes.items():
            kind = role.split("-")[0]
            spent[kind] = spent.get(kind, 0.0) + _cpu_seconds(child.pid)
        return spent

    def settle(self, seconds: float) -> float:
        """Wait until every callback has ended and no work is left; how long that took."""
        began = time.monotonic()
        with self.books() as books:
            pending = "SELECT count(*) FROM delivery WHERE state = 'pending'"
            while books.value(pending) or self._unfinished():
                if time.monotonic() - began > seconds:
                    raise AssertionError(f"still busy after {seconds} s\n{self.tail()}")
                time.sleep(0.5)
        return time.monotonic() - began


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def durable(url: str) -> None:
    """Figures are of commits that reach the disk: the tests' databases are made without."""
    place = make_url(url)
    if place.get_backend_name() == "postgresql":
        engine = create_engine(place, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {place.database} RESET synchronous_commit")
        engine.dispose()
