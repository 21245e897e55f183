"""``lianke``: the one command line. Commands are imported when asked for, so that help and mistakes come at once.

Output for people goes to stdout, errors and logs to stderr. Exit codes: 0 done, 1 could not be done (one sentence says
why), 2 wrong usage or configuration, 130 interrupted. An unexpected error keeps its traceback.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import click

from bot.commands.chosen import Chosen
from bot.commands.terminal import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, Group, say, say_error, usage_text

# name → (where the command is, what it does in one line)
COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("bot.commands.serve:serve", "启动全部：网页、接口、回调、后台任务（单进程）"),
    "web": ("bot.commands.web:web", "只启动网页、接口和回调，不处理后台任务"),
    "worker": ("bot.commands.worker:worker", "启动后台工作进程（集群，Celery）"),
    "scheduler": ("bot.commands.scheduler:scheduler", "只启动定时任务"),
    "sandbox": ("bot.commands.sandbox:sandbox", "启动沙箱：扮演企业微信，用于演示和开发"),
    "demo": ("bot.commands.demo:demo", "一条命令体验：沙箱、演示数据和服务"),
    "migrate": ("bot.commands.migrate:migrate", "升级数据库结构"),
    "check": ("bot.commands.check:check", "体检：配置、数据库、凭证、回调、可信域名"),
    "token": ("bot.commands.token:token", "管理接口令牌：create、list、revoke"),
    "account": (
        "bot.commands.account:account",
        "管理控制台的账号：create、reset、role、disable、enable、list",
    ),
    "replay": ("bot.commands.replay:replay", "重新处理收到过的事件"),
    "dry-run": ("bot.commands.dry_run:dry_run", "试运行一个事件：只看会改什么，不真改"),
    "migrate-data": ("bot.commands.migrate_data:migrate_data", "把全部数据搬到另一个数据库"),
    "backup": ("bot.commands.backup:backup", "备份数据库，运行中也可以"),
    "restore": ("bot.commands.restore:restore", "从备份恢复，恢复后发送是暂停的"),
    "outbox": ("bot.commands.outbox:outbox", "查看、恢复或放弃被暂停的发送"),
    "sync": ("bot.commands.sync:sync", "与企业微信核对员工、客户、标签和渠道"),
    "import": ("bot.commands.import_:import_", "导入数据：contacts"),
    "bench": ("bot.commands.bench:bench", "运行性能测试"),
}


class Lianke(Group):
    """The root: finds commands late, and turns expected errors into one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run one command line and exit."""
        extra = {"prog_name": "lianke", **extra, "standalone_mode": False}
        try:
            code = super().main(*args, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            say(error.format_message())
            sys.exit(0)
        except click.UsageError as error:
            say_error(usage_text(error))
            sys.exit(EXIT_USAGE)
        except click.ClickException as error:
            say_error(error.format_message())
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            sys.exit(EXIT_INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - raised again unless it is an expected one
            sys.exit(_tell(error))
        sys.exit(code if isinstance(code, int) else 0)


def _tell(error: Exception) -> int:
    """Say an expected error and answer the exit code; raise any other again."""
    from bot.commands.failures import sentence
    from bot.config_errors import ConfigError

    if isinstance(error, ConfigError):
        say_error(str(error), head="")
        return EXIT_USAGE
    text = sentence(error)
    if text is None:
        raise error
    say_error(text)
    return EXIT_FAILED


@click.group("lianke", cls=Lianke, help="联客：企业微信客户关系管理。每个命令的用法：lianke 命令 --help")
@click.option(
    "--config",
    "config_path",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="配置文件；不给时取环境变量 LIANKE_CONFIG，再不然取当前目录的 config.toml。",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="日志的详细程度；日志写到 stderr。",
)
@click.pass_context
def main(ctx: click.Context, config_path: Path | None, log_level: str | None) -> None:
    """Keep the global options for the command."""
    ctx.obj = Chosen(config_path, log_level)
