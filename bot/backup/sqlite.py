"""SQLite: the online backup, and looking into a file that claims to be one."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from bot.backup.errors import BackupFailed

PAGES = 512  # copied at a time, between two looks at the clock
OnProgress = Callable[[int, int], None]


def copy(source: Path, target: Path, on_progress: OnProgress) -> None:
    """Copy a database as it is at this moment, while others write to it; ``target`` is one whole file afterwards.

    The source is read in one transaction: else each write by another connection would start the copy anew.
    Raises BackupFailed.
    """
    try:
        require_room(source, target.parent)
        with closing(_open(source)) as reading, closing(sqlite3.connect(target)) as writing:
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
            reading.backup(
                writing, pages=PAGES, sleep=0, progress=lambda _, left, all_: on_progress(all_ - left, all_)
            )
            reading.execute("ROLLBACK")
            writing.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise BackupFailed("backup_unreadable", f"{source} 不能完整读取或写不下：{error}") from error


def require_room(source: Path, folder: Path) -> None:
    """Raise BackupFailed unless a copy of the file, its WAL included, fits into the folder."""
    size = sum(
        path.stat().st_size for path in (source, source.with_name(source.name + "-wal")) if path.exists()
    )
    free = shutil.disk_usage(folder).free
    if free < size:
        missing = (size - free) // 1024**2 + 1
        raise BackupFailed("backup_no_room", f"{folder} 空间不够：还差 {missing} MB")


def fold(path: Path) -> None:
    """Bring what the WAL holds into the file, so that it is whole by itself."""
    with closing(_open(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def is_open_elsewhere(path: Path) -> bool:
    """Whether another process has the database open. Where none has, its WAL is folded in, if it can be read at all."""
    if not path.exists():
        return False
    try:
        fold(path)
    except sqlite3.Error as error:
        return "locked" in str(error)
    return False


def check(path: Path) -> str | None:
    """The migration revision of a whole database file; None where it has none. Raises BackupFailed for a broken one."""
    try:
        with closing(_open(path)) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
            if found != ["ok"]:
                raise BackupFailed("backup_damaged", f"{path} 已损坏：{found[0]}")
            tables = {
                row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            }
            if "alembic_version" not in tables:
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(row[0]) if row else None
    except sqlite3.Error as error:
        raise BackupFailed("backup_damaged", f"{path} 不是完好的 SQLite 数据库：{error}") from error


def is_empty(path: Path) -> bool:
    """Whether nothing would be lost with this file: absent, or without a row of ours. Unreadable is not empty."""
    if not path.exists() or path.stat().st_size == 0:
        return True
    try:
        with closing(_open(path)) as connection:
            names = [
                row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            ]
            ours = [name for name in names if name != "alembic_version" and not name.startswith("sqlite_")]
            first = (f'SELECT 1 FROM "{name}" LIMIT 1' for name in ours)  # noqa: S608 - names of its own tables
            return all(connection.execute(query).fetchone() is None for query in first)
    except sqlite3.Error:
        return False


def _open(path: Path) -> sqlite3.Connection:
    """An existing database; nothing is made and nothing is changed."""
    return sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, timeout=10)
