"""Where SQLite, PostgreSQL and MySQL or MariaDB differ: types, collation, upsert, claim, prefix search, errors.

Everybody else writes statements that mean the same on all of them. ``tests/scrm/test_dialects.py`` runs on each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    LargeBinary,
    Select,
    Text,
    and_,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Dialect, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session
from sqlalchemy.schema import CreateTable, Table
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator, TypeEngine

MYSQL = ("mysql", "mariadb")  # SQLAlchemy's names for one dialect
_OTHERS_CLAIM = 100  # rows that other workers may be claiming at this moment
_MYSQL_DUPLICATE = 1062  # ER_DUP_ENTRY

_MYSQL_PASSING = {1205, 1213, 2002, 2003, 2006, 2013}  # lock wait, deadlock; no connection, connection lost
_PASSING = {"40001", "40P01", "57P01", "57P03"}  # serialization, deadlock; shutting down, starting up

WRITES = "lianke_write"  # the execution option of engines whose transactions change rows
_LAST_CHARACTER = "\U0010ffff"

# A server that vanished without a word (a failover, a firewall that forgot us) is given up after half a minute, not
# after the two hours of TCP. Seconds; tcp_user_timeout in milliseconds. PyMySQL's connect timeout is 10 s by itself.
_POSTGRESQL_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}

# MySQL's TEXT ends at 64 KB, this at 16 MB.
LongText = Text().with_variant(mysql.MEDIUMTEXT(), *MYSQL)


def long_text(dialect: Dialect) -> TypeEngine[str]:
    """``LongText`` for types of our own, which do not see variants."""
    return mysql.MEDIUMTEXT() if dialect.name in MYSQL else Text()


# MySQL names the type of large files by its size, and reflects that name.
LongBinary = LargeBinary(20 * 1024 * 1024).with_variant(mysql.LONGBLOB(), *MYSQL)


def long_binary(dialect: Dialect) -> TypeEngine[bytes]:
    """``LongBinary`` for types of our own, which do not see variants."""
    return mysql.LONGBLOB() if dialect.name in MYSQL else LargeBinary()


# BIGINT on servers; SQLite only autoincrements a plain INTEGER, which is 64 bit there anyway.
BigId = BigInteger().with_variant(Integer(), "sqlite")


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


class epoch(GenericFunction[int]):  # noqa: N801 - named as SQL functions are
    """Whole seconds since 1970 of an instant: thousands of them are read several times faster than as datetimes."""

    type = BigInteger()
    inherit_cache = True


@compiles(epoch, "sqlite")
def _epoch_of_text(instant: epoch, compiler: Any, **options: Any) -> str:
    return f"CAST(strftime('%s', {compiler.process(instant.clauses, **options)}) AS INTEGER)"


@compiles(epoch, "postgresql")
def _epoch_of_timestamp(instant: epoch, compiler: Any, **options: Any) -> str:
    return f"CAST(FLOOR(EXTRACT(EPOCH FROM {compiler.process(instant.clauses, **options)})) AS BIGINT)"


@compiles(epoch, "mysql", "mariadb")
def _epoch_of_datetime(instant: epoch, compiler: Any, **options: Any) -> str:
    """UNIX_TIMESTAMP would take our UTC for the session's time zone."""
    return f"TIMESTAMPDIFF(SECOND, '1970-01-01', {compiler.process(instant.clauses, **options)})"


@compiles(CreateTable, "mysql", "mariadb")
def _bytewise(create: CreateTable, compiler: Any, **options: Any) -> str:
    """Texts differ on MySQL where they differ elsewhere: in case, in accents, in blanks at the end."""
    collation = "utf8mb4_nopad_bin" if compiler.dialect.is_mariadb else "utf8mb4_0900_bin"
    made: str = compiler.visit_create_table(create, **options)
    return f"{made.rstrip()} ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE {collation}"


def insert_ignore(
    session: Session | Connection, model: type[DeclarativeBase], rows: Sequence[dict[str, Any]]
) -> int:
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
    return connection.execute(_insert_or_ignore(table, connection.dialect.name), rows).rowcount


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


def count_on(connection: Connection, table: Table) -> None:
    """Ids go on behind the last row of ``table`` after rows were inserted with ids of their own.

    SQLite and MySQL see to it by themselves; PostgreSQL's sequences know nothing of such rows.
    """
    if connection.dialect.name != "postgresql":
        return
    last = connection.scalar(select(func.max(table.c.id)))
    if last is not None:
        connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), last)))


def may_pass(error: Exception) -> bool:
    """Whether the same transaction may succeed when tried again: it lost its connection, or a deadlock.

    It may also have been committed before the connection was lost: only what a second run leaves alone may be repeated.
    """
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", "")  # psycopg says None where no server answered
    number = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return error.connection_invalidated or state is None or state in _PASSING or number in _MYSQL_PASSING


def make_engine(url: URL, pool_size: int) -> Engine:
    """Connect lazily, with a pool of ``pool_size`` connections and as many more for moments of need."""
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, pool_size=pool_size, max_overflow=2 * pool_size)
        _prepare_sqlite(engine)
        return engine
    is_postgresql = url.get_backend_name() == "postgresql"
    patience = _POSTGRESQL_PATIENCE if is_postgresql else {}
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_recycle=1800,  # before firewalls and MySQL's wait_timeout forget a connection at rest
        isolation_level="READ COMMITTED",  # PostgreSQL's default; MySQL's own would lock the gaps between rows
        connect_args={name: value for name, value in patience.items() if name not in url.query},
    )
    if is_postgresql:
        event.listen(engine, "connect", _interpret)
    return engine


def _interpret(connection: Any, _record: Any) -> None:
    """Never compile a query: where PostgreSQL overrates one of ours, that costs 200 to 400 ms, and the query 10."""
    connection.execute("SET jit = off")
    connection.commit()


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
        begin = "BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITES) else "BEGIN"
        driver: Any = connection.connection.driver_connection  # exec_driver_sql costs several times as much
        try:
            driver.execute(begin)
        except sqlite3.Error as error:
            raise OperationalError(begin, None, error) from error


class Lockable(NamedTuple):
    """An ordered select as it reads and as it locks. Make it once: building costs ten times what running it does."""

    plain: Select[Any]
    locking: Select[Any]

    @classmethod
    def of(cls, query: Select[Any]) -> Lockable:
        return cls(query, query.with_for_update(skip_locked=True))

    def where(self, *conditions: Any) -> Lockable:
        """The same, narrowed."""
        return (
            Lockable(self.plain.where(*conditions), self.locking.where(*conditions)) if conditions else self
        )


def lock_first(
    session: Session, due: Lockable, key: Any, parameters: dict[str, Any], at_most: str
) -> list[Any]:
    """Lock the first ``parameters[at_most]`` rows of ``due``, past those that others have locked.

    On SQLite the caller's write transaction is the only one. MySQL locks every row that it sorts, not only those it
    answers, and other workers would find nothing left: there the order is read without locks, and then as many rows
    locked as are wanted.
    """
    if session.get_bind().dialect.name not in MYSQL:
        return list(session.scalars(due.locking, parameters))
    limit = parameters[at_most]
    first = due.plain.with_only_columns(key)
    ids = list(session.scalars(first, {**parameters, at_most: limit + _OTHERS_CLAIM}))
    rows: list[Any] = []
    while ids and len(rows) < limit:
        want = limit - len(rows)
        rows += session.scalars(due.locking.where(key.in_(ids[:want])), {**parameters, at_most: want})
        ids = ids[want:]
    return rows


def begins_with(session: Session, column: InstrumentedAttribute[Any], prefix: str) -> ColumnElement[bool]:
    """Whether a text begins with ``prefix``, case and all; found by the column's index.

    PostgreSQL orders texts by language, so only LIKE will do there. Elsewhere a range: SQLite's LIKE ignores case and
    so ignores the index, MariaDB's finds no 王🚚 under 王% once there is an index (its range ends at U+FFFF).
    """
    if session.get_bind().dialect.name == "postgresql":
        return column.startswith(prefix, autoescape=True)
    return and_(column >= prefix, column < prefix + _LAST_CHARACTER)


def in_this_order(query: Select[Any]) -> Select[Any]:
    """Read the tables in the order in which they are written, so that a page is read along the first one's index.

    SQLite and PostgreSQL see that a page ends soon; MySQL may read everything by another index and sort it.
    """
    for name in MYSQL:
        query = query.prefix_with("STRAIGHT_JOIN", dialect=name)
    return query
