"""Runs migrations on the connection that ``migrations.runner`` hands over."""

from __future__ import annotations

from typing import Any

from alembic import context

from migrations.online import limit_waits
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


connection = context.config.attributes["connection"]
limit_waits(connection)
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
