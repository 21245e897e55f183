"""``lianke worker``: a Celery worker of the cluster, in one process with threads. Run as many as there is work."""

from __future__ import annotations

import os

import click

from bot.commands.chosen import chosen
from bot.commands.context import open_product, require_free_port
from bot.commands.terminal import Command, Told, say
from bot.metrics.port import open_metrics
from bot.workers.messages import QUEUES

NAMES = tuple(QUEUES.values())


@click.command(
    cls=Command,
    help="启动一个后台工作进程（runtime.mode = cluster）。可以启动任意多个。Ctrl-C 停止。\n\n"
    "欢迎语（welcome）请单独一个进程，其他任务再多也不会耽误它。",
)
@click.option("--queue", "queues", multiple=True, type=click.Choice(NAMES), help="只处理这些队列，默认全部。")
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="在这个端口提供 Prometheus 指标。")
@click.pass_context
def worker(ctx: click.Context, queues: tuple[str, ...], metrics_port: int | None) -> None:
    """Work until told to stop; what is under way ends first."""
    product = open_product(ctx, log_level="INFO")
    if product.messages is None:
        raise Told("[runtime] mode 不是 cluster：lianke serve 已包含后台任务，不需要 worker")
    options = chosen(ctx)
    if options.config_path is not None:
        os.environ["LIANKE_CONFIG"] = str(options.config_path)
    from bot.celery_app import app, station  # noqa: PLC0415 - reads the configuration when it is imported

    if metrics_port is not None:
        require_free_port(product.config.server.host, metrics_port, "换一个 --metrics-port")
        open_metrics(station().product, metrics_port)
    names = queues or NAMES
    say(f"工作进程已启动，队列：{'、'.join(names)}（Ctrl-C 停止）")
    threads = ["--pool", "threads", "--concurrency", str(len(names) + 1)]
    app.worker_main(["worker", "--queues", ",".join(names), *threads, "--without-mingle", "--without-gossip"])
