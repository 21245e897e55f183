"""``lianke demo``: what ``make demo`` runs."""

from __future__ import annotations

import importlib

import click

from bot.commands.terminal import Command


@click.command(
    cls=Command,
    help="一条命令体验：沙箱、演示数据和服务。Ctrl-C 停止。\n\n环境变量 PORT 和 SANDBOX_PORT 可以换端口。",
)
def demo() -> None:
    """Run the demo; it is another module's work."""
    importlib.import_module("bot.demo").run()
