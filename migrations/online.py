"""Changing the structure while everybody works: waiting is limited, and indexes are built beside the others' work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from alembic import context, op
from sqlalchemy.engine import Connection

# A migration that waits for a table makes everybody behind it wait too: it gives up, and is run again later.
LIMITS = {
    "postgresql": ("SET lock_timeout = '5s'", "SET statement_timeout = '60s'"),
    "mysql": ("SET SESSION lock_wait_timeout = 5", "SET SESSION innodb_lock_wait_timeout = 5"),
}


def limit_waits(connection: Connection) -> None:
    """From now on no statement of this connection waits for long."""
    for statement in LIMITS.get(connection.dialect.name, ()):
        connection.exec_driver_sql(statement)


def create_index(
    table: str, name: str, columns: Sequence[str], *, ops: Mapping[str, str] | None = None
) -> None:
    """Build an index beside the others' work, on any engine. May be run again where it was cut off on PostgreSQL."""
    if op.get_bind().dialect.name != "postgresql":
        op.create_index(name, table, list(columns))
        return
    with _patiently():
        op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)
        op.create_index(
            name, table, list(columns), postgresql_ops=dict(ops or {}), postgresql_concurrently=True
        )


@contextmanager
def _patiently() -> Iterator[None]:
    """Outside a transaction, without limits on waiting: what runs here holds up nobody meanwhile."""
    with context.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        yield
        limit_waits(op.get_bind())


def replace_index_on_postgresql(
    table: str, name: str, columns: Sequence[str], *, ops: Mapping[str, str]
) -> None:
    """Put another index in the place of ``name``; the old one serves until the new one is whole. May be run again.

    CONCURRENTLY needs to be outside a transaction, and waits for all transactions that are open: that is why it has
    no time limit. It holds up nobody meanwhile. MySQL builds indexes so by itself, and SQLite is quick.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    with _patiently():
        new = f"{name}_new"
        op.drop_index(new, table_name=table, postgresql_concurrently=True, if_exists=True)
        op.create_index(new, table, list(columns), postgresql_ops=dict(ops), postgresql_concurrently=True)
        op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)
        op.execute("SET lock_timeout = '5s'")
        op.execute(f"ALTER INDEX {new} RENAME TO {name}")
