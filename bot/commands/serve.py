"""``lianke serve``: everything in one process."""

from __future__ import annotations

import click

from bot import serve as server
from bot.app import Product
from bot.commands.context import open_product, require_free_port, require_migrated, require_stopped
from bot.commands.terminal import Command, Told, say
from migrations import runner

CHANGE_PORT = "在 config.toml 的 [server] port 换一个端口"


@click.command(
    cls=Command,
    help="启动全部：网页、接口、回调、后台任务。Ctrl-C 停止。\n\n"
    "使用 SQLite 时先自动升级数据库结构；其他数据库请先运行 lianke migrate。",
)
@click.pass_context
def serve(ctx: click.Context) -> None:
    """Run everything in one process until told to stop."""
    product = open_product(ctx, log_level="INFO", migrated=False)
    config = product.config
    if config.runtime.mode == "cluster":
        raise Told(
            "[runtime] mode 是 cluster：请分别启动 lianke web、lianke scheduler 和 celery 工作进程，"
            "或把 mode 改为 embedded"
        )
    require_stopped(product.database)
    require_free_port(config.server.host, config.server.port, CHANGE_PORT)
    prepare(product)
    server.run(product, ready=lambda: say(f"联客已启动：{config.app.base_url}（Ctrl-C 停止）"))


def prepare(product: Product) -> None:
    """Bring a SQLite database to head; raise Told for a server's that is not."""
    if product.database.dialect == "sqlite" and runner.current(product.database) != runner.head():
        say("正在升级数据库结构……")
        runner.upgrade(product.database)
    require_migrated(product.database)
