"""``lianke demo``: what ``make demo`` runs."""

from __future__ import annotations

import importlib

import click
from click.core import ParameterSource

from bot.commands.terminal import Command

EXAMPLE = (
    "例如：lianke demo --cluster --database postgresql+psycopg://postgres@127.0.0.1:5432/lianke_demo"
    " --redis redis://127.0.0.1:6379/5"
)


@click.command(
    cls=Command,
    help="一条命令体验：沙箱、演示数据和服务。Ctrl-C 停止。\n\n环境变量 PORT 和 SANDBOX_PORT 可以换端口。\n\n"
    "加 --cluster 用多个进程运行：沙箱、网页、三个工作进程、两个定时进程，数据在 PostgreSQL 或 MySQL/MariaDB。",
)
@click.option("--cluster", is_flag=True, help="以集群方式运行，需要 --database 和 --redis。")
@click.option(
    "--database",
    "database_url",
    envvar="DEMO_DATABASE",
    metavar="URL",
    help="集群的数据库，或用环境变量 DEMO_DATABASE。库不存在时新建（账号要有权限）。",
)
@click.option(
    "--redis",
    "redis_url",
    envvar="DEMO_REDIS",
    metavar="URL",
    help="集群的 Redis，或用环境变量 DEMO_REDIS。给演示单独一个库号。",
)
@click.pass_context
def demo(ctx: click.Context, *, cluster: bool, database_url: str | None, redis_url: str | None) -> None:
    """Run the demo; it is another module's work."""
    package = importlib.import_module("bot.demo")
    if not cluster:
        for name in ("database_url", "redis_url"):
            if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                raise click.UsageError("--database 和 --redis 只用于集群演示，请加 --cluster", ctx)
        package.run()
        return
    if not database_url or not redis_url:
        missing = "--redis" if database_url else "--database"
        raise click.UsageError(f"集群演示需要 {missing}。{EXAMPLE}", ctx)
    package.run_cluster(database_url, redis_url)
