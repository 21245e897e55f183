"""``lianke scheduler``: the clock alone. Jobs find what is due by query, so running two harms nothing."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import click

from bot.commands.context import open_product
from bot.commands.terminal import Command, say
from bot.scheduler.jobs import JOBS
from bot.scheduler.runner import start_scheduler


@click.command(cls=Command, help="只启动定时任务。Ctrl-C 停止。")
@click.pass_context
def scheduler(ctx: click.Context) -> None:
    """Tick until SIGTERM or SIGINT."""
    product = open_product(ctx, log_level="INFO")
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    ticking = start_scheduler(product)
    say(f"定时任务已启动，共 {len(JOBS)} 项（Ctrl-C 停止）")
    stopping.wait()
    ticking.shutdown(wait=True)
