"""``lianke account``: local accounts with passwords, and what members who enter by WeCom may do and see."""

from __future__ import annotations

import secrets
from datetime import datetime

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.commands.context import open_product
from bot.commands.terminal import Group, say, say_table
from scrm.accounts import logins
from scrm.accounts.models import Account
from scrm.accounts.queries import staff_by_userid
from scrm.accounts.roles import REACH_NAMES, ROLE_NAMES, Reach, Role
from scrm.audit import service as audit
from scrm.errors import NotFound

PASSWORD_BYTES = 9
ROLES = click.Choice([one.value for one in Role])  # given enums click would ask for their names
REACHES = click.Choice([one.value for one in Reach])
MOST = 200


@click.group(cls=Group, help="管理控制台的本地账号（用户名和密码）。")
def account() -> None:
    """Hold the commands about accounts."""


@account.command(help="新建账号，密码自动生成，只显示一次，首次登录时必须修改。")
@click.option("--username", required=True, help="登录名：小写字母和数字。")
@click.option(
    "--role",
    default=Role.ADMIN.value,
    type=ROLES,
    help="角色，默认管理员。",
)
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


@account.command(help="设定员工的角色和范围：从下一次请求起生效。员工用企业微信登录，不需要密码。")
@click.option("--userid", required=True, help="员工在企业微信的账号。")
@click.option("--role", required=True, type=ROLES, help="角色，决定能做什么。")
@click.option("--reach", type=REACHES, help="能看到谁的客户；默认按角色。")
@click.pass_context
def role(ctx: click.Context, userid: str, role: str, reach: str | None) -> None:
    """Say what a member may do and whose customers they see."""
    product = open_product(ctx)
    now = product.clock()
    with product.database.write() as session:
        row = _account_of(session, userid, now)
        logins.set_role(session, row, Role(role), Reach(reach) if reach else None)
        detail = {"role": row.role.value, "reach": row.reach.value}
        audit.append(session, _deed("account:role_set", row, detail), now=now)
        told = f"{row.name}：{ROLE_NAMES[row.role][0]}，{REACH_NAMES[row.reach][0]}"
    say(told)


@account.command(help="停用员工的账号，并结束其全部登录。重新启用：lianke account enable。")
@click.option("--userid", required=True, help="员工在企业微信的账号。")
@click.pass_context
def disable(ctx: click.Context, userid: str) -> None:
    """Let a member in no more."""
    product = open_product(ctx)
    now = product.clock()
    with product.database.write() as session:
        row = _account_of(session, userid, now)
        logins.disable(session, row, now=now)
        audit.append(session, _deed("account:disabled", row, {}), now=now)
    say(f"{row.name} 的账号已停用，全部登录已结束")


@account.command(help="重新启用员工的账号。")
@click.option("--userid", required=True, help="员工在企业微信的账号。")
@click.pass_context
def enable(ctx: click.Context, userid: str) -> None:
    """Let a member in again."""
    product = open_product(ctx)
    now = product.clock()
    with product.database.write() as session:
        row = _account_of(session, userid, now)
        row.disabled_at = None
        audit.append(session, _deed("account:enabled", row, {}), now=now)
    say(f"{row.name} 的账号已启用")


def _account_of(session: Session, userid: str, now: datetime) -> Account:
    """The member's account, disabled or not; made where they were never in."""
    staff = staff_by_userid(session, [userid]).get(userid)
    if staff is None:
        raise NotFound("staff_not_found", f"没有员工 {userid}；先运行 lianke sync")
    known = session.scalar(select(Account).where(Account.staff_id == staff.id))
    return known or logins.account_of_staff(session, staff, now=now)


def _deed(action: str, row: Account, detail: dict[str, str]) -> audit.Deed:
    return audit.Deed("system", "lianke account", action, "account", row.id, dict(detail))


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
