"""Copy every table, then compare both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alembic.migration import MigrationContext
from sqlalchemy import Table
from sqlalchemy.engine import URL, Connection

from bot.moving import source, target
from bot.moving.errors import MoveFailed
from bot.moving.tables import checksum, chunks, count, raw_tables
from migrations import runner
from scrm.db import Database

OnProgress = Callable[[str, int, int], None]  # table, rows done, rows in all


@dataclass(frozen=True)
class Compared:
    """One table on both sides: how many rows, and the sum over them."""

    table: str
    source: tuple[int, str]
    target: tuple[int, str]

    @property
    def same(self) -> bool:
        return self.source == self.target


@dataclass(frozen=True)
class Moved:
    """What came of a move; ``resumed``: it went on where an earlier one was cut off."""

    resumed: bool
    tables: list[Compared]

    @property
    def same(self) -> bool:
        return all(item.same for item in self.tables)


def move(url: URL, to: URL, *, on_progress: OnProgress) -> Moved:
    """Everything of one database is in the other, compared; where a table differs the target stays unusable.

    Called again after a kill it goes on behind the last chunk. Raises MoveFailed.
    """
    if identity(url) == identity(to):
        raise MoveFailed("move_same", "来源和目标是同一个数据库")
    with source.held(url) as reading:
        _require_head(reading)
        database = Database(to.render_as_string(hide_password=False), pool_size=2)
        try:
            resumed = target.prepare(database, identity(url))
            for table in raw_tables():
                _copy(reading, database, table, on_progress)
            compared = compare(reading, database, on_progress)
            moved = Moved(resumed, compared)
            if moved.same:
                target.release(database)
        finally:
            database.dispose()
    return moved


def identity(url: URL) -> str:
    """Names a database without its password."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:{Path(str(url.database)).resolve()}"
    named = url.set(password=None, query={}).render_as_string()
    return hashlib.sha256(named.encode()).hexdigest()


def _require_head(connection: Connection) -> None:
    current = MigrationContext.configure(connection).get_current_revision()
    if current != runner.head():
        raise MoveFailed("move_source_old", f"来源的结构是 {current or '空'}：请先运行 lianke migrate")


def _copy(reading: Connection, database: Database, table: Table, on_progress: OnProgress) -> None:
    with database.engine.connect() as connection:
        so_far, done = target.reached(connection, table), count(connection, table)
    total = count(reading, table)
    on_progress(table.name, done, total)
    if so_far.done:
        return
    for rows in chunks(reading, table, so_far.after):
        target.put(database, table, rows)
        done += len(rows)
        on_progress(table.name, done, total)
    target.finish_table(database, table)


def compare(reading: Connection, database: Database, on_progress: OnProgress) -> list[Compared]:
    """Both sides of every table, summed up by the same code."""
    tables, found = raw_tables(), []
    with database.engine.connect() as connection:
        for number, table in enumerate(tables):
            on_progress("核对", number, len(tables))
            found.append(Compared(table.name, checksum(reading, table), checksum(connection, table)))
    on_progress("核对", len(tables), len(tables))
    return found
