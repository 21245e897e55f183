"""Where the benchmarks' databases are: a folder for SQLite, and the servers that the tests find too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.exc import OperationalError, ProgrammingError

# Where a server may be: the one named, the usual port, the port of deploy/test_servers.py.
SERVERS = {
    "postgresql": (
        "LIANKE_BENCH_POSTGRESQL",
        "postgresql+psycopg://postgres@127.0.0.1:5432/postgres",
        "postgresql+psycopg://postgres@127.0.0.1:15432/postgres",
    ),
    "mariadb": (
        "LIANKE_BENCH_MYSQL",
        "mysql+pymysql://root@127.0.0.1:3306/mysql",
        "mysql+pymysql://root@127.0.0.1:13306/mysql",
    ),
}


class Place:
    """An engine that answers; makes databases that are dropped at the end, unless they are kept for the next run."""

    def __init__(self, name: str, home: Path, admin: URL | None, *, keep: bool) -> None:
        self.name = name
        self._home = home
        self._admin = admin
        self._keep = keep

    @contextmanager
    def database(self, label: object) -> Iterator[tuple[str, bool]]:
        """A database's URL, and whether it is new and empty."""
        name = f"lianke_bench_{label}" + ("" if self._keep else f"_{os.getpid()}")
        if self._admin is None:
            path = (Path("/tmp/lianke-bench") if self._keep else self._home) / f"{name}.db"
            yield f"sqlite:///{path}", not path.exists()
            return
        is_new = True
        try:
            self._run(f"CREATE DATABASE {name}")
        except ProgrammingError:
            is_new = False
        try:
            yield self._admin.set(database=name).render_as_string(hide_password=False), is_new
        finally:
            if not self._keep:
                force = " WITH (FORCE)" if self.name == "postgresql" else ""
                self._run(f"DROP DATABASE {name}{force}")

    def _run(self, statement: str) -> None:
        engine = create_engine(self._admin or "", isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql(statement)
        finally:
            engine.dispose()


def places(home: Path, *, keep: bool = False) -> Iterator[Place]:
    """SQLite, and every server that lets us in."""
    yield Place("sqlite", home, None, keep=keep)
    for name, (variable, *usual) in SERVERS.items():
        urls = [os.environ[variable]] if variable in os.environ else usual
        admin = next(filter(_answers, urls), None)
        if admin is not None:
            yield Place(name, home, make_url(admin), keep=keep)


def _answers(url: str) -> bool:
    engine = create_engine(url)
    with suppress(OperationalError):
        engine.connect().close()
        return True
    return False
