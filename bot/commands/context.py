"""What a command works with, made when first asked for: configuration, logs, database, the wired product."""

from __future__ import annotations

import errno
import fcntl
import logging
import socket
from pathlib import Path

import click
from sqlalchemy.engine import make_url

from bot import logs
from bot.app import Product, build
from bot.commands.chosen import chosen
from bot.commands.terminal import Told
from bot.config import Config, load_config
from migrations import runner
from scrm.db import Database


def load(ctx: click.Context, *, log_level: str = "WARNING") -> Config:
    """The checked configuration; from here on logs go to stderr without its secrets. Raises ConfigError."""
    options = chosen(ctx)
    if options.loaded is None:
        config = load_config(options.config_path)
        logs.configure(options.log_level or log_level, secrets=config.secret_values())
        if options.log_level != "debug":
            for chatty in ("alembic", "apscheduler"):  # they tell each tick
                logging.getLogger(chatty).setLevel(logging.WARNING)
        options.loaded = config
    loaded: Config = options.loaded
    return loaded


def open_product(ctx: click.Context, *, log_level: str = "WARNING", migrated: bool = True) -> Product:
    """One process's parts, disposed with the command. Raises Told when migrations are missing, unless told not to."""
    product = build(load(ctx, log_level=log_level))
    ctx.call_on_close(product.database.dispose)
    if migrated:
        require_migrated(product.database)
    return product


def require_migrated(database: Database) -> None:
    """Raise Told unless the database has the structure this program knows."""
    current, head = runner.current(database), runner.head()
    if current is None:
        raise Told("数据库还是空的：请先运行 lianke migrate")
    if current != head:
        raise Told(f"数据库结构是 {current}，程序需要 {head}：请先运行 lianke migrate")


def sqlite_path(database: Database) -> Path | None:
    """The file of a SQLite database; None on a server."""
    if database.dialect != "sqlite":
        return None
    return Path(make_url(str(database.engine.url)).database or "")


def require_stopped(database: Database) -> None:
    """Raise Told while an embedded process works on this SQLite file."""
    path = sqlite_path(database)
    if path is None:
        return
    lock = path.with_name(path.name + ".serve")
    if not lock.exists():
        return
    with lock.open("r+b") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Told(f"另一个联客进程正在使用 {path}：请先停止它") from error


def require_free_port(host: str, port: int, how_to_change: str) -> None:
    """Raise Told when nobody could listen there. A server that shares ports would not notice by itself."""
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[:1]:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                raise Told(_why_not(error, host, port, how_to_change)) from error


def _why_not(error: OSError, host: str, port: int, how_to_change: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"端口 {port} 已被占用：请停止占用它的程序，或{how_to_change}"
    if error.errno == errno.EACCES:
        return f"没有权限监听端口 {port}（1024 以下需要管理员权限）：请{how_to_change}"
    return f"不能监听 {host}:{port}（{error.strerror}）：请检查地址，或{how_to_change}"
