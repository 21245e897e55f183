"""Whether the database can be reached, read and written, and is this program's."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.check.findings import Check, Finding
from bot.config import Config
from migrations import runner
from scrm import seal
from scrm.accounts.models import Setting
from scrm.db import Database
from scrm.inbox.models import InboxEvent

DATABASE = Check("database", "数据库")
WRITABLE = Check("database_write", "数据库写入")
MIGRATIONS = Check("migrations", "数据库结构")
DISK = Check("disk", "磁盘空间")
KEYS = Check("encryption_keys", "数据密钥")

CONNECT_SECONDS = 5.0
LOW_BYTES, EMPTY_BYTES = 1024**3, 100 * 1024**2
PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}


class _Undo(Exception):
    """Rolls the probing transaction back."""


def open_database(config: Config) -> Database | Finding:
    """The database, to be disposed by the caller; a finding where there is none: opening SQLite would make it."""
    url = make_url(config.database.url)
    seal.use(seal.Keyring([key.get_secret_value() for key in config.app.encryption_keys]))
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return DATABASE.fail(
            f"还没有数据库文件 {url.database}", "运行 lianke migrate（或 lianke serve）创建它"
        )
    unreachable = _unreachable(config)
    if unreachable is not None:
        return unreachable
    try:
        return Database(config.database.url, pool_size=2)
    except OSError as error:
        return DATABASE.fail(
            f"不能打开 {error.filename}：{error.strerror}", "检查数据库文件和所在目录的所有者和权限"
        )


def check_storage(config: Config, database: Database) -> tuple[list[Finding], bool]:
    """The findings, and whether the tables can be asked."""
    try:
        current, head = runner.current(database), runner.head()
    except SQLAlchemyError as error:
        return [
            DATABASE.fail(f"不能读取：{_cause(error)}", "检查 [database] url 的地址、用户名、密码和库名")
        ], False
    found = [DATABASE.ok(f"可以连接（{database.dialect}）"), _writable(database, current)]
    found.append(_migrations(current, head))
    at_head = current == head
    found += [_keys(database)] if at_head else []
    found += [_disk(config)] if database.dialect == "sqlite" else []
    return found, at_head


def _unreachable(config: Config) -> Finding | None:
    """Whether a database server does not even answer; asked first, because drivers wait for minutes."""
    url = make_url(config.database.url)
    if url.get_backend_name() not in PORTS or not url.host:
        return None
    port = url.port or PORTS[url.get_backend_name()]
    try:
        socket.create_connection((url.host, port), CONNECT_SECONDS).close()
    except OSError as error:
        why = error.strerror or type(error).__name__
        return DATABASE.fail(
            f"连不上 {url.host}:{port}（{why}）", "确认数据库已启动、地址和端口正确、防火墙放行"
        )
    return None


def _writable(database: Database, revision: str | None) -> Finding:
    """Delete a row that does not exist, and take even that back."""
    try:
        with database.write_connection() as connection:
            if revision is not None:
                connection.execute(delete(Setting).where(Setting.key == "lianke check"))
            raise _Undo  # noqa: TRY301 - leaving the block by an exception is what rolls back
    except _Undo:
        return WRITABLE.ok("可以写入")
    except (SQLAlchemyError, OSError) as error:
        return WRITABLE.fail(f"不能写入：{_cause(error)}", "检查数据库文件和所在目录的权限，或账号的权限")


def _migrations(current: str | None, head: str | None) -> Finding:
    if current == head:
        return MIGRATIONS.ok(f"是最新版本 {head}")
    return MIGRATIONS.fail(f"是 {current or '空库'}，程序需要 {head}", "运行 lianke migrate")


def _keys(database: Database) -> Finding:
    """Whether the keys open what was stored last."""
    newest = select(InboxEvent.payload).where(InboxEvent.payload.is_not(None)).order_by(InboxEvent.id.desc())
    try:
        with database.read() as session:
            session.scalar(newest.limit(1))
    except seal.SealBroken:
        return KEYS.fail(
            "[app] encryption_keys 解不开已有的数据", "把写入数据时用的密钥加回列表（新密钥在前，旧密钥在后）"
        )
    return KEYS.ok("能解开已有的数据")


def _disk(config: Config) -> Finding:
    path = Path(make_url(config.database.url).database or ".").resolve()
    free = shutil.disk_usage(path.parent).free
    told = f"{path.parent} 还剩 {free / 1024**3:.1f} GB"
    if free < EMPTY_BYTES:
        return DISK.fail(told, "磁盘将满，回调会写不进去：请立即清理")
    if free < LOW_BYTES:
        return DISK.warn(told, "请尽快清理或扩容")
    return DISK.ok(told)


def _cause(error: Exception) -> str:
    """The driver's own words, first line; they name no password."""
    text = str(getattr(error, "orig", None) or error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
