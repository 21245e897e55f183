"""Take a backup of whatever database is configured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import URL

from bot.backup import files, mysql, postgresql, sqlite
from bot.backup.errors import BackupFailed
from migrations import runner
from scrm.accounts.service import set_setting
from scrm.db import Database

LAST = "backup.last"  # the setting whose ``updated_at`` is when the last backup began
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Taken:
    """A backup that is whole: it was written, read back and synced."""

    path: Path
    size: int
    revision: str | None


def take(database: Database, folder: Path, *, now: datetime, on_progress: OnProgress) -> Taken:
    """A backup of one moment in ``folder``, while the product works. Raises BackupFailed; then no file is left."""
    url = database.engine.url
    path = folder / files.name_for(database.dialect, now)
    revision = runner.current(database)
    files.clear_abandoned(folder)
    with files.appearing(path) as partial:
        _write(url, partial, revision, on_progress)
        found = check(partial, database.dialect)
        if found != revision:
            raise BackupFailed("backup_not_consistent", "备份期间数据库结构被升级，请再运行一次")
    with database.write() as session:  # so that /metrics can tell how old the last one is
        set_setting(session, LAST, {"size": path.stat().st_size}, actor="backup", now=now)
    return Taken(path, path.stat().st_size, revision)


def check(path: Path, dialect: str) -> str | None:
    """The migration revision of a whole backup file. Raises BackupFailed for a broken one."""
    checks = {"sqlite": sqlite.check, "postgresql": postgresql.check}
    return checks.get(dialect, mysql.check)(path)


def _write(url: URL, partial: Path, revision: str | None, on_progress: OnProgress) -> None:
    match url.get_backend_name():
        case "sqlite":
            sqlite.copy(Path(str(url.database)), partial, on_progress)
        case "postgresql":
            postgresql.dump(url, partial)
        case _:
            mysql.dump(url, partial, revision)
