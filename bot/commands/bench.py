"""``lianke bench``: the benchmarks of the repository, with their own arguments."""

from __future__ import annotations

import importlib.util
import runpy
import sys

import click

from bot.commands.terminal import Command, Told


@click.command(
    cls=Command,
    help="运行性能测试；参数原样交给 benchmarks（lianke bench --help 看它的用法）。",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(arguments: tuple[str, ...]) -> None:
    """Run ``python -m benchmarks`` with the arguments unchanged."""
    if (
        importlib.util.find_spec("benchmarks") is None
        or importlib.util.find_spec("benchmarks.__main__") is None
    ):
        raise Told("这里没有性能测试：请在代码仓库的根目录运行（安装包不带 benchmarks/）")
    sys.argv = ["benchmarks", *arguments]
    runpy.run_module("benchmarks", run_name="__main__", alter_sys=True)
