"""Base, column types, transactions, and the few places where databases differ.

SQLite has one writer. ``Database.write()`` therefore queues writers itself, with a lock of the process and,
behind it, a lock file shared with other processes: a fair queue gives far better tail latency than SQLite's
busy handler, which sleeps and polls.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, cast

from sqlalchemy import BigInteger, DateTime, Enum, Integer, MetaData, Text, create_engine, event
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Connection, CursorResult, Dialect, Engine, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.schema import CreateTable, Table
from sqlalchemy.types import TypeDecorator

from scrm.ids import ID_LENGTH, new_id

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

MYSQL = ("mysql", "mariadb")  # SQLAlchemy's names for one dialect
_MYSQL_DUPLICATE = 1062  # ER_DUP_ENTRY

_MYSQL_PASSING = {1205, 1213, 2002, 2003, 2006, 2013}  # lock wait, deadlock; no connection, connection lost
_PASSING = {"40001", "40P01", "57P01", "57P03"}  # serialization, deadlock; shutting down, starting up

# MySQL's TEXT ends at 64 KB, this at 16 MB.
LongText = Text().with_variant(mysql.MEDIUMTEXT(), *MYSQL)

# BIGINT on servers; SQLite only autoincrements a plain INTEGER, which is 64 bit there anyway.
BigId = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """Every table's base: one metadata, constraints named by one convention."""

    metadata = MetaData(naming_convention=NAMING)


class _SqliteInstant(sqlite.DATETIME):
    """SQLite's DATETIME text, made and read in C: the ORM's own formatter costs five times as much."""

    def bind_processor(self, _dialect: Dialect) -> Any:
        return lambda value: None if value is None else value.isoformat(" ", "microseconds")

    def result_processor(self, _dialect: Dialect, _coltype: object) -> Any:
        return lambda value: None if value is None else datetime.fromisoformat(value)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC with microseconds; naive values are refused."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name in MYSQL:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        if dialect.name == "sqlite":
            return dialect.type_descriptor(_SqliteInstant())  # type: ignore[no-untyped-call]
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


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
    from sqlalchemy import String  # noqa: PLC0415

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
            self.engine = create_engine(url, pool_size=pool_size, max_overflow=40)
            _prepare_sqlite(self.engine)
        else:
            # READ COMMITTED is PostgreSQL's default too; under MySQL's own, claims would lock the gaps between rows.
            self.engine = create_engine(
                url,
                pool_size=pool_size,
                max_overflow=20,
                pool_pre_ping=True,
                pool_recycle=1800,
                isolation_level="READ COMMITTED",
            )
        self._write_engine = self.engine.execution_options(lianke_write=True)
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

    def dispose(self) -> None:
        self.engine.dispose()


def _keep(session: Session, row: object) -> None:
    """Hold on to what a transaction has loaded: by itself a session forgets it, and the next ``get`` asks again."""
    session.info.setdefault("rows", []).append(row)


def _prepare_sqlite(engine: Engine) -> None:
    """Explicit BEGINs (IMMEDIATE for writers), WAL, and a sync on each commit: a 200 must survive power loss."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        begin = "BEGIN IMMEDIATE" if connection.get_execution_options().get("lianke_write") else "BEGIN"
        driver: Any = connection.connection.driver_connection  # exec_driver_sql costs several times as much
        try:
            driver.execute(begin)
        except sqlite3.Error as error:
            raise OperationalError(begin, None, error) from error


@compiles(CreateTable, "mysql", "mariadb")
def _bytewise(create: CreateTable, compiler: Any, **options: Any) -> str:
    """Texts differ on MySQL where they differ elsewhere: in case, in accents, in blanks at the end."""
    collation = "utf8mb4_nopad_bin" if compiler.dialect.is_mariadb else "utf8mb4_0900_bin"
    made: str = compiler.visit_create_table(create, **options)
    return f"{made.rstrip()} ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE {collation}"


def insert_ignore(session: Session | Connection, model: type[Base], rows: Sequence[dict[str, Any]]) -> int:
    """Insert the rows whose unique keys are not taken yet; how many were inserted.

    The one idempotency helper: a second insert with the same key does nothing. All rows have the same columns. What
    the session holds back is not flushed before: do it yourself where the rows refer to new ones.
    """
    if not rows:
        return 0
    connection = session.connection() if isinstance(session, Session) else session
    table = cast("Table", model.__table__)
    if connection.dialect.name in MYSQL:
        return _insert_new(connection, table, rows)
    return affected(connection.execute(_insert_or_ignore(table, connection.dialect.name), rows))


@cache
def _insert_or_ignore(table: Table, dialect: str) -> Any:
    """Made once per table: building the statement costs more than running it."""
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    # psycopg would answer -1 for the row count otherwise (SQLAlchemy 2.1)
    return postgresql.insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def _insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> int:
    """``insert_ignore`` for MySQL: all at once, and one by one when a key among them is taken.

    INSERT IGNORE would swallow every other error too, and ON DUPLICATE KEY UPDATE cannot tell new rows from old ones
    (its row count is 1 for both, because SQLAlchemy counts the rows found).
    """
    attempt = connection.begin_nested() if len(rows) > 1 else None  # one INSERT alone is undone by the server
    try:
        connection.execute(table.insert(), rows)
    except IntegrityError as error:
        if attempt is not None:
            attempt.rollback()
        if cast(Any, error.orig).args[0] != _MYSQL_DUPLICATE:
            raise
    else:
        if attempt is not None:
            attempt.commit()
        return len(rows)
    return 0 if len(rows) == 1 else sum(_insert_new(connection, table, [row]) for row in rows)


def may_pass(error: Exception) -> bool:
    """Whether the same transaction may succeed when tried again: it lost its connection, or a deadlock.

    It may also have been committed before the connection was lost: only what a second run leaves alone may be repeated.
    """
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", "")  # psycopg says None where no server answered
    number = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return error.connection_invalidated or state is None or state in _PASSING or number in _MYSQL_PASSING


def affected(result: Any) -> int:
    """How many rows an UPDATE or DELETE touched."""
    return cast(CursorResult[Any], result).rowcount
