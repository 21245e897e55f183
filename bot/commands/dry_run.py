"""``lianke dry-run``: what an event would change, shown and undone."""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import click
from sqlalchemy.orm import Session

from bot.app import Product
from bot.commands.changes import Change, Watch, changes_of
from bot.commands.context import open_product
from bot.commands.terminal import EXIT_FAILED, Command, Told, say
from bot.redact import Redactor
from handlers.context import Context
from handlers.dispatch import dispatch
from scrm.channels.media import media_ids
from scrm.channels.rules import build_welcome_request, media_of
from scrm.inbox.models import InboxEvent
from scrm.outbox.commands import Command as OwedCommand
from scrm.outbox.commands import SendWelcome, from_json
from scrm.outbox.models import OutboxCall

LONGEST = 200
OWN_TABLE = OutboxCall.__tablename__


@dataclass
class Finding:
    """What a dry run saw."""

    handled: bool = False
    changes: list[Change] = field(default_factory=list)
    owed: list[tuple[OutboxCall, dict[str, Any]]] = field(default_factory=list)
    error: str | None = None


class _Undo(Exception):
    """Rolls the transaction back; carries nothing."""


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
    finding = try_event(product, event_id)
    redactor = Redactor(product.config.secret_values())
    if finding.error:
        say(f"处理这个事件会出错：{redactor.text(finding.error)}", style="red")
        ctx.exit(EXIT_FAILED)
    if not finding.handled:
        say("这个事件没有处理程序，会被标为 ignored")
        return
    _tell_changes(product, finding.changes, redactor)
    _tell_owed(product, finding, redactor)
    say("以上都已撤销，没有任何改动", style="dim")


def try_event(product: Product, event_id: int) -> Finding:
    """What handling the event now would do. Changes nothing. Raises Told for an event that cannot be run."""
    finding = Finding()
    try:
        with product.database.write() as session:
            row = session.get(InboxEvent, event_id)
            if row is None:
                raise Told(f"没有编号为 {event_id} 的事件")
            if row.payload is None:
                raise Told("该事件的内容已超过保存期，无法试运行")
            received = row.received_at.astimezone(product.corp.tz)
            say(f"事件 {row.id}：{row.kind}，{received:%Y-%m-%d %H:%M:%S} 收到，状态 {row.state.value}")
            _run(product, session, row, finding)
            raise _Undo  # noqa: TRY301 - leaving the block by an exception is what rolls back
    except _Undo:
        pass
    return finding


def _run(product: Product, session: Session, row: InboxEvent, finding: Finding) -> None:
    context = Context(now=product.clock(), received_at=row.received_at, caused_by=row.id, corp=product.corp)
    try:
        with product.database.read() as before, Watch(session, before) as watch:
            finding.handled = dispatch(session, row, context)
            session.flush()
            finding.changes = changes_of(watch)
    except Exception as error:  # noqa: BLE001 - the handler's error is what the caller wants to see
        where = traceback.format_exc(limit=-1).strip().splitlines()[1].strip()
        finding.error = f"{type(error).__name__}: {error}（{where}）"
        return
    for change in finding.changes:
        if change.table == OWN_TABLE and change.before is None:
            call = session.get_one(OutboxCall, change.after["id"])
            finding.owed.append((call, _request(session, from_json(call.command_kind, call.command))))
            session.expunge(call)


def _request(session: Session, command: OwedCommand) -> dict[str, Any]:
    if isinstance(command, SendWelcome):
        media = media_ids(session, media_of(command.attachments)) if command.attachments else {}
        return build_welcome_request(command, customer=command.customer_name, media=media)
    return command.request()


def _tell_changes(product: Product, changes: list[Change], redactor: Redactor) -> None:
    shown = [change for change in changes if change.table != OWN_TABLE]
    say("会改变的数据：" if shown else "数据不会改变", style="bold")
    for change in shown:
        say(f"  {change.word} {change.table} {change.key}")
        for column, old, new in change.columns:
            before, after = (_value(product, column, value, redactor) for value in (old, new))
            if change.before is not None:
                say(f"      {column}：{before} → {after}")
            elif after != change.key:
                say(f"      {column} = {after}")


def _tell_owed(product: Product, finding: Finding, redactor: Redactor) -> None:
    say("会调用的接口：" if finding.owed else "不会调用任何接口", style="bold")
    for call, request in finding.owed:
        late = call.expires_at is not None and call.expires_at <= product.clock()
        note = "（已过期：会记为 expired，不会发送）" if late else ""
        say(f"  {call.api}{note}")
        text = json.dumps(redactor.mapping(request), ensure_ascii=False, indent=2)
        say("\n".join(f"      {line}" for line in text.splitlines()))


def _value(product: Product, column: str, value: Any, redactor: Redactor) -> str:
    """A value for people, without secrets and phone numbers; long ones are cut, times are local."""
    if isinstance(value, datetime):
        return f"{value.astimezone(product.corp.tz):%Y-%m-%d %H:%M:%S}"
    safe = redactor.mapping({column: value})[column]
    text = safe if isinstance(safe, str) else json.dumps(safe, ensure_ascii=False, default=str)
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST else f"{flat[:LONGEST]}……"
