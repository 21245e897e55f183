"""The sandbox as one aiohttp application, and running it."""

from __future__ import annotations

import asyncio
import logging
import signal

from aiohttp import web

from bot.sandbox import control, jssdk, pages, sign_in, transfers, wecom_api, world  # noqa: F401 - control and wecom_api register routes
from bot.sandbox.callbacks import Callbacks
from bot.sandbox.control.routes import Box, add_routes
from bot.sandbox.gateway import Gateway
from bot.sandbox.limits import Limits
from bot.sandbox.product import Product
from bot.sandbox.registry import WECOM
from bot.sandbox.settings import SandboxSettings
from bot.sandbox.state import State

logger = logging.getLogger(__name__)
MOST_BODY_BYTES = 64 * 1024 * 1024
GRACE_S = 5.0  # for requests under way when told to stop
BOX: web.AppKey[Box] = web.AppKey("box", Box)

TICKER: web.AppKey[asyncio.Task[None]] = web.AppKey("ticker", asyncio.Task)
TICK_S = 1.0


async def settle_transfers(box: Box) -> None:
    """Transfers nobody answered in time are accepted, for ever and a second at a time."""
    while True:
        await asyncio.sleep(TICK_S)
        with box.state.transaction():
            seqs = transfers.settle_due(box.state, box.settings, box.callbacks)
        for seq in seqs:
            box.callbacks.send(seq)


def create_app(settings: SandboxSettings) -> web.Application:
    """A sandbox on its own database; the database opens now, callbacks start and stop with the application."""
    state = State(settings.database)
    world.ensure(state)
    limits = Limits(settings)
    box = Box(state, settings, Callbacks(state, settings), limits, Product(settings))
    app = web.Application(client_max_size=MOST_BODY_BYTES)
    app[BOX] = box
    gateway = Gateway(state, settings, WECOM, limits)
    app.router.add_route("*", "/qyapi/cgi-bin/{api:.+}", gateway.handle)
    pages.mount(app, box)
    sign_in.mount(app, box)
    jssdk.mount(app, box)
    add_routes(app, box)

    async def start(app: web.Application) -> None:
        await box.callbacks.start()
        app[TICKER] = asyncio.create_task(settle_transfers(box))

    async def stop(app: web.Application) -> None:
        app[TICKER].cancel()
        await box.callbacks.stop()
        state.close()

    app.on_startup.append(start)
    app.on_cleanup.append(stop)
    return app


async def serve(settings: SandboxSettings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way."""
    runner = web.AppRunner(create_app(settings), access_log=None, shutdown_timeout=GRACE_S)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    logger.info("sandbox listens url=http://%s:%s database=%s", host, port, settings.database)
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, done.set)
    await done.wait()
    await runner.cleanup()


def run(settings: SandboxSettings, host: str = "127.0.0.1", port: int = 9100) -> None:
    """Run a sandbox in the foreground until it is told to stop."""
    asyncio.run(serve(settings, host, port))
