"""Who enters, and for how long: accounts with passwords, and sessions that end the moment somebody ends them.

A session's cookie is 32 random bytes of which we keep the sha256, like a REST token's. A password is kept as argon2id.
Nothing here tells a caller whether a name exists.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from scrm.accounts.models import Account, Login, LoginWay, Staff, StaffStatus
from scrm.accounts.roles import USUAL_REACH, Reach, Role
from scrm.db import affected
from scrm.errors import Conflict, Invalid, NotFound
from scrm.ids import new_token

IDLE = {  # ASVS 7.3.1; WeCom's client logs in again by itself, a browser does not
    LoginWay.PASSWORD: timedelta(minutes=30),
    LoginWay.SCAN: timedelta(minutes=30),
    LoginWay.CLIENT: timedelta(hours=2),
}
ABSOLUTE = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
TOKEN_BYTES = 32
SHORTEST = 10  # characters of a password
LONGEST = 128
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")
_hasher = PasswordHasher()  # argon2id with the library's current parameters (RFC 9106, low memory)


@dataclass(frozen=True)
class Entered:
    """A person with the session that proves it."""

    account: Account
    login: Login


def create_local(
    session: Session, *, username: str, password: str, role: Role, now: datetime, must_change: bool = True
) -> Account:
    """Make an account with a password. Raises Invalid for a bad name or password, Conflict for one that is taken."""
    if not _USERNAME.fullmatch(username):
        told = "用户名为 2-64 位小写字母、数字或 . _ -，以字母或数字开头"
        raise Invalid("username_invalid", told, {"username": told})
    check_password(password)
    if session.scalar(select(Account.id).where(Account.username == username)) is not None:
        raise Conflict("username_taken", f"用户名 {username} 已被使用")
    account = Account(
        username=username,
        name=username,
        password_hash=_hasher.hash(password),
        must_change=must_change,
        role=role,
        reach=USUAL_REACH[role],
        created_at=now,
    )
    session.add(account)
    session.flush()
    return account


def check_password(password: str) -> None:
    """Raises Invalid for a password that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        told = f"密码为 {SHORTEST}-{LONGEST} 个字符"
        raise Invalid("password_invalid", told, {"password": told})


def find_by_password(session: Session, username: str, password: str) -> Account | None:
    """The live account of this name with this password; None for anything else, after the same work."""
    account = session.scalar(select(Account).where(Account.username == username))
    known = account.password_hash if account is not None and account.password_hash else _nobody()
    try:
        _hasher.verify(known, password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return None
    return account if account is not None and account.disabled_at is None else None


def _nobody() -> str:
    """A hash that no password has, checked where there is no account, so that both take as long. Costs no hashing."""
    salt, tag = (
        b64encode(secrets.token_bytes(size)).decode().rstrip("=")
        for size in (_hasher.salt_len, _hasher.hash_len)
    )
    costs = f"m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${tag}"


def change_password(session: Session, account: Account, password: str, *, keep: str, now: datetime) -> None:
    """Set a new password and end every other session of the account; ``keep`` is the session that goes on."""
    check_password(password)
    account.password_hash = _hasher.hash(password)
    account.must_change = False
    end_all(session, account.id, now=now, keep=keep)


def account_of_staff(session: Session, staff: Staff, *, now: datetime) -> Account:
    """The account of a member, made as that of a sales rep at the first time. Raises NotFound for one who left."""
    if staff.status is not StaffStatus.ACTIVE:
        raise NotFound("staff_left", "您的企业微信账号已离职或停用")
    account = session.scalar(select(Account).where(Account.staff_id == staff.id))
    if account is None:
        account = Account(
            staff_id=staff.id, name=staff.name, role=Role.SALES, reach=Reach.OWN, created_at=now
        )
        session.add(account)
        session.flush()
    if account.disabled_at is not None:
        raise NotFound("account_disabled", "您的账号已被管理员停用")
    return account


def set_role(session: Session, account: Account, role: Role, reach: Reach | None = None) -> None:
    """What somebody may do from now on; it holds for sessions that are open, at their next request."""
    account.role = role
    account.reach = reach or USUAL_REACH[role]
    session.flush()


def open_login(
    session: Session, account: Account, way: LoginWay, *, now: datetime, address: str = "", agent: str = ""
) -> tuple[Login, str]:
    """Start a session; the row and the cookie's value, which nobody can see again."""
    token = new_token(TOKEN_BYTES)
    login = Login(
        id=_digest(token),
        account_id=account.id,
        way=way,
        address=address[:64],
        agent=agent[:200],
        created_at=now,
        seen_at=now,
        until=now + ABSOLUTE,
    )
    account.last_login_at = now
    session.add(login)
    session.flush()
    return login, token


def find_entered(session: Session, token: str, *, now: datetime) -> Entered | None:
    """Who is behind a cookie; None when the session is over, the account disabled or the member gone."""
    row = session.execute(
        select(Login, Account, Staff.status)
        .join(Account, Account.id == Login.account_id)
        .join(Staff, Staff.id == Account.staff_id, isouter=True)
        .where(Login.id == _digest(token))
    ).one_or_none()
    if row is None:
        return None
    login, account, status = row
    over = login.ended_at is not None or now >= login.until or now - login.seen_at >= IDLE[login.way]
    gone = account.disabled_at is not None or status not in (None, StaffStatus.ACTIVE)
    return None if over or gone else Entered(account, login)


def mark_seen(session: Session, login_id: str, *, now: datetime) -> bool:
    """Write down that the session is in use, at most once a minute. Whether it was written."""
    due = update(Login).where(
        Login.id == login_id, Login.seen_at <= now - SEEN_EVERY, Login.ended_at.is_(None)
    )
    return affected(session.execute(due.values(seen_at=now))) == 1


def list_live(
    session: Session, account_ids: Collection[str], *, now: datetime, limit: int = 200
) -> list[Login]:
    """Sessions of these accounts that are not over, used last first."""
    live = (Login.account_id.in_(account_ids), Login.ended_at.is_(None), Login.until > now)
    rows = session.scalars(select(Login).where(*live).order_by(Login.seen_at.desc()).limit(limit))
    return [row for row in rows if now - row.seen_at < IDLE[row.way]]


def end_login(session: Session, login_id: str, *, now: datetime) -> None:
    """End one session, now."""
    session.execute(update(Login).where(Login.id == login_id, Login.ended_at.is_(None)).values(ended_at=now))


def end_all(session: Session, account_id: str, *, now: datetime, keep: str = "") -> int:
    """End all sessions of an account but ``keep``, now; how many."""
    live = update(Login).where(Login.account_id == account_id, Login.ended_at.is_(None), Login.id != keep)
    return affected(session.execute(live.values(ended_at=now)))


def disable(session: Session, account: Account, *, now: datetime) -> None:
    """Let an account in no more, and end its sessions."""
    account.disabled_at = now
    end_all(session, account.id, now=now)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
