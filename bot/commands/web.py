"""``lianke web``: the ASGI application alone. Events are stored; somebody else works on them."""

from __future__ import annotations

import asyncio
import signal

import click
from granian.constants import Interfaces
from granian.server.embed import Server

from bot.app import Product, create_asgi
from bot.commands.context import open_product, require_free_port
from bot.commands.serve import CHANGE_PORT
from bot.commands.terminal import Command, say
from bot.logs import GRANIAN_LOGGING

BACKLOG = 2048


@click.command(cls=Command, help="只启动网页、接口和回调，不处理后台任务。Ctrl-C 停止。")
@click.pass_context
def web(ctx: click.Context) -> None:
    """Serve requests, store events, work on none."""
    product = open_product(ctx, log_level="INFO")
    server = product.config.server
    require_free_port(server.host, server.port, CHANGE_PORT)
    asyncio.run(_serve(product))


async def _serve(product: Product) -> None:
    app, intake = create_asgi(product)
    settings = product.config.server
    server = Server(
        app,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        websockets=False,
        backlog=BACKLOG,
        log_access=False,
        log_dictconfig=GRANIAN_LOGGING,
    )
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    serving = asyncio.create_task(server.serve())
    say(f"网页服务已启动：{product.config.app.base_url}（Ctrl-C 停止；后台任务由其他进程处理）")
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    server.stop()
    await serving
    intake.close()
