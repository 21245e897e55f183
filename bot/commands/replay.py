"""``lianke replay``: run events again, one or all that are stuck."""

from __future__ import annotations

from collections.abc import Sequence

import click
from sqlalchemy import func, select

from bot.app import Product
from bot.commands.context import open_product
from bot.commands.terminal import Command, Told, confirmed, progress_bar, say
from scrm.errors import Conflict
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent

MOST = 1000
BATCH = 100
STATES = {EventState.DEAD: "处理失败", EventState.QUARANTINED: "隔离"}
QUARANTINE_WARNING = "这些事件的时间戳与服务器相差超过 5 分钟，可能是旧请求被人重发，请先确认来源"


@click.command(
    cls=Command,
    help="重新处理收到过的事件：一个（给编号），或全部失败的（--dead）、全部隔离的（--quarantined）。\n\n"
    "已经做成的事（欢迎语、打标签）不会重复做。由正在运行的 lianke serve 处理。",
)
@click.argument("event_id", metavar="[编号]", type=click.IntRange(min=1), required=False)
@click.option("--dead", is_flag=True, help="全部处理失败的事件。")
@click.option("--quarantined", is_flag=True, help="全部被隔离的事件。")
@click.option("--limit", default=MOST, type=click.IntRange(1, MOST), help=f"一次最多几个，默认 {MOST}。")
@click.option("--yes", is_flag=True, help="不再询问。")
@click.pass_context
def replay(
    ctx: click.Context, event_id: int | None, *, dead: bool, quarantined: bool, limit: int, yes: bool
) -> None:
    """Put events back into the queue, after a question."""
    if (event_id is not None) + dead + quarantined != 1:
        raise click.UsageError("请给一个事件编号，或 --dead，或 --quarantined（三者选一）", ctx)
    product = open_product(ctx)
    if event_id is not None:
        _one(product, event_id, yes=yes)
    else:
        _all(product, EventState.DEAD if dead else EventState.QUARANTINED, limit, yes=yes)


def _one(product: Product, event_id: int, *, yes: bool) -> None:
    with product.database.read() as session:
        row = session.get(InboxEvent, event_id)
        if row is None:
            raise Told(f"没有编号为 {event_id} 的事件")
        received = row.received_at.astimezone(product.corp.tz)
        say(f"事件 {row.id}：{row.kind}，{received:%Y-%m-%d %H:%M:%S} 收到，状态 {row.state.value}")
        if row.error:
            say(f"  上次的错误：{row.error.splitlines()[0]}")
    confirmed("重新处理这个事件吗？", yes=yes)
    with product.database.write() as session:
        inbox.replay(session, event_id, now=product.clock())
    say("已放回队列，lianke serve 运行时会立即处理")


def _all(product: Product, state: EventState, limit: int, *, yes: bool) -> None:
    stuck = InboxEvent.state == state
    with product.database.read() as session:
        total = session.scalar(select(func.count()).select_from(InboxEvent).where(stuck)) or 0
        ids = list(session.scalars(select(InboxEvent.id).where(stuck).order_by(InboxEvent.id).limit(limit)))
    if not ids:
        say(f"没有{STATES[state]}的事件")
        return
    if state is EventState.QUARANTINED:
        say(f"注意：{QUARANTINE_WARNING}", style="yellow")
    rest = f"（共 {total} 个，本次处理最早的 {len(ids)} 个）" if total > len(ids) else ""
    confirmed(f"重新处理 {len(ids)} 个{STATES[state]}的事件吗？{rest}", yes=yes)
    skipped = _put_back(product, ids)
    say(f"已把 {len(ids) - skipped} 个事件放回队列，lianke serve 运行时会立即处理")
    if skipped:
        say(f"{skipped} 个没有放回：内容已超过保存期，或正在处理中", style="yellow")
    if total > len(ids):
        say(f"还有 {total - len(ids)} 个：再运行一次本命令")


def _put_back(product: Product, ids: Sequence[int]) -> int:
    """Replay in batches; how many could not be."""
    skipped = 0
    with progress_bar() as progress:
        bar = progress.add_task("放回队列", total=len(ids))
        for start in range(0, len(ids), BATCH):
            with product.database.write() as session:
                for event_id in ids[start : start + BATCH]:
                    try:
                        inbox.replay(session, event_id, now=product.clock())
                    except Conflict:
                        skipped += 1
                    progress.advance(bar)
    return skipped
