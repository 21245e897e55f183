"""The source: read in one transaction during which nobody else can write."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from bot.backup import mysql, postgresql
from bot.moving.errors import MoveFailed
from bot.moving.tables import raw_tables
from scrm.db import Database


@contextmanager
def held(url: URL) -> Iterator[Connection]:
    """A connection to read from while all writers are kept out. Raises MoveFailed when the product is at work."""
    if url.get_backend_name() == "sqlite":
        with _held_file(Path(str(url.database)), url) as connection:
            yield connection
        return
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        try:
            _lock(connection, engine)
        except OperationalError as error:
            raise MoveFailed("move_source_busy", "来源数据库正在被写入：请先停止所有联客进程") from error
        try:
            yield connection
        finally:
            if engine.dialect.name != "postgresql":
                connection.execute(text("UNLOCK TABLES"))


@contextmanager
def _held_file(path: Path, url: URL) -> Iterator[Connection]:
    if not path.is_file():
        raise MoveFailed("move_no_source", f"来源文件 {path} 不存在")
    with ExitStack() as stack:
        handle = os.open(path.with_name(path.name + ".serve"), os.O_RDWR | os.O_CREAT, 0o600)
        stack.callback(os.close, handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MoveFailed("move_source_busy", f"联客正在使用 {path}：请先停止它") from error
        database = Database(url.render_as_string(hide_password=False), pool_size=2)
        stack.callback(database.dispose)
        yield stack.enter_context(database.write_connection())


def _lock(connection: Connection, engine: Engine) -> None:
    """No other process of ours is there, and none can write until we are done."""
    names = ["alembic_version", *(table.name for table in raw_tables())]
    on_postgresql = engine.dialect.name == "postgresql"
    others = (postgresql if on_postgresql else mysql).others(connection)
    if others:
        raise MoveFailed("move_source_busy", f"还有 {len(others)} 个连接在用来源数据库：请先停止所有联客进程")
    quoted = [engine.dialect.identifier_preparer.quote(name) for name in names]
    if on_postgresql:
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        connection.execute(text(f"LOCK TABLE {', '.join(quoted)} IN SHARE MODE"))
    else:
        connection.execute(text("SET SESSION lock_wait_timeout = 5"))
        connection.execute(text(f"LOCK TABLES {', '.join(f'{name} READ' for name in quoted)}"))
