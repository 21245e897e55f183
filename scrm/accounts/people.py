"""Accounts changed by another person: roles, passwords, and who is let in no more.

Somebody who could enter as administrator always remains, nobody changes their own rights, and nobody gives, or
touches an account with, more reach than their own.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from scrm.accounts import logins
from scrm.accounts.models import Account, Staff, StaffStatus
from scrm.accounts.roles import USUAL_REACH, Reach, Role
from scrm.errors import Conflict, NotFound, Refused

PASSWORD_BYTES = 9
_RANK = {Reach.OWN: 0, Reach.DEPARTMENT: 1, Reach.ALL: 2}


def get_account(session: Session, account_id: str) -> Account:
    """The account. Raises NotFound."""
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound("account_not_found", "没有这个账号")
    return account


def list_accounts(
    session: Session, *, words: str = "", after: str = "", limit: int = 50
) -> list[tuple[Account, Staff | None]]:
    """Accounts with the member behind each, newest first; ``words`` is in a name or user name."""
    query = select(Account, Staff).join(Staff, Staff.id == Account.staff_id, isouter=True)
    if words:
        parts = (Account.name, Account.username, Staff.userid)
        query = query.where(or_(*(part.contains(words, autoescape=True) for part in parts)))
    if after:
        query = query.where(Account.id < after)
    return [
        (account, staff) for account, staff in session.execute(query.order_by(Account.id.desc()).limit(limit))
    ]


def list_without_account(session: Session, *, limit: int = 500) -> list[Staff]:
    """Members who work here and have never been in, by name."""
    known = select(Account.staff_id).where(Account.staff_id.is_not(None))
    query = select(Staff).where(Staff.status == StaffStatus.ACTIVE, Staff.id.not_in(known))
    return list(session.scalars(query.order_by(Staff.name, Staff.id).limit(limit)))


def create_account(
    session: Session, username: str, role: Role, *, by: Account, now: datetime
) -> tuple[Account, str]:
    """A local account and its password, which is shown once and must be changed. Raises as ``create_local``."""
    check_reach(by, USUAL_REACH[role])
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    return logins.create_local(session, username=username, password=password, role=role, now=now), password


def set_role(session: Session, account_id: str, role: Role, reach: Reach, *, by: Account) -> Account:
    """Say what somebody may do and see from their next request on. Raises Refused, and Conflict for the last admin."""
    account = _another(session, account_id, by)
    check_reach(by, reach)
    if role is not Role.ADMIN:
        _keep_an_administrator(session, account)
    logins.set_role(session, account, role, reach)
    return account


def disable(session: Session, account_id: str, *, by: Account, now: datetime) -> Account:
    """Let an account in no more and end its sessions. Raises Refused, and Conflict for the last administrator."""
    account = _another(session, account_id, by)
    _keep_an_administrator(session, account)
    logins.disable(session, account, now=now)
    return account


def enable(session: Session, account_id: str, *, by: Account) -> Account:
    """Let an account in again."""
    account = _another(session, account_id, by)
    account.disabled_at = None
    return account


def reset_password(session: Session, account_id: str, *, by: Account, now: datetime) -> tuple[Account, str]:
    """A new password, shown once, to be changed at the next login; all sessions end. Raises Refused."""
    account = _another(session, account_id, by)
    if account.username is None:
        raise Refused("account_without_password", "该账号用企业微信登录，没有密码")
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    logins.change_password(session, account, password, keep="", now=now)
    account.must_change = True
    return account, password


def _another(session: Session, account_id: str, by: Account) -> Account:
    account = get_account(session, account_id)
    if account.id == by.id:
        raise Refused("own_account", "不能修改自己的账号，请由另一位管理员操作")
    check_reach(by, account.reach)
    return account


def check_reach(by: Account, reach: Reach) -> None:
    """Raises Refused for a reach beyond one's own."""
    if _RANK[reach] > _RANK[by.reach]:
        raise Refused("reach_beyond_own", "不能管理数据范围比您大的账号，也不能给出比您大的范围")


def _keep_an_administrator(session: Session, account: Account) -> None:
    """Raises Conflict where nobody else who may enter is administrator. The rows are held: two cannot go at once."""
    if account.role is not Role.ADMIN or account.disabled_at is not None:
        return
    admins = select(Account).where(Account.role == Role.ADMIN).order_by(Account.id).with_for_update()
    others = [row for row in session.scalars(admins) if row.id != account.id and row.disabled_at is None]
    gone = select(Staff.id).where(
        Staff.id.in_([row.staff_id for row in others if row.staff_id]), Staff.status != StaffStatus.ACTIVE
    )
    left = set(session.scalars(gone))
    if all(row.staff_id in left for row in others):
        raise Conflict("last_administrator", "这是最后一位管理员，请先让另一个账号成为管理员")
