"""Databases for tests: an empty one at head for each test, on the engine it is about.

SQLite: a file made once by the real migrations and copied. Servers: one database per pytest process, made by the
same migrations, emptied before each test; deleting rows takes 5 to 25 ms, creating a database takes 200.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, create_engine, inspect, make_url, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from migrations import runner
from scrm.db import Database
from scrm.models import Base

# Where a server may be: the one named, the usual port, the port of deploy/test_servers.py.
SERVERS = {
    "postgresql": (
        os.environ.get("LIANKE_TEST_POSTGRESQL"),
        "postgresql+psycopg://postgres@127.0.0.1:5432/postgres",
        "postgresql+psycopg://postgres@127.0.0.1:15432/postgres",
    ),
    "mariadb": (
        os.environ.get("LIANKE_TEST_MYSQL"),
        "mysql+pymysql://root@127.0.0.1:3306/mysql",
        "mysql+pymysql://root@127.0.0.1:13306/mysql",
    ),
}
_XDIST = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
# A Redis to empty at will: each pytest process has a database of its own.
REDIS_URL = os.environ.get("LIANKE_TEST_REDIS", f"redis://127.0.0.1:6379/{9 + int(_XDIST) % 6}")
DISCONNECT = {
    "postgresql": (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        "SELECT pg_terminate_backend({})",
    ),
    "mysql": (
        "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
        "KILL {}",
    ),
}
ENGINES = ("sqlite", *SERVERS)
DIRECTORY_NOT_EMPTY = 1010  # MySQL and MariaDB: ER_DB_DROP_RMDIR
INSERT_ONLY = "audit_entry"  # its triggers refuse DELETE


class Unreachable(Exception):
    """No server of this kind lets us in."""


class Place(Protocol):
    """Where the databases of one engine are."""

    def fresh(self, home: Path) -> str:
        """The URL of a database at head without rows, until the next call."""

    def empty(self, home: Path) -> str:
        """The URL of a database without tables."""

    def close(self) -> None: ...


class Files:
    """SQLite: a file in the test's folder."""

    def __init__(self, template: Path) -> None:
        self._template = template

    def fresh(self, home: Path) -> str:
        path = home / "lianke.db"
        shutil.copy(self._template, path)
        return f"sqlite:///{path}"

    def empty(self, home: Path) -> str:
        return f"sqlite:///{home / uuid.uuid4().hex}.db"

    def close(self) -> None:
        """The folders are pytest's."""


class Server:
    """PostgreSQL, MySQL or MariaDB: databases of our own, dropped at the end."""

    def __init__(self, kind: str) -> None:
        self._admin = find_server(kind)
        self._is_postgresql = kind == "postgresql"
        self._made: list[str] = []
        self._shared: Database | None = None
        self._revision: str | None = None

    def fresh(self, home: Path) -> str:
        if self._shared is not None and not self._is_whole(self._shared):
            self._shared.dispose()
            self._shared = None
        if self._shared is None:
            self._shared = Database(self.empty(home))
            runner.upgrade(self._shared)
            self._revision = runner.current(self._shared)
        with self._shared.write_connection() as connection:
            _delete_all(connection)
        return self._shared.engine.url.render_as_string(hide_password=False)

    def empty(self, _home: Path) -> str:
        name = f"lianke_test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
        self._run(f"CREATE DATABASE {name}")
        self._made.append(name)
        if self._is_postgresql:  # no power is cut here
            self._run(f"ALTER DATABASE {name} SET synchronous_commit = off")
        return self._admin.set(database=name).render_as_string(hide_password=False)

    def close(self) -> None:
        if self._shared is not None:
            self._shared.dispose()
        for name in self._made:
            self._drop(name)

    def _drop(self, name: str) -> None:
        if self._is_postgresql:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")
            return
        try:
            self._run(f"DROP DATABASE {name}")
        except (
            OperationalError
        ) as error:  # its tables are gone; MariaDB has left a file of a trigger (*.TRG-) there
            if error.orig is None or error.orig.args[0] != DIRECTORY_NOT_EMPTY:
                raise

    def _is_whole(self, database: Database) -> bool:
        """Whether no test has dropped a table, or said that the migrations are elsewhere."""
        with database.engine.connect() as connection:
            if not Base.metadata.tables.keys() <= set(inspect(connection).get_table_names()):
                return False
            said = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
            return said == self._revision

    def _run(self, statement: str) -> None:
        engine = create_engine(self._admin, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()


def find_server(kind: str) -> URL:
    """The first server that lets us in. Raises Unreachable."""
    said = []
    for url in filter(None, SERVERS[kind]):
        engine = create_engine(url)
        try:
            engine.connect().close()
            return make_url(url)
        except OperationalError as error:
            said.append(str(error.orig))
        finally:
            engine.dispose()
    raise Unreachable(f"no {kind}: {'; '.join(said)}")


@contextmanager
def closing_database(url: str) -> Iterator[Database]:
    """A Database whose connections are closed at the end."""
    database = Database(url)
    try:
        yield database
    finally:
        database.dispose()


def disconnect_all(database: Database) -> int:
    """End all connections to this database on the server, as a failover does; how many."""
    engine = create_engine(database.engine.url)
    find, end = DISCONNECT[database.dialect]
    with engine.connect() as connection:
        others = connection.exec_driver_sql(find).scalars().all()
        for other in others:
            with suppress(OperationalError):  # it ended by itself
                connection.exec_driver_sql(end.format(other))
    engine.dispose()
    return len(others)


def make_template(path: Path) -> Path:
    """A SQLite file at head."""
    with closing_database(f"sqlite:///{path}") as database:
        runner.upgrade(database)
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def _delete_all(connection: Connection) -> None:
    """Empty all tables and count ids from 1 again; what is empty already costs one question."""
    tables = list(reversed(Base.metadata.sorted_tables))
    asked = " UNION ALL ".join(f"(SELECT '{table.name}' FROM {table.name} LIMIT 1)" for table in tables)
    filled = set(connection.exec_driver_sql(asked).scalars())
    statements = [f"DELETE FROM {table.name}" for table in tables if table.name in filled - {INSERT_ONLY}]
    if INSERT_ONLY in filled:
        statements.append(f"TRUNCATE {INSERT_ONLY}")
    if connection.dialect.name == "postgresql":
        counted = [table.name for table in tables if table.autoincrement_column is not None]
        statements += [f"SELECT setval('{name}_id_seq', 1, false)" for name in counted]
        connection.exec_driver_sql(";".join(statements))  # all in one journey
        return
    for statement in statements:
        connection.exec_driver_sql(statement)
    for name in connection.scalars(_COUNTED_ON).all():
        connection.exec_driver_sql(f"ALTER TABLE `{name}` AUTO_INCREMENT = 1")


_COUNTED_ON = text(
    "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND auto_increment > 1"
)
