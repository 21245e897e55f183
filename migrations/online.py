"""Building indexes while everybody works: no reader and no writer waits. MySQL does so by itself, SQLite is quick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alembic import context, op


def replace_index_on_postgresql(
    table: str, name: str, columns: Sequence[str], *, ops: Mapping[str, str]
) -> None:
    """Put another index in the place of ``name``; the old one serves until the new one is whole. May be run again.

    CONCURRENTLY needs to be outside a transaction, and waits for all transactions that are open: that is why it has
    no time limit. It holds up nobody meanwhile.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    with context.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        new = f"{name}_new"
        op.drop_index(new, table_name=table, postgresql_concurrently=True, if_exists=True)
        op.create_index(new, table, list(columns), postgresql_ops=dict(ops), postgresql_concurrently=True)
        op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)
        op.execute(f"ALTER INDEX {new} RENAME TO {name}")
