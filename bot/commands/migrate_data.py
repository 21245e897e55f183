"""``lianke migrate-data``: a grown installation moves to another database."""

from __future__ import annotations

from collections.abc import Callable

import click
from rich.progress import Progress, TaskID
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from bot.commands.terminal import Command, Told, progress_bar, say, say_table
from bot.moving.move import Moved, move

DRIVERS = ("sqlite", "postgresql+psycopg", "mysql+pymysql")
SHOWN = 12  # digits of a checksum that people compare


@click.command(
    cls=Command,
    help="把全部数据搬到另一个数据库（SQLite、PostgreSQL、MySQL/MariaDB 任意方向），并逐表核对。\n\n"
    "先停止联客。中断后用同样的参数再运行会接着做。目标要是空库；核对一致之前，程序不会在目标上启动。",
)
@click.option(
    "--from",
    "source",
    required=True,
    envvar="LIANKE_MOVE_FROM",
    metavar="URL",
    help="来源，或用环境变量 LIANKE_MOVE_FROM。",
)
@click.option(
    "--to",
    "target",
    required=True,
    envvar="LIANKE_MOVE_TO",
    metavar="URL",
    help="目标，或用环境变量 LIANKE_MOVE_TO（密码不会出现在进程列表里）。",
)
def migrate_data(source: str, target: str) -> None:
    """Copy, compare, and say it table by table."""
    urls = _url(source), _url(target)
    with progress_bar() as progress:
        moved = move(*urls, on_progress=_shower(progress))
    if moved.resumed:
        say("接着上次没做完的搬迁")
    tell(moved)
    if not moved.same:
        raise Told(
            "核对不一致，目标没有启用：来源在搬迁期间变了，或目标被改动过。请清空目标再来一次（move_mismatch）"
        )
    say("全部一致。把 config.toml 的 [database] url 改成目标，再启动联客；加密密钥不变", style="bold green")


def tell(moved: Moved) -> None:
    """One line per table with rows, and every one that differs."""
    say_table(
        ("表", "来源行数", "目标行数", "来源校验和", "目标校验和", ""),
        [
            (
                item.table,
                str(item.source[0]),
                str(item.target[0]),
                item.source[1][:SHOWN],
                item.target[1][:SHOWN],
                "✓" if item.same else "✗ 不一致",
            )
            for item in moved.tables
        ],
    )


def _url(given: str) -> URL:
    try:
        url = make_url(given)
    except ArgumentError as error:
        raise Told(
            f"不是数据库地址：应像 {DRIVERS[0]}:///var/lianke.db 或 {DRIVERS[1]}://用户@主机/库名"
        ) from error
    if url.drivername not in DRIVERS:
        raise Told(f"不支持 {url.drivername}，可用的有：{'、'.join(DRIVERS)}")
    try:
        url.get_dialect().import_dbapi()
    except ImportError as error:
        raise Told(f"缺少 {url.drivername} 的驱动：请先安装 {error.name}") from error
    return url


def _shower(progress: Progress) -> Callable[[str, int, int], None]:
    bars: dict[str, TaskID] = {}

    def show(name: str, done: int, total: int) -> None:
        if name not in bars:
            bars[name] = progress.add_task(name, total=total)
        progress.update(bars[name], completed=done, total=total)

    return show
