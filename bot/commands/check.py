"""``lianke check``: the doctor."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

import click

from bot.check.doctor import examine
from bot.check.findings import MARKS, Finding, Level
from bot.check.settings import broken
from bot.commands.chosen import chosen
from bot.commands.context import load
from bot.commands.terminal import ERR, EXIT_FAILED, Command, say
from bot.config_errors import ConfigError
from scrm import clock

STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


@click.command(
    cls=Command,
    help="体检：配置、数据库、企业微信凭证和权限、回调、可信域名、抢发欢迎语的应用、积压。\n\n"
    "只看不改。✓ 正常，! 要留意，✗ 要处理；有 ✗ 时退出码为 1。",
)
@click.option("--json", "as_json", is_flag=True, help="输出 JSON，供程序读取。")
@click.pass_context
def check(ctx: click.Context, *, as_json: bool) -> None:
    """Run all checks and say what was found."""
    found: list[Finding] = []
    try:
        config = load(ctx, log_level="ERROR")
    except ConfigError as error:
        findings: Iterable[Finding] = broken(error)
    else:
        findings = examine(config, _source(ctx), clock=clock.now)
    with ERR.status("正在检查……"):
        for finding in findings:
            found.append(finding)
            if not as_json:
                _tell(finding)
    ok = not any(finding.level is Level.FAIL for finding in found)
    if as_json:
        say(json.dumps({"ok": ok, "items": [item.as_json() for item in found]}, ensure_ascii=False, indent=2))
    else:
        _sum_up(found)
    ctx.exit(0 if ok else EXIT_FAILED)


def _source(ctx: click.Context) -> str:
    path = chosen(ctx).config_path or os.environ.get("LIANKE_CONFIG") or "config.toml"
    return str(path) if Path(path).exists() else "环境变量"


def _tell(finding: Finding) -> None:
    say(f"{MARKS[finding.level]} {finding.title}：{finding.text}", style=STYLES[finding.level])
    if finding.advice:
        say(f"    {'→ ' if finding.level is not Level.OK else ''}{finding.advice}", style="dim")


def _sum_up(found: list[Finding]) -> None:
    fails = sum(1 for finding in found if finding.level is Level.FAIL)
    warnings = sum(1 for finding in found if finding.level is Level.WARN)
    if fails:
        say(f"\n{fails} 项要处理，{warnings} 项要留意", style="bold red")
    elif warnings:
        say(f"\n可以工作，{warnings} 项要留意", style="bold yellow")
    else:
        say("\n一切正常", style="bold green")
