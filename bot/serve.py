"""The serving process: the web server, and for ``lianke serve`` workers and scheduler with it, until told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import structlog
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from bot.app import Product, create_asgi
from bot.logs import GRANIAN_LOGGING
from bot.runtime import Workers

log = structlog.get_logger(__name__)

SETTLE_SECONDS = 5.0


async def serve(
    product: Product, ready: Callable[[], None] = lambda: None, *, with_workers: bool = True
) -> None:
    """Run until told to stop; ``ready`` is called when requests are accepted. Without workers, others do the work."""
    app, intake = create_asgi(product)
    workers = Workers(product) if with_workers else None
    server = Server(
        app,
        address=product.config.server.host,
        port=product.config.server.port,
        interface=Interfaces.ASGI,
        websockets=False,
        backlog=2048,
        log_access=False,
        log_dictconfig=GRANIAN_LOGGING,
    )
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if workers is not None:
        workers.start()
    serving = asyncio.create_task(server.serve())
    log.info("serving", host=product.config.server.host, port=product.config.server.port)
    ready()
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    log.info("stopping")
    server.stop()
    await serving
    await app.settle(SETTLE_SECONDS)
    intake.close()
    if workers is not None:
        await loop.run_in_executor(None, workers.stop)
    product.database.dispose()
    log.info("stopped")


def run(product: Product, ready: Callable[[], None] = lambda: None, *, with_workers: bool = True) -> None:
    """Serve on uvloop until SIGTERM or SIGINT."""
    uvloop.run(serve(product, ready, with_workers=with_workers))
