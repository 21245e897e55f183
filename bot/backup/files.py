"""Names, and how a file comes to be whole or not at all."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from bot.backup.errors import BackupFailed

ENDINGS = {"sqlite": ".db", "postgresql": ".dump", "mysql": ".sql", "mariadb": ".sql"}
NAME = re.compile(r"lianke-\d{8}T\d{12}Z(\.db|\.dump|\.sql)")


def name_for(dialect: str, now: datetime) -> str:
    """A name that sorts by time; microseconds, so that two never collide."""
    return f"lianke-{now.astimezone(UTC):%Y%m%dT%H%M%S%f}Z{ENDINGS[dialect]}"


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A place to write to, which becomes ``path`` at once and durably, or disappears when anything goes wrong.

    The file is for its owner alone: it holds names, and sealed texts.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(partial)  # a process that was killed may have left it, and a WAL that must not meet a new file
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield partial
            sync(partial)
            partial.replace(path)
        finally:
            os.close(handle)
            _clear(partial)
        sync(path.parent)
    except OSError as error:
        raise BackupFailed("backup_not_written", f"不能写入 {path.parent}：{error.strerror}") from error


def _clear(partial: Path) -> None:
    """Leave nothing of a file that did not become whole, nor what SQLite and we keep beside an open one."""
    for end in ("", "-journal", "-wal", "-shm", ".writer"):
        partial.with_name(partial.name + end).unlink(missing_ok=True)


def clear_abandoned(folder: Path) -> None:
    """Delete what backups that were killed have left in the folder; one that is being written is locked, and stays."""
    for partial in folder.glob(".lianke-*.partial"):
        with suppress(BlockingIOError), partial.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _clear(partial)


def sync(path: Path) -> None:
    """What was written to this file or folder survives a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def prune(folder: Path, *, keep: int, ending: str) -> list[Path]:
    """Delete all but the ``keep`` newest backups of this kind, and no file of another name. Which were deleted."""
    ours = sorted(
        path for path in folder.iterdir() if (match := NAME.fullmatch(path.name)) and match[1] == ending
    )
    old = ours[: max(0, len(ours) - keep)]
    for path in old:
        path.unlink()
    return old
