"""The sandbox's memory: one SQLite connection, one clock, ids as the platform makes them.

A file database uses WAL without fsync: what was answered survives SIGKILL of the sandbox (the pages are
the operating system's), not a power cut. All access is from the server's event loop, between awaits, so
each request is atomic.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.sandbox.schema import SCHEMA, TABLES

ALPHABET_TRANSLATION = str.maketrans("-_", "Aa")


def dump(value: Any) -> str:
    """JSON text with raw UTF-8, as the platform writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def iso(at: float) -> str:
    """RFC 3339 in UTC with milliseconds, e.g. 2026-01-02T03:04:05.678Z."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id(prefix: str, length: int = 32) -> str:
    """A random id of ``length`` letters and digits that starts with ``prefix``."""
    body = secrets.token_urlsafe(length).translate(ALPHABET_TRANSLATION)
    return (prefix + body)[:length]


class State:
    """The database and the sandbox's clock (real time plus what /sandbox/clock added)."""

    def __init__(self, database: str) -> None:
        if database != ":memory:":
            Path(database).parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(
            database, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        self.db.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "temp_store=MEMORY", "cache_size=-65536"):
            self.db.execute(f"PRAGMA {pragma}")
        self.db.executescript(SCHEMA)
        self._offset = float(self.get_meta("clock_offset", "0"))

    def close(self) -> None:
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit on success, roll back on any error; joins a transaction that is already open."""
        if self.db.in_transaction:
            yield
            return
        self.db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.db.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        return self.db.execute(sql, values).fetchall()

    def value(self, sql: str, *values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.db.execute(sql, values).fetchone()
        return row[0] if row else None

    def run(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return self.db.execute(sql, values)

    def insert(self, table: str, **columns: Any) -> int:
        """Insert or replace one row; answers its rowid (0 for tables without one)."""
        marks = ",".join("?" * len(columns))
        cursor = self.db.execute(
            f"INSERT OR REPLACE INTO {table} ({','.join(columns)}) VALUES ({marks})",  # noqa: S608 - own names
            tuple(columns.values()),
        )
        return cursor.lastrowid or 0

    def get_meta(self, key: str, default: str) -> str:
        value = self.value("SELECT value FROM meta WHERE key = ?", key)
        return default if value is None else str(value)

    def set_meta(self, key: str, value: str) -> None:
        self.insert("meta", key=key, value=value)

    def now(self) -> float:
        """The sandbox's time, in unix seconds."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock forward; kept over restarts."""
        self._offset += seconds
        self.set_meta("clock_offset", repr(self._offset))

    @property
    def offset(self) -> float:
        """How far the sandbox's clock is ahead of real time, in seconds."""
        return self._offset

    def wipe(self) -> None:
        """Empty every table, numbering and clock included."""
        with self.transaction():
            for table in (*TABLES, "sqlite_sequence"):
                self.run(f"DELETE FROM {table}")  # noqa: S608 - own names
            self._offset = 0.0
