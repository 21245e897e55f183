"""Runs migrations on the connection that ``migrations.runner`` hands over."""

from __future__ import annotations

from typing import Any

from alembic import context

from scrm.models import Base


def render_item(kind: str, obj: Any, autogen_context: Any) -> str | bool:
    """Our own column types are rendered by what they are in the database."""
    module = getattr(type(obj), "__module__", "")
    if kind == "type" and module in ("scrm.dialects", "scrm.seal"):
        autogen_context.imports.add("from scrm import dialects, seal")
        if module == "scrm.dialects":
            return "dialects.UtcDateTime()"
        return f'seal.{type(obj).__name__}("{obj.context}")'
    return False


# A migration that waits for a table makes everybody behind it wait too: it gives up, and is run again later.
TIMEOUTS = {
    "postgresql": ("SET lock_timeout = '5s'", "SET statement_timeout = '60s'"),
    "mysql": ("SET SESSION lock_wait_timeout = 5", "SET SESSION innodb_lock_wait_timeout = 5"),
}

connection = context.config.attributes["connection"]
for statement in TIMEOUTS.get(connection.dialect.name, ()):
    connection.exec_driver_sql(statement)
connection.commit()
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=render_item,
    compare_type=True,
    transaction_per_migration=True,  # so that one may build its indexes outside
)
with context.begin_transaction():
    context.run_migrations()
