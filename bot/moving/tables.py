"""The tables as the database has them: sealed texts stay sealed, everything else is the same value on every dialect."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Enum,
    MetaData,
    String,
    Table,
    Text,
    and_,
    func,
    or_,
    select,
)
from sqlalchemy.engine import Connection
from sqlalchemy.types import LargeBinary, TypeEngine

from scrm.models import Base
from scrm.seal import Sealed, SealedBytes

CHUNK, CHUNK_OF_FILES = 1000, 10  # rows; files are megabytes each
MODULUS = 2**128

Key = Sequence[Any]


@cache
def raw_tables() -> tuple[Table, ...]:
    """Every table, those that others refer to first, with types that neither open nor seal a text."""
    metadata = MetaData()
    return tuple(
        Table(
            table.name,
            metadata,
            *(
                Column(column.name, _raw(column), primary_key=column.primary_key, autoincrement=False)
                for column in table.columns
            ),
        )
        for table in Base.metadata.sorted_tables
    )


def _raw(column: Column[Any]) -> TypeEngine[Any]:
    match column.type:
        case Sealed():
            return Text()
        case SealedBytes():
            return LargeBinary()
        case Enum():
            return String()
        case JSON():
            return JSON(none_as_null=bool(column.nullable))
        case kind:
            return kind


def numbered() -> list[str]:
    """Tables whose ``id`` the database counts."""
    return [table.name for table in Base.metadata.sorted_tables if table.autoincrement_column is not None]


def count(connection: Connection, table: Table) -> int:
    """How many rows a table has."""
    return connection.scalar(select(func.count()).select_from(table)) or 0


def chunks(connection: Connection, table: Table, after: Key | None = None) -> Iterator[list[dict[str, Any]]]:
    """The rows behind a key, in the order of the primary key, a bounded number at a time."""
    files = any(isinstance(column.type, LargeBinary) for column in table.columns)
    names = [column.name for column in table.columns]
    page = select(table).order_by(*table.primary_key.columns).limit(CHUNK_OF_FILES if files else CHUNK)
    while True:
        query = page if after is None else page.where(_behind(table, after))
        rows = [dict(zip(names, row, strict=True)) for row in connection.execute(query)]
        if not rows:
            return
        yield rows
        after = key_of(table, rows[-1])


def key_of(table: Table, row: Mapping[str, Any]) -> list[Any]:
    """The primary key of a row, in the order of its columns."""
    return [row[column.name] for column in table.primary_key.columns]


def _behind(table: Table, after: Key) -> ColumnElement[bool]:
    """Later than this key; the first column bounds the range by itself, so that every dialect uses the index."""
    columns = list(table.primary_key.columns)
    cases = [
        and_(*(columns[before] == after[before] for before in range(place)), columns[place] > after[place])
        for place in range(len(columns))
    ]
    return and_(columns[0] >= after[0], or_(*cases))


def checksum(connection: Connection, table: Table) -> tuple[int, str]:
    """How many rows, and a sum over all of them that does not depend on their order: collations sort differently."""
    number, total = 0, 0
    for rows in chunks(connection, table):
        number += len(rows)
        for row in rows:
            total += int.from_bytes(hashlib.sha256(_canonical(row)).digest()[:16], "big")
    return number, f"{total % MODULUS:032x}"


def _canonical(row: Mapping[str, Any]) -> bytes:
    return _JSON.encode([row[name] for name in sorted(row)]).encode("utf-8", "surrogatepass")


def _text(value: object) -> str:
    """What JSON does not know: instants and bytes."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    raise TypeError(type(value).__name__)


_JSON = json.JSONEncoder(ensure_ascii=False, sort_keys=True, default=_text)
