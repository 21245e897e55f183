"""``lianke web``: the ASGI application alone. Events are stored; somebody else works on them."""

from __future__ import annotations

import click

from bot import serve as server
from bot.commands.context import open_product, require_free_port
from bot.commands.serve import CHANGE_PORT
from bot.commands.terminal import Command, say


@click.command(cls=Command, help="只启动网页、接口和回调，不处理后台任务。Ctrl-C 停止。")
@click.pass_context
def web(ctx: click.Context) -> None:
    """Serve requests, store events, work on none."""
    product = open_product(ctx, log_level="INFO")
    settings = product.config.server
    require_free_port(settings.host, settings.port, CHANGE_PORT)
    told = f"网页服务已启动：{product.config.app.base_url}（Ctrl-C 停止；后台任务由其他进程处理）"
    server.run(product, ready=lambda: say(told), with_workers=False)
