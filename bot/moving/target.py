"""The target: made at the newest structure, filled chunk by chunk, and of use to nobody before it is whole.

``lianke_move`` keeps how far each table is, in the transaction of its chunks. Meanwhile ``alembic_version`` says
``moving``, a revision that no program knows: none starts on half a company.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    MetaData,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.engine import Connection

from bot.moving.errors import MoveFailed
from bot.moving.tables import count, key_of, numbered, raw_tables
from migrations import runner
from scrm.db import Database
from scrm.dialects import count_on

MOVING = "moving"
PROGRESS = Table(
    "lianke_move",
    MetaData(),
    Column("name", String(64), primary_key=True),
    Column("source", Text, nullable=False),
    Column("last_key", Text),
    Column("done", Boolean, nullable=False, default=False),
)


@dataclass(frozen=True)
class Reached:
    """How far one table is; ``after`` is the last key that was copied."""

    after: list[Any] | None
    done: bool


def prepare(database: Database, source: str) -> bool:
    """Make the tables, or find the run that was cut off. Whether it was resumed. Raises MoveFailed.

    Only an empty database, or an interrupted move of the same source, is taken.
    """
    known = _sources(database)
    if known:
        if known != {source}:
            raise MoveFailed("move_other_source", "目标里有另一次没做完的搬迁：请换一个空的数据库")
        return True
    if runner.current(database) not in (None, runner.head()):
        raise MoveFailed("move_target_not_empty", "目标数据库的结构不是最新：请换一个空的数据库")
    runner.upgrade(database)
    with database.write_connection() as connection:
        filled = [table.name for table in raw_tables() if count(connection, table)]
        if filled:
            names = "、".join(filled[:5])
            raise MoveFailed("move_target_not_empty", f"目标数据库里已有数据（{names}）：请换一个空的数据库")
        PROGRESS.create(connection, checkfirst=True)
        rows = [{"name": table.name, "source": source, "done": False} for table in raw_tables()]
        connection.execute(insert(PROGRESS), rows)
        connection.execute(text("UPDATE alembic_version SET version_num = :moving"), {"moving": MOVING})
    return False


def _sources(database: Database) -> set[str]:
    """What an interrupted run was copying; nothing where there was none."""
    if not inspect(database.engine).has_table(PROGRESS.name):
        return set()
    with database.engine.connect() as connection:
        return set(connection.scalars(select(PROGRESS.c.source)))


def reached(connection: Connection, table: Table) -> Reached:
    """How far a table is, as its last chunk noted."""
    row = connection.execute(select(PROGRESS).where(PROGRESS.c.name == table.name)).one()
    return Reached(None if row.last_key is None else json.loads(row.last_key), bool(row.done))


def put(database: Database, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert one chunk and note it, in one transaction: after a kill it is there with its note, or neither is."""
    with database.write_connection() as connection:
        connection.execute(insert(table), [dict(row) for row in rows])
        _note(connection, table, last_key=json.dumps(key_of(table, rows[-1])))


def finish_table(database: Database, table: Table) -> None:
    """Every row of the table is there; where the database counts its ids, it goes on behind the last one."""
    with database.write_connection() as connection:
        if table.name in numbered():
            count_on(connection, table)
        _note(connection, table, done=True)


def _note(connection: Connection, table: Table, **values: Any) -> None:
    connection.execute(update(PROGRESS).where(PROGRESS.c.name == table.name).values(values))


def release(database: Database) -> None:
    """The target is whole: from now on programs start on it."""
    with database.write_connection() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": runner.head()})
        PROGRESS.drop(connection)
