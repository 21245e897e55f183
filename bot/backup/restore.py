"""Bring a backup back: checked before anything is touched, never over data without consent, the outbox paused."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, String, column, create_engine, inspect, select, table, text
from sqlalchemy.engine import URL, Engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from bot.backup import files, mysql, postgresql, sqlite, take
from bot.backup.errors import BackupFailed
from migrations import runner
from scrm.db import Database
from scrm.inbox.models import InboxEvent
from scrm.outbox import claims, pause
from scrm.seal import SealBroken

REASON = "从备份恢复"
ACTOR = "lianke restore"


@dataclass(frozen=True)
class Restored:
    """What was done; ``aside`` is where the former data are, if there were any."""

    revision: str
    aside: str | None


def restore(
    url: URL, path: Path, *, overwrite: bool, now: datetime, on_progress: take.OnProgress
) -> Restored:
    """The database is what it was at the backup, at the newest structure, and nothing is sent until a person resumes.

    Raises BackupFailed; then the database is as it was. Former data are put aside with ``overwrite``, never deleted.
    """
    dialect = url.get_backend_name()
    ending = files.ENDINGS[dialect]
    if path.suffix != ending:
        raise BackupFailed(
            "backup_other_database", f"{dialect} 的备份应是 {ending} 文件；换数据库用 lianke migrate-data"
        )
    revision = take.check(path, dialect)
    _require_known(revision)
    if dialect == "sqlite":
        aside = _into_file(
            Path(str(url.database)), path, overwrite=overwrite, now=now, on_progress=on_progress
        )
    else:
        aside = _into_server(url, path, overwrite=overwrite, now=now)
    return Restored(str(revision), aside)


def _require_known(revision: str | None) -> None:
    script = ScriptDirectory.from_config(runner.alembic_config())
    if revision not in {item.revision for item in script.walk_revisions()}:
        raise BackupFailed(
            "backup_other_version",
            f"备份的结构版本是 {revision or '空'}，这个程序不认识：请用写备份时的或更新的程序",
        )


# --- SQLite: prepared in a file of its own, then renamed


def _into_file(
    target: Path, path: Path, *, overwrite: bool, now: datetime, on_progress: take.OnProgress
) -> str | None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target):
        if sqlite.is_open_elsewhere(target):
            raise BackupFailed("restore_running", f"还有别的程序打开着 {target}：请先停止所有联客进程")
        empty = sqlite.is_empty(target)
        if not empty and not overwrite:
            raise BackupFailed(
                "restore_not_empty", f"{target} 里已有数据：确认不要它们后加 --overwrite（会先另存）"
            )
        with files.appearing(target) as partial:
            sqlite.copy(path, partial, on_progress)
            database = Database(f"sqlite:///{partial}")
            try:
                _settle(database, now)
            finally:
                database.dispose()
            sqlite.fold(partial)
            aside = _put_aside(target, now)
        if not empty:
            return str(aside)
        aside.unlink(missing_ok=True)
        return None


def _put_aside(target: Path, now: datetime) -> Path:
    """Rename the database with its WAL: a new file must never meet an old WAL. The renaming alone loses nothing."""
    aside = target.with_name(f"{target.name}.before-{now.astimezone(UTC):%Y%m%dT%H%M%S}")
    for end in ("", "-wal", "-shm"):
        former = target.with_name(target.name + end)
        if former.exists():
            former.rename(aside.with_name(aside.name + end))
    return aside


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Nobody serves this file, or starts to, as long as we work. Raises BackupFailed."""
    handle = os.open(target.with_name(target.name + ".serve"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BackupFailed("restore_running", f"联客正在使用 {target}：请先停止它") from error
    finally:
        os.close(handle)


# --- servers


def _into_server(url: URL, path: Path, *, overwrite: bool, now: datetime) -> str | None:
    engine = create_engine(url, poolclass=NullPool)
    aside = _make_place(engine, overwrite=overwrite, now=now)
    try:
        (postgresql if engine.dialect.name == "postgresql" else mysql).restore(
            url, path, _holding(engine, now)
        )
        database = Database(url.render_as_string(hide_password=False), pool_size=2)
        try:
            _settle(database, now)
        finally:
            database.dispose()
    except BackupFailed:
        _undo(engine, aside)
        raise
    return None if aside is None else f"schema {aside[0]}"


def _undo(engine: Engine, aside: tuple[str, list[str]] | None) -> None:
    """Drop what was loaded into the free place, and bring back what was there."""
    with engine.begin() as connection:
        if engine.dialect.name != "postgresql":  # a half load refers to tables that are not there
            connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
        for name in inspect(connection).get_table_names():
            quoted = engine.dialect.identifier_preparer.quote(name)
            connection.execute(text(f"DROP TABLE {quoted} CASCADE"))
        if engine.dialect.name == "postgresql":
            postgresql.drop_functions(connection)
        if aside is not None:
            postgresql.bring_back(connection, *aside)


def _holding(engine: Engine, now: datetime) -> str:
    """The SQL that switches the outbox off in the very load; without a last event, so that nobody resumes half-way."""
    names = ("key", "value", "updated_at", "updated_by")
    setting = table("setting", *(column(name, String) for name in names))
    value = json.dumps({"reason": REASON, "last_event": None}, ensure_ascii=False)
    at = f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    row = {"key": pause.KEY, "value": value, "updated_at": at, "updated_by": ACTOR}
    statements = setting.delete().where(setting.c.key == pause.KEY), setting.insert().values(row)
    compiled = (item.compile(engine, compile_kwargs={"literal_binds": True}) for item in statements)
    return ";\n".join(map(str, compiled))


def _make_place(engine: Engine, *, overwrite: bool, now: datetime) -> tuple[str, list[str]] | None:
    """Nobody works on the database, and no table is in the way. Where the former tables went."""
    on_postgresql = engine.dialect.name == "postgresql"
    with engine.begin() as connection:
        others = (postgresql if on_postgresql else mysql).others(connection)
        if others:
            raise BackupFailed(
                "restore_running",
                f"还有 {len(others)} 个连接在用这个数据库（{'、'.join(others[:5])}）：请先停止所有联客进程",
            )
        names = inspect(connection).get_table_names()
        if not names:
            return None
        filled = [name for name in names if name != "alembic_version" and _has_rows(connection, name)]
        if filled and not overwrite:
            raise BackupFailed(
                "restore_not_empty", "数据库里已有数据：确认不要它们后加 --overwrite（会先另存）"
            )
        if not on_postgresql:
            raise BackupFailed(
                "restore_not_empty", "请先新建一个空的数据库，把 [database] url 指向它，再恢复"
            )
        schema = f"before_{now.astimezone(UTC):%Y%m%d_%H%M%S}"
        return schema, postgresql.set_aside(connection, schema)


def _has_rows(connection: Connection, name: str) -> bool:
    quoted = connection.dialect.identifier_preparer.quote(name)
    return connection.execute(text(f"SELECT 1 FROM {quoted} LIMIT 1")).first() is not None  # noqa: S608


# --- everywhere


def _settle(database: Database, now: datetime) -> None:
    """Bring the restored rows to the newest structure, and hold back what they owe."""
    runner.upgrade(database)
    try:
        with database.write() as session:
            _require_keys(session)
            hold_back(session, now)
    except SealBroken as error:
        raise BackupFailed(
            "restore_wrong_keys", "[app] encryption_keys 打不开备份里的内容：请换成写备份时的密钥"
        ) from error


def hold_back(session: Session, now: datetime) -> None:
    """Pause the outbox of a restored database, and doubt what it owes. Nobody else may be at work."""
    pause.pause(session, REASON, actor=ACTOR, now=now)
    while claims.sweep_expired_leases(session, now=now, everyone=True):
        session.flush()
    pause.doubt_owed(session)


def _require_keys(session: Session) -> None:
    """Raise SealBroken unless the configured keys open what was stored last."""
    newest = select(InboxEvent.payload).where(InboxEvent.payload.is_not(None)).order_by(InboxEvent.id.desc())
    session.scalar(newest.limit(1))
