"""Servers of a test's own, which may crash: PostgreSQL and MariaDB that keep what they commit, a Redis that forgets.

Each listens on a port of its own, the same after every start.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import create_engine

from deploy.test_servers import can_connect, crash_postgresql, find_program, start_mariadb, start_postgresql
from tests.databases import Unreachable
from tests.stand import free_port

PATIENCE = 60.0


class PrivateDatabase(Protocol):
    """A database server that a test may crash: ``with PrivatePostgresql() as server``."""

    url: str

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def crash(self) -> None:
        """End it at once; what was committed is there after ``start``, by recovery."""

    def start(self) -> None:
        """Start it and wait until it answers."""


def make_empty(server: PrivateDatabase, name: str = "lianke") -> str:
    """The URL of a new database without tables."""
    engine = create_engine(server.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{server.url.rsplit('/', 1)[0]}/{name}"


class _Folder:
    """Where a server keeps its data: outside the test's own folder, which other users may not enter."""

    def __init__(self, kind: str) -> None:
        self.port = free_port()
        self.data = Path(tempfile.mkdtemp(prefix=f"lianke-{kind}-"))

    def remove(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)


class PrivatePostgresql(_Folder):
    """With fsync and synchronous_commit: a crash shows what was durable."""

    def __init__(self) -> None:
        super().__init__("postgresql")
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(subprocess.CalledProcessError):  # it is down already
            self.crash()
        self.remove()

    def start(self) -> None:
        start_postgresql(self.data, self.port, durable=True)

    def crash(self) -> None:
        crash_postgresql(self.data)


class PrivateMariadb(_Folder):
    """With a log that is flushed at each commit; a crash is SIGKILL."""

    def __init__(self) -> None:
        super().__init__("mariadb")
        self.url = f"mysql+pymysql://root@127.0.0.1:{self.port}/mysql"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.crash()
        self.remove()

    def start(self) -> None:
        self._process = start_mariadb(self.data, self.port, durable=True)
        _until(f"MariaDB answers, see {self.data}/log", lambda: can_connect(self.url))

    def crash(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._process = None


class PrivateRedis:
    """Keeps nothing: killed and started again it is empty."""

    def __init__(self) -> None:
        self.port = free_port()
        self.client = Redis(port=self.port)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.client.close()

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [find_program("redis-server"), *options, "--dir", tempfile.gettempdir()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _until("Redis answers", self._answers)

    def kill(self) -> None:
        """SIGKILL; it stays away until ``start``."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except RedisError:
            return False


def _until(what: str, probe: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not probe():
        if time.monotonic() > end:
            raise Unreachable(f"not within {PATIENCE} s: {what}")
        time.sleep(0.1)
