"""Base, column types and transactions. How databases differ is in ``scrm.dialects``.

SQLite has one writer. ``Database.write()`` therefore queues writers itself, with a lock of the process and,
behind it, a lock file shared with other processes: a fair queue gives far better tail latency than SQLite's
busy handler, which sleeps and polls.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Enum, MetaData, String, event
from sqlalchemy.engine import Connection, CursorResult, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from scrm import dialects
from scrm.ids import ID_LENGTH, new_id

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table's base: one metadata, constraints named by one convention."""

    metadata = MetaData(naming_convention=NAMING)


def enum_type(enum: type[StrEnum], length: int = 24) -> Enum:
    """A StrEnum stored by value in a text column with a CHECK."""
    return Enum(
        enum,
        native_enum=False,
        create_constraint=True,
        length=length,
        values_callable=lambda members: [member.value for member in members],
        name=enum.__name__.lower(),
    )


def id_column() -> Mapped[str]:
    """A primary key made by us, before the insert."""
    return mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)


class WriterLock:
    """A queue of writers: one thread of the process, then one process of the machine."""

    def __init__(self, path: Path | None) -> None:
        self._thread = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600) if path else None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._thread:
            if self._file is None:
                yield
                return
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)


class Database:
    """One engine and the two kinds of transaction the program knows: read and write."""

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        parsed = make_url(url)
        self.dialect = parsed.get_backend_name()
        self._lock: Callable[[], AbstractContextManager[None]] = nullcontext
        if self.dialect == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise ValueError("the in-memory SQLite cannot be shared by threads: name a file")
            path = Path(parsed.database)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = WriterLock(path.with_name(path.name + ".writer"))
        self.engine = dialects.make_engine(parsed, pool_size)
        self._write_engine = self.engine.execution_options(**{dialects.WRITES: True})
        self._session = sessionmaker(self.engine, expire_on_commit=False)
        self._writer = sessionmaker(self._write_engine, expire_on_commit=False)
        event.listen(self._writer, "loaded_as_persistent", _keep)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that may change rows: commits at the end, rolls back on any exception."""
        with self._lock(), self._writer.begin() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads; never blocks writers."""
        with self._session() as session:
            yield session

    @contextmanager
    def write_connection(self) -> Iterator[Connection]:
        """As ``write`` but without the ORM, for the accept path."""
        with self._lock(), self._write_engine.begin() as connection:
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A connection of its own for migrations, which begin and commit themselves; its settings end with it."""
        with self._lock(), self._write_engine.connect() as connection:
            try:
                yield connection
            finally:
                connection.invalidate()

    def dispose(self) -> None:
        self.engine.dispose()


def _keep(session: Session, row: object) -> None:
    """Hold on to what a transaction has loaded: by itself a session forgets it, and the next ``get`` asks again."""
    session.info.setdefault("rows", []).append(row)


def affected(result: Any) -> int:
    """How many rows an UPDATE or DELETE touched."""
    return cast(CursorResult[Any], result).rowcount
