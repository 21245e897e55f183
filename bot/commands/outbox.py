"""``lianke outbox``: what waits while sending is paused, and a person's decision about it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import click
from sqlalchemy.orm import Session

from bot.backup.restore import hold_back
from bot.commands.context import open_product, require_stopped
from bot.commands.terminal import Group, confirmed, say
from scrm.outbox import pause

DROPPED = "恢复备份后由人放弃"


@click.group(cls=Group, help="查看和恢复被暂停的发送（从备份恢复后是暂停的）。")
def outbox() -> None:
    """Hold the commands about the outbox."""


@outbox.command(help="发送是否暂停，有哪些调用在等。只看不改。")
@click.pass_context
def status(ctx: click.Context) -> None:
    """Say whether sending is paused and what waits."""
    product = open_product(ctx)
    with product.database.read() as session:
        tell_waiting(session, now=product.clock(), tz=product.corp.tz)


@outbox.command(
    "pause",
    help="暂停发送。数据库用别的办法（例如 mysql）从备份恢复之后、启动联客之前用；lianke restore 会自己暂停。\n\n"
    "等待中的调用都按可能已经发过处理。",
)
@click.pass_context
def pause_(ctx: click.Context) -> None:
    """Hold back what a database owes that was restored by other means."""
    product = open_product(ctx)
    require_stopped(product.database)
    with product.database.write() as session:
        hold_back(session, product.clock())
        tell_waiting(session, now=product.clock(), tz=product.corp.tz)


@outbox.command(help="恢复发送。可能已经发过的调用会先核对，或等人决定，不会直接再发一遍。")
@click.option("--yes", is_flag=True, help="不再询问。")
@click.pass_context
def resume(ctx: click.Context, *, yes: bool) -> None:
    """Show what waits, ask, and let calls go."""
    product = open_product(ctx)
    with product.database.read() as session:
        if pause.is_paused(session):
            tell_waiting(session, now=product.clock(), tz=product.corp.tz)
            confirmed("现在恢复发送吗？", yes=yes)
    with product.database.write() as session:
        doubted = pause.resume(session)
    again = f"，其中 {doubted} 个可能已经发过，会按各自的办法核对" if doubted else ""
    say(f"已恢复发送{again}", style="bold green")


@outbox.command(help="放弃等待中的调用：它们永远不会再发。只能在发送暂停时用。")
@click.option("--api", "apis", multiple=True, metavar="接口", help="只放弃这个接口的，可以给多次；默认全部。")
@click.option("--yes", is_flag=True, help="不再询问。")
@click.pass_context
def drop(ctx: click.Context, apis: tuple[str, ...], *, yes: bool) -> None:
    """Discard what waits, of some APIs or all."""
    product = open_product(ctx)
    confirmed(f"放弃{'、'.join(apis) or '全部'}等待中的调用，确定吗？", yes=yes)
    with product.database.write() as session:
        dropped = pause.drop(session, DROPPED, apis=apis, now=product.clock())
    say(f"已放弃 {dropped} 个调用；发送仍然暂停，运行 lianke outbox resume 恢复")


def tell_waiting(session: Session, *, now: datetime, tz: ZoneInfo) -> None:
    """Say whether sending is paused, and show the waiting calls by API and age."""
    found, waiting = pause.find_pause(session), pause.list_waiting(session, now=now)
    if found is None:
        say("发送没有暂停")
    else:
        say(
            f"发送已暂停：{found.reason}，自 {found.since.astimezone(tz):%Y-%m-%d %H:%M:%S}",
            style="bold yellow",
        )
    if not waiting:
        say("没有等待的调用")
        return
    for item in waiting:
        say(
            f"  {item.api}：{item.count} 个{_of_them(item)}，最早 {item.oldest.astimezone(tz):%m-%d %H:%M:%S}"
        )
    say("已过期：例如 20 秒前的欢迎语，不会再发给客户。可能发过：先核对，不直接重发。", style="dim")


def _of_them(item: pause.Waiting) -> str:
    parts = {"已过期": item.dead, "可能发过": item.doubtful, "等人决定": item.for_person}
    told = "、".join(f"{count} 个{label}" for label, count in parts.items() if count)
    return f"（{told}）" if told else ""
