"""How a database would run our statements: which tables it would read from end to end.

``with Recorder(session) as recorder`` notes what a block of code sends; ``whole_reads`` asks the engine for each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

# They grow with the customers or with what they do; any other holds some hundred rows (jobs are a few a day).
LARGE = (
    *("contact", "contact_identity", "relation", "contact_tag", "assignment", "scan"),
    *("timeline_entry", "followup", "task", "group_member", "library_use"),
    *("inbox", "outbox", "outbox_attempt"),
)
# All of them, newest first: a page is read along such an index and ends when it is full, if nothing is sorted after.
WALKED = ("ix_contact_created_by", "ix_followup_at")


@dataclass(frozen=True)
class Read:
    """One table's part of a plan. ``index`` is None for a scan; ``is_sought`` where the index narrows it down."""

    table: str
    index: str | None
    is_sought: bool
    is_sorted_after: bool
    said: str

    @property
    def is_whole(self) -> bool:
        is_page = self.index in WALKED and not self.is_sorted_after
        return self.index is None or not (self.is_sought or is_page)


@dataclass
class Recorder:
    """The statements that a block of code sends by this session, or by anybody on this engine."""

    on: Session | Engine
    sent: list[tuple[str, Any]] = field(default_factory=list)

    def _note(self, _connection, _cursor, statement, parameters, _context, _many) -> None:
        self.sent.append((statement, parameters))

    def __enter__(self) -> Self:
        self._target = self.on.connection() if isinstance(self.on, Session) else self.on
        event.listen(self._target, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_error: object) -> None:
        event.remove(self._target, "before_cursor_execute", self._note)

    def plans(self) -> list[tuple[str, list[Read]]]:
        """Each SELECT with its plan."""
        selects = [(said, given) for said, given in self.sent if said.lstrip().startswith("SELECT")]
        with (
            self._target.connect() if isinstance(self._target, Engine) else nullcontext(self._target) as asked
        ):
            return [(said, plan_of(asked, said, given)) for said, given in selects]


def whole_reads(plans: Iterable[tuple[str, list[Read]]]) -> list[str]:
    """The steps that read a whole large table, each with its statement."""
    return [
        f"{read.said}\n  in {statement}"
        for statement, plan in plans
        for read in plan
        if read.table in LARGE and read.is_whole
    ]


def plan_of(connection: Connection, statement: str, parameters: Any) -> list[Read]:
    """Ask the engine. Its statistics must know the rows: ANALYZE first."""
    ask = {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql}[connection.dialect.name]
    return list(ask(connection, statement, parameters))


def _sqlite(connection: Connection, statement: str, parameters: Any) -> Iterator[Read]:
    steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    is_sorted = any("TEMP B-TREE FOR ORDER BY" in step for step in steps)
    names = _aliases(statement)
    for step in steps:
        verb, _, rest = step.partition(" ")
        if verb not in ("SCAN", "SEARCH"):
            continue
        table = rest.split()[0]
        index = rest.partition("INDEX ")[2].split()[0] if "INDEX " in rest else None
        if "PRIMARY KEY" in rest:
            index = "primary key"
        yield Read(names.get(table, table), index, verb == "SEARCH", is_sorted, step)


def _postgresql(connection: Connection, statement: str, parameters: Any) -> Iterator[Read]:
    # It scans or joins a whole table of some hundred pages rather than look 50 rows up, and rightly so. What is to be
    # shown is that an index serves the statement when the table is large; where none does, it scans all the same.
    for way in ("seqscan", "hashjoin", "mergejoin"):
        connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
    said = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    yield from _nodes((said if isinstance(said, list) else json.loads(said))[0]["Plan"], is_sorted=False)


def _nodes(node: dict[str, Any], *, is_sorted: bool) -> Iterator[Read]:
    kind = node["Node Type"]
    if "Relation Name" in node or kind == "Bitmap Index Scan":
        text = json.dumps({key: value for key, value in node.items() if key != "Plans"}, ensure_ascii=False)
        if kind == "Seq Scan":
            yield Read(node["Relation Name"], None, is_sought=False, is_sorted_after=is_sorted, said=text)
        elif "Index Name" in node:
            table = node.get("Relation Name", "")
            yield Read(table, node["Index Name"], "Index Cond" in node, is_sorted, text)
    # An incremental sort needs one group at a time, not all.
    is_sorted = is_sorted or kind in ("Sort", "Hash", "HashAggregate")
    for child in node.get("Plans", ()):
        yield from _nodes(child, is_sorted=is_sorted)


def _mysql(connection: Connection, statement: str, parameters: Any) -> Iterator[Read]:
    rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).mappings().all()
    is_sorted = any("filesort" in (row["Extra"] or "") for row in rows)
    names = _aliases(statement)
    for row in rows:
        if row["table"] is None or row["table"].startswith("<"):
            continue
        index = row["key"] if row["type"] != "ALL" else None
        yield Read(
            names.get(row["table"], row["table"]),
            index,
            row["type"] not in ("ALL", "index"),
            is_sorted,
            str(dict(row)),
        )


def _aliases(statement: str) -> dict[str, str]:
    """SQLAlchemy's names for a table that occurs twice: ``inbox AS inbox_1``."""
    words = statement.replace("`", "").replace(",", " ").replace(")", " ").split()
    return {words[n + 1]: words[n - 1] for n in range(1, len(words) - 1) if words[n] == "AS"}
