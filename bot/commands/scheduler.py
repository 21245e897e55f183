"""``lianke scheduler``: the clock alone. Of many, one leads and ticks; jobs find what is due by query."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import click

from bot.commands.context import open_product, require_free_port
from bot.commands.terminal import Command, say
from bot.metrics.port import open_metrics
from bot.scheduler.jobs import JOBS
from bot.scheduler.leader import Candidate


@click.command(
    cls=Command, help="只启动定时任务。可以启动多个：同一时间只有一个运行，其余待命。Ctrl-C 停止。"
)
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="在这个端口提供 Prometheus 指标。")
@click.pass_context
def scheduler(ctx: click.Context, metrics_port: int | None) -> None:
    """Tick, or stand by, until SIGTERM or SIGINT."""
    product = open_product(ctx, log_level="INFO")
    if metrics_port is not None:
        require_free_port(product.config.server.host, metrics_port, "换一个 --metrics-port")
        open_metrics(product, metrics_port)
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    say(f"定时任务已启动，共 {len(JOBS)} 项（Ctrl-C 停止）")
    Candidate(product).run(stopping)
