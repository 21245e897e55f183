"""Which rows a transaction changed so far: watched while it runs, compared with the database as it was.

Rows may change through the ORM's flush and through statements (``insert_ignore``, bulk UPDATE); both are seen. What
the rows were is read on a second connection, which sees only what is committed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

from sqlalchemy import Connection, Insert, Table, Update, event, func, inspect, select, tuple_
from sqlalchemy.orm import ORMExecuteState, Session
from sqlalchemy.orm.unitofwork import UOWTransaction
from sqlalchemy.sql.dml import Delete, DMLWhereBase

from scrm.models import Base

Key = tuple[Any, ...]
MOST = 500  # keys per query


@dataclass(frozen=True)
class Change:
    """One row: new (``before`` is None), gone (``after`` is empty) or changed."""

    table: str
    key: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]

    @property
    def word(self) -> str:
        if self.before is None:
            return "新增"
        return "修改" if self.after else "删除"

    @property
    def columns(self) -> list[tuple[str, Any, Any]]:
        """(column, before, after) of what differs; of a new row what is set."""
        old = self.before or {}
        return [
            (name, old.get(name), value)
            for name, value in self.after.items()
            if (value not in (None, "", [], {}, 0) if self.before is None else value != old.get(name))
        ]


class Watch:
    """Notes the keys of all rows that ``session`` touches while the ``with`` block runs."""

    def __init__(self, session: Session, before: Session) -> None:
        self.session = session
        self.before = before
        self.touched: dict[Table, set[Key]] = defaultdict(set)
        self.grown: dict[Table, Any] = {}  # table whose keys grow → the largest one committed; None of none

    def __enter__(self) -> Self:
        event.listen(self.session, "after_flush", self._flushed)
        event.listen(self.session, "do_orm_execute", self._executing)
        self._connection = self.session.connection()
        event.listen(self._connection, "before_execute", self._on_connection)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        event.remove(self.session, "after_flush", self._flushed)
        event.remove(self.session, "do_orm_execute", self._executing)
        event.remove(self._connection, "before_execute", self._on_connection)

    def _flushed(self, session: Session, _context: UOWTransaction) -> None:
        for row in (*session.new, *session.dirty, *session.deleted):
            state = inspect(row)
            table = cast(Table, state.mapper.local_table)
            self.touched[table].add(tuple(state.mapper.primary_key_from_instance(row)))

    def _executing(self, execution: ORMExecuteState) -> None:
        if isinstance(execution.statement, Update | Delete):
            self._changing(execution.statement, execution.parameters)

    def _on_connection(
        self, _connection: Connection, statement: Any, many: Any, one: Any, _options: Any
    ) -> None:
        """Inserts go past the session: they need nothing of it."""
        if isinstance(statement, Insert):
            self._inserting(statement, many or one)

    def _inserting(self, statement: Insert, parameters: Any) -> None:
        table = cast(Table, statement.table)
        keys = list(table.primary_key.columns)
        if not parameters:
            parameters = statement.compile(dialect=self.session.get_bind().dialect).params
        rows = [parameters] if isinstance(parameters, Mapping) else parameters
        if all(row.get(key.name) is not None for row in rows for key in keys):
            self.touched[table] |= {tuple(row[key.name] for key in keys) for row in rows}
        elif table not in self.grown:
            self.grown[table] = self.before.scalar(select(func.max(keys[0])))

    def _changing(self, statement: DMLWhereBase, parameters: Any) -> None:
        table = cast(Table, cast(Any, statement).table)
        keys = select(*table.primary_key.columns)
        if statement.whereclause is not None:
            keys = keys.where(statement.whereclause)
        self.touched[table] |= {tuple(row) for row in self.session.connection().execute(keys, parameters)}


def changes_of(watch: Watch) -> list[Change]:
    """What differs from the committed state, table by table, new rows after changed ones."""
    for table, largest in watch.grown.items():
        (counter,) = table.primary_key.columns
        fresh = select(counter) if largest is None else select(counter).where(counter > largest)
        watch.touched[table] |= {tuple(row) for row in watch.session.connection().execute(fresh)}
    order = {table: number for number, table in enumerate(Base.metadata.sorted_tables)}
    found: list[Change] = []
    for table in sorted(watch.touched, key=lambda item: order.get(item, 0)):
        keys = watch.touched[table]
        old, new = _rows(watch.before, table, keys), _rows(watch.session, table, keys)
        for key in sorted(keys, key=lambda item: (item in new and item not in old, _sortable(item))):
            before, after = old.get(key), new.get(key, {})
            if before != after and (before or after):
                found.append(Change(table.name, "/".join(map(str, key)), before, after))
    return found


def _sortable(key: Key) -> tuple[str, ...]:
    """Numbers by size, ids by time."""
    return tuple(f"{part:020}" if isinstance(part, int) else str(part) for part in key)


def _rows(session: Session, table: Table, keys: Iterable[Key]) -> dict[Key, dict[str, Any]]:
    """Rows by key, as the columns' types read them: sealed texts opened."""
    columns = list(table.primary_key.columns)
    wanted, found = list(keys), dict[Key, dict[str, Any]]()
    for start in range(0, len(wanted), MOST):
        part = wanted[start : start + MOST]
        among = columns[0].in_([key[0] for key in part]) if len(columns) == 1 else tuple_(*columns).in_(part)
        for row in session.connection().execute(select(table).where(among)).mappings():
            found[tuple(row[column.name] for column in columns)] = dict(row)
    return found
