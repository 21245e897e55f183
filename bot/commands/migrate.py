"""``lianke migrate``: bring the database to a revision, and say from where to where."""

from __future__ import annotations

import click
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from bot.commands.context import open_product, require_stopped
from bot.commands.terminal import Command, Told, confirmed, say
from migrations import runner

EMPTY = "空库"


@click.command(cls=Command, help="升级数据库结构，显示从哪个版本到哪个版本。已是最新时什么都不做。")
@click.option(
    "--to", default="head", metavar="版本", help="升级到哪个版本，默认最新（head）；base 表示清空。"
)
@click.option("--yes", is_flag=True, help="退回旧版本会丢数据，不再询问。")
@click.pass_context
def migrate(ctx: click.Context, to: str, *, yes: bool) -> None:
    """Upgrade, or with consent downgrade, and say from where to where."""
    product = open_product(ctx, migrated=False)
    database = product.database
    before = runner.current(database)
    script = ScriptDirectory.from_config(runner.alembic_config())
    target = _resolve(script, to)
    if before == target:
        say(f"数据库已是 {before or EMPTY}，无需升级")
        return
    require_stopped(database)
    if before is not None and _is_older(script, target, than=before):
        question = f"从 {before} 退回 {target or EMPTY} 会删除新版本的表和数据，确定吗？"
        confirmed(question, yes=yes)
        runner.downgrade(database, target or "base")
    else:
        runner.upgrade(database, to)
    say(f"数据库结构：{before or EMPTY} → {runner.current(database) or EMPTY}")


def _resolve(script: ScriptDirectory, to: str) -> str | None:
    if to == "base":
        return None
    try:
        revision = script.get_revision(to)
    except CommandError as error:
        known = "、".join(item.revision for item in script.walk_revisions())
        raise Told(f"没有版本 {to}，可用的有：{known}") from error
    return revision.revision


def _is_older(script: ScriptDirectory, target: str | None, *, than: str) -> bool:
    try:
        older = {item.revision for item in script.iterate_revisions(than, "base")}
    except CommandError as error:
        raise Told(f"数据库的版本 {than} 这个程序不认识：它由更新的程序升级过，请更新程序") from error
    return target is None or target in older
