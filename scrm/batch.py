"""Many events in one transaction: a thing is looked up once, and new rows are written together at its end.

A statement costs far more than a row. Services call ``insert`` and ``lookup`` and need not know which it is: in a
session that is no batch, rows are written at once and every look is a query.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Update
from sqlalchemy.orm import Session

from scrm.db import Base
from scrm.dialects import insert_ignore

Found = TypeVar("Found")
_BATCH = "batch"  # in ``session.info``


@dataclass
class _Batch:
    rows: dict[type[Base], list[dict[str, Any]]] = field(default_factory=dict)
    changes: dict[Update, list[dict[str, Any]]] = field(default_factory=dict)
    found: dict[Hashable, Any] = field(default_factory=dict)


@contextmanager
def collect(session: Session) -> Iterator[None]:
    """Within, ``session`` is a batch: nothing is flushed by itself, everything is written when it ends well."""
    shared = session.info[_BATCH] = _Batch()
    try:
        with session.no_autoflush:
            yield
            session.flush()
            for model, rows in shared.rows.items():
                insert_ignore(session, model, rows)
            for statement, values in shared.changes.items():
                session.execute(statement, values)
    finally:
        del session.info[_BATCH]


def insert(session: Session, model: type[Base], row: dict[str, Any]) -> None:
    """Insert a row unless its unique key is taken; what it refers to is flushed before.

    In a batch it is written last; all rows of a model have the same columns.
    """
    shared: _Batch | None = session.info.get(_BATCH)
    if shared is not None:
        shared.rows.setdefault(model, []).append(row)
        return
    if model.__table__.foreign_keys:
        session.flush()
    insert_ignore(session, model, [row])


def change(session: Session, statement: Update, values: dict[str, Any]) -> None:
    """Run a prepared UPDATE of a table, whose row is there. In a batch it runs last, once for all ``values``."""
    shared: _Batch | None = session.info.get(_BATCH)
    if shared is not None:
        shared.changes.setdefault(statement, []).append(values)
        return
    session.execute(statement, values)


def lookup(session: Session, key: Hashable, find: Callable[[], Found]) -> Found:
    """What ``find`` returns; in a batch it is asked once per ``key``."""
    shared: _Batch | None = session.info.get(_BATCH)
    if shared is None:
        return find()
    if key not in shared.found:
        shared.found[key] = find()
    found: Found = shared.found[key]
    return found


def remember(session: Session, key: Hashable, value: object) -> None:
    """Answer the batch's next ``lookup`` of ``key`` without a query."""
    shared: _Batch | None = session.info.get(_BATCH)
    if shared is not None:
        shared.found[key] = value
