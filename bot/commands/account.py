"""``lianke account``: the accounts that enter the console by name and password."""

from __future__ import annotations

import secrets

import click
from sqlalchemy import select

from bot.commands.context import open_product
from bot.commands.terminal import Group, say, say_table
from scrm.accounts import logins
from scrm.accounts.models import Account
from scrm.accounts.roles import ROLE_NAMES, Role
from scrm.audit import service as audit
from scrm.errors import NotFound

PASSWORD_BYTES = 9
MOST = 200


@click.group(cls=Group, help="管理控制台的本地账号（用户名和密码）。")
def account() -> None:
    """Hold the commands about accounts."""


@account.command(help="新建账号，密码自动生成，只显示一次，首次登录时必须修改。")
@click.option("--username", required=True, help="登录名：小写字母和数字。")
@click.option("--role", default=Role.ADMIN.value, type=click.Choice([*Role]), help="角色，默认管理员。")
@click.pass_context
def create(ctx: click.Context, username: str, role: str) -> None:
    """Make an account with a password of ours and show it once."""
    product = open_product(ctx)
    password, now = secrets.token_urlsafe(PASSWORD_BYTES), product.clock()
    with product.database.write() as session:
        row = logins.create_local(session, username=username, password=password, role=Role(role), now=now)
        deed = audit.Deed("system", "lianke account", "account:created", "account", row.id, {"role": role})
        audit.append(session, deed, now=now)
    say(f"账号 {username} 已创建（{ROLE_NAMES[role][0]}）。密码只显示这一次，首次登录时需要修改：")
    say(password, style="bold")


@account.command(help="重新生成密码，并结束该账号的全部登录。")
@click.option("--username", required=True, help="登录名。")
@click.pass_context
def reset(ctx: click.Context, username: str) -> None:
    """Give an account a new password, show it once, and end its sessions."""
    product = open_product(ctx)
    password, now = secrets.token_urlsafe(PASSWORD_BYTES), product.clock()
    with product.database.write() as session:
        row = session.scalar(select(Account).where(Account.username == username))
        if row is None:
            raise NotFound("account_not_found", f"没有账号 {username}；查看全部：lianke account list")
        logins.change_password(session, row, password, keep="", now=now)
        row.must_change, row.disabled_at = True, None
        audit.append(
            session, audit.Deed("system", "lianke account", "password:reset", "account", row.id), now=now
        )
    say(f"账号 {username} 的新密码只显示这一次，登录后需要修改：")
    say(password, style="bold")


@account.command("list", help="列出全部账号。")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """Show who may enter."""
    product = open_product(ctx)
    with product.database.read() as session:
        rows = session.scalars(select(Account).order_by(Account.id).limit(MOST)).all()
    if not rows:
        say("还没有账号。新建：lianke account create --username admin")
        return
    say_table(
        ("登录名", "姓名", "角色", "状态"),
        [
            (
                row.username or "企业微信",
                row.name,
                ROLE_NAMES[row.role][0],
                "停用" if row.disabled_at else "待改密码" if row.must_change else "正常",
            )
            for row in rows
        ],
    )
