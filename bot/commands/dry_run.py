"""``lianke dry-run``: what an event would change, shown and undone."""

from __future__ import annotations

import json

import click

from bot.app import Product
from bot.commands.context import open_product
from bot.commands.terminal import EXIT_FAILED, Command, Told, say
from bot.redact import Redactor
from bot.workers.trial import Trial, shown, try_event
from scrm.errors import Conflict, NotFound


@click.command(
    "dry-run",
    cls=Command,
    help="试运行一个事件：显示会新增、修改哪些数据、会调用哪些接口，然后全部撤销。\n\n什么都不会真的改变或发送。",
)
@click.argument("event_id", metavar="编号", type=click.IntRange(min=1))
@click.pass_context
def dry_run(ctx: click.Context, event_id: int) -> None:
    """Run the handler in a transaction that is rolled back."""
    product = open_product(ctx)
    try:
        trial = try_event(product.database, product.corp, event_id, now=product.clock())
    except (NotFound, Conflict) as error:
        raise Told(error.message) from error
    redactor = Redactor(product.config.secret_values())
    received = trial.received_at and f"{trial.received_at.astimezone(product.corp.tz):%Y-%m-%d %H:%M:%S}"
    say(f"事件 {event_id}：{trial.kind}，{received} 收到，状态 {trial.state.value}")
    if trial.error:
        say(f"处理这个事件会出错：{redactor.text(trial.error)}", style="red")
        ctx.exit(EXIT_FAILED)
    if not trial.handled:
        say("这个事件没有处理程序，会被标为 ignored")
        return
    _tell_changes(product, trial, redactor)
    _tell_owed(trial, redactor)
    say("以上都已撤销，没有任何改动", style="dim")


def _tell_changes(product: Product, trial: Trial, redactor: Redactor) -> None:
    say("会改变的数据：" if trial.changes else "数据不会改变", style="bold")
    for change in trial.changes:
        say(f"  {change.word} {change.table} {change.key}")
        for column, old, new in change.columns:
            before, after = (shown(column, value, redactor, product.corp.tz) for value in (old, new))
            if change.before is not None:
                say(f"      {column}：{before} → {after}")
            elif after != change.key:
                say(f"      {column} = {after}")


def _tell_owed(trial: Trial, redactor: Redactor) -> None:
    say("会调用的接口：" if trial.owed else "不会调用任何接口", style="bold")
    for call in trial.owed:
        note = "（已过期：会记为 expired，不会发送）" if call.is_late else ""
        say(f"  {call.api}{note}")
        text = json.dumps(redactor.mapping(call.request), ensure_ascii=False, indent=2)
        say("\n".join(f"      {line}" for line in text.splitlines()))
