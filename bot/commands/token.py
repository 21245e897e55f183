"""``lianke token``: make, list and revoke REST tokens."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import click

from bot.commands.context import open_product
from bot.commands.terminal import Group, say, say_table
from scrm.accounts import tokens
from scrm.accounts.models import ApiToken

DEFAULT_DAYS = 90


@click.group(cls=Group, help="管理 REST 接口的令牌。")
def token() -> None:
    """Hold the commands about tokens."""


@token.command(help="新建令牌。原文只在这里显示一次，数据库只保存它的哈希。")
@click.option("--name", required=True, help="给谁用，例如「官网表单」。")
@click.option("--role", required=True, type=click.Choice(list(tokens.ROLES)), help="角色，决定能做什么。")
@click.option(
    "--days", default=DEFAULT_DAYS, type=click.IntRange(1, 366), help=f"有效天数，默认 {DEFAULT_DAYS}。"
)
@click.option(
    "--person",
    default="",
    help="代表谁：登录名或员工的 userid。令牌只看得到此人看得到的客户，只能做此人能做的事。",
)
@click.pass_context
def create(ctx: click.Context, name: str, role: str, days: int, person: str) -> None:
    """Make a token and show it once."""
    product = open_product(ctx)
    with product.database.write() as session:
        row, plaintext = tokens.create_token(
            session, name=name, role=role, ttl=timedelta(days=days), now=product.clock(), person=person
        )
        until = _day(row.expires_at, product.corp.tz)
    say(f"令牌「{row.name}」已创建，角色 {row.role}，{until} 到期。只显示这一次，请立即保存：")
    say(plaintext, style="bold")
    say("使用方法：请求头 Authorization: Bearer 令牌")


@token.command("list", help="列出全部令牌（看不到原文）。")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """Show every token, without its plaintext."""
    product = open_product(ctx)
    with product.database.read() as session:
        rows = tokens.list_tokens(session)
    if not rows:
        say("还没有令牌。新建：lianke token create --name 名称 --role 角色")
        return
    tz, now = product.corp.tz, product.clock()
    say_table(
        ("编号", "名称", "角色", "状态", "到期", "最近使用"),
        [
            (
                row.id,
                row.name,
                row.role,
                _state(row, now),
                _day(row.expires_at, tz),
                _day(row.last_used_at, tz) if row.last_used_at else "从未",
            )
            for row in rows
        ],
    )


@token.command(help="立即停用一个令牌，不能恢复。编号见 lianke token list。")
@click.argument("token_id", metavar="编号")
@click.pass_context
def revoke(ctx: click.Context, token_id: str) -> None:
    """End a token at once."""
    product = open_product(ctx)
    with product.database.write() as session:
        row = tokens.revoke(session, token_id, now=product.clock())
    say(f"令牌「{row.name}」已停用")


def _state(row: ApiToken, now: datetime) -> str:
    if row.revoked_at is not None:
        return "已停用"
    return "已过期" if row.expires_at <= now else "有效"


def _day(at: datetime, tz: ZoneInfo) -> str:
    return f"{at.astimezone(tz):%Y-%m-%d %H:%M}"
