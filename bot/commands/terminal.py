"""What all commands say with: consoles, plain Chinese errors, and click speaking Chinese."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)
EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130

_HEADINGS = {"Options": "选项", "Commands": "命令", "Arguments": "参数"}
_PLACES = {"[OPTIONS]": "[选项]", "COMMAND [ARGS]...": "命令 [参数]..."}
_REQUIRED = {"[required]": "[必填]"}


class Told(Exception):
    """A command cannot go on, and the text says why and what to do. Shown without a traceback; exit code 1."""


def say(text: str = "", style: str | None = None) -> None:
    """Print one text to stdout as it is: no markup, no wrapping, so that it can be copied."""
    OUT.print(text, style=style, markup=False, soft_wrap=True)


def say_error(text: str, *, head: str = "错误：") -> None:
    """Print one text to stderr."""
    ERR.print(head, style="bold red", end="", markup=False)
    ERR.print(text, markup=False, soft_wrap=True)


def say_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their headings; long cells fold, nothing is cut off."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*[_plain(cell) for cell in row])
    OUT.print(table)


def _plain(cell: str) -> str:
    return cell.replace("[", "\\[")


class Formatter(click.HelpFormatter):
    """Help with Chinese headings."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        for english, chinese in _PLACES.items():
            args = args.replace(english, chinese)
        super().write_usage(prog, args, prefix or "用法：")

    def write_heading(self, heading: str) -> None:
        super().write_heading(_HEADINGS.get(heading, heading))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        shown = [(first, _in_chinese(second)) for first, second in rows]
        super().write_dl(shown, col_max, col_spacing)


def _in_chinese(text: str) -> str:
    for english, chinese in _REQUIRED.items():
        text = text.replace(english, chinese)
    return text


class Context(click.Context):
    """A context that formats help in Chinese."""

    formatter_class = Formatter


class Command(click.Command):
    """A command whose help is Chinese."""

    context_class = Context

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        return _chinese(super().get_help_option(ctx))


class Group(click.Group):
    """A group of such commands."""

    context_class = Context
    command_class = Command
    group_class = type

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        return _chinese(super().get_help_option(ctx))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(f"没有命令 {args[0]}，可用的有：{'、'.join(self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)


def _chinese(option: click.Option | None) -> click.Option | None:
    if option is not None:
        option.help = "显示帮助后退出。"
    return option


def usage_text(error: click.UsageError) -> str:
    """What is wrong with a command line, in Chinese, and where to read how it goes."""
    help_of = error.ctx.command_path if error.ctx else "lianke"
    return f"{_wrong(error)}\n查看用法：{help_of} --help"


def _wrong(error: click.UsageError) -> str:
    match error:
        case click.NoSuchOption():
            meant = f"，是不是 {'、'.join(error.possibilities)}？" if error.possibilities else ""
            return f"没有选项 {error.option_name}{meant}"
        case click.MissingParameter():
            return f"缺少 {_name_of(error.param)}"
        case click.BadOptionUsage():
            return f"选项 {error.option_name} 的用法不对"
        case click.BadParameter():
            return f"{_name_of(error.param)} 的值不对{_expected(error.param)}"
        case _ if "extra argument" in error.message:
            return "多出了参数：" + error.message.rpartition("(")[2].rstrip(")")
        case _ if error.message.startswith("Missing command"):
            return "缺少命令"
        case _:
            return error.message


def _name_of(param: click.Parameter | None) -> str:
    if param is None:
        return "参数"
    return param.opts[0] if isinstance(param, click.Option) else (param.human_readable_name)


def _expected(param: click.Parameter | None) -> str:
    match param.type if param else None:
        case click.Choice() as choice:
            return f"，只能是：{'、'.join(map(str, choice.choices))}"
        case click.IntRange() as numbers:
            bounds = [f"不小于 {numbers.min}"] if numbers.min is not None else []
            bounds += [f"不大于 {numbers.max}"] if numbers.max is not None else []
            return f"，应为整数{''.join(f'，{bound}' for bound in bounds)}"
        case click.types.IntParamType():
            return "，应为整数"
        case click.Path():
            return "，文件不存在或不能读"
        case _:
            return ""


def confirmed(question: str, *, yes: bool) -> None:
    """Ask, unless told not to. Raises Told when the answer is no or nobody can answer."""
    if yes:
        return
    try:
        agreed = click.confirm(question, default=False)
    except click.Abort as error:
        if isinstance(error.__context__, EOFError):
            raise Told("没有人回答，什么都没做（脚本中请加 --yes）") from error
        raise
    if not agreed:
        raise Told("已取消，什么都没做")


def progress_bar() -> Progress:
    """Bars on a terminal's stderr; nothing when nobody watches."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=ERR,
        disable=not ERR.is_terminal,
    )
