"""All checks, in the order in which a person would mend what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from bot.app import wecom_client
from bot.check import settings, storage
from bot.check.backlog import check_backlog
from bot.check.callback import check_callback
from bot.check.findings import Finding
from bot.check.platform import Seen, check_platform
from bot.check.rivals import check_rivals
from bot.config import Config
from scrm.db import Database


def examine(config: Config, source: str, *, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """Yield findings as they are made. Changes nothing, here or at the platform."""
    yield from settings.check_settings(config, source)
    database = storage.open_database(config)
    if isinstance(database, Finding):
        yield database
        yield from _platform(config)[0]
        yield check_callback(config)
        return
    try:
        found, askable = storage.check_storage(config, database)
        yield from found
        told, seen = _platform(config)
        yield from told
        yield check_callback(config)
        if askable:
            yield from _business(database, seen, clock())
    finally:
        database.dispose()


def _platform(config: Config) -> tuple[list[Finding], Seen]:
    client = wecom_client(config)
    try:
        return check_platform(config, client)
    finally:
        client.close()


def _business(database: Database, seen: Seen, now: datetime) -> list[Finding]:
    try:
        with database.read() as session:
            return [*check_rivals(session, now), *check_backlog(session, now, seen.followers)]
    except SQLAlchemyError as error:
        return [storage.DATABASE.fail(f"读取时出错：{type(error).__name__}", "查看数据库的日志")]
