"""REST tokens: made once, shown once, kept only as a hash; a role gives scopes, at most a year long.

A token is ``lk_`` and 32 random bytes, so its plain sha256 cannot be guessed back and is looked up by a unique index:
no comparison of secrets takes place whose time could tell anything.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import case, or_, select, update
from sqlalchemy.orm import Session

from scrm.accounts.models import Account, ApiToken, Staff
from scrm.accounts.roles import ALL_SCOPES, LIBRARY_READ, LIBRARY_WRITE, READS
from scrm.db import affected
from scrm.errors import Conflict, Invalid, NotFound
from scrm.ids import new_id, new_token

PREFIX = "lk_"
RANDOM_BYTES = 32
LONGEST = timedelta(days=366)  # "one year", leap years included
USED_EVERY = timedelta(minutes=1)
_FORM = re.compile(r"lk_[A-Za-z0-9_-]{43}")

# ``pii.read`` shows whole phone numbers; only an administrator's token has it.
ROLES: Mapping[str, tuple[str, ...]] = {
    "admin": ALL_SCOPES,
    "readonly": READS,
    "sales": (
        "contacts.read",
        "contacts.write",
        "followups.write",
        "tags.write",
        "channels.read",
        "staff.read",
        LIBRARY_READ,
    ),
    "marketing": (
        "contacts.read",
        "tags.write",
        "channels.read",
        "channels.write",
        "staff.read",
        "settings.write",
        LIBRARY_READ,
        LIBRARY_WRITE,
    ),
    "operations": (*READS, "events.replay", "calls.retry", "jobs.write"),
}


def hash_token(plaintext: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(plaintext.encode("utf-8", "surrogatepass")).hexdigest()


def create_token(
    session: Session, *, name: str, role: str, ttl: timedelta, now: datetime, person: str = ""
) -> tuple[ApiToken, str]:
    """Make a token; the row and the plaintext, which nobody can ever see again.

    With a ``person`` (an account's username, or a member's userid) it acts for them. Raises Invalid for an empty
    name, an unknown role or person, or a life of nothing or more than a year.
    """
    fields = {}
    if not 1 <= len(name.strip()) <= 64:  # noqa: PLR2004 - the column's width
        fields["name"] = "请填写 1-64 个字的名称"
    if role not in ROLES:
        fields["role"] = f"请选择其中之一：{'、'.join(ROLES)}"
    if not timedelta(0) < ttl <= LONGEST:
        fields["ttl"] = "有效期最长一年"
    account_id = find_person(session, person) if person else None
    if person and account_id is None:
        fields["person"] = "没有这个账号，请填写登录名或员工的 userid（该员工须登录过）"
    if fields:
        raise Invalid("token_invalid", f"令牌没有创建：{'；'.join(fields.values())}", fields)
    plaintext = PREFIX + new_token(RANDOM_BYTES)
    token = ApiToken(
        id=new_id(),
        name=name.strip(),
        token_hash=hash_token(plaintext),
        role=role,
        scopes=list(ROLES[role]),
        account_id=account_id,
        created_at=now,
        expires_at=now + ttl,
    )
    session.add(token)
    session.flush()
    return token, plaintext


def find_person(session: Session, named: str) -> str | None:
    """The id of the account with this username, or of the member with this userid; None for anybody else."""
    query = (
        select(Account.id)
        .join(Staff, Staff.id == Account.staff_id, isouter=True)
        .where(Account.disabled_at.is_(None), or_(Account.username == named, Staff.userid == named))
        .order_by(case((Account.username == named, 0), else_=1), Account.id)
    )
    return session.scalars(query.limit(1)).first()


def authenticate(session: Session, plaintext: str, *, now: datetime) -> ApiToken | None:
    """The live token behind a plaintext; None for anything else, whatever is wrong with it. Writes nothing."""
    if _FORM.fullmatch(plaintext) is None:
        return None
    digest = hash_token(plaintext)
    token = session.scalar(select(ApiToken).where(ApiToken.token_hash == digest))
    if token is None or not hmac.compare_digest(token.token_hash, digest):
        return None
    if token.revoked_at is not None or token.expires_at <= now:
        return None
    return token


def is_use_due(token: ApiToken, *, now: datetime) -> bool:
    """Whether the last recorded use is so long ago that this one should be written down."""
    return token.last_used_at is None or now - token.last_used_at >= USED_EVERY


def mark_used(session: Session, token_id: str, *, now: datetime) -> bool:
    """Write down that the token was used, at most once a minute. Whether it was written."""
    due = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= now - USED_EVERY)
    statement = update(ApiToken).where(ApiToken.id == token_id, due).values(last_used_at=now)
    return affected(session.execute(statement.execution_options(synchronize_session=False))) == 1


def list_tokens(session: Session, *, limit: int = 200) -> list[ApiToken]:
    """All tokens, dead ones too, newest first; never their plaintexts."""
    return list(session.scalars(select(ApiToken).order_by(ApiToken.id.desc()).limit(limit)))


def revoke(session: Session, token_id: str, *, now: datetime) -> ApiToken:
    """End a token at once. Raises NotFound, and Conflict when it was revoked before."""
    token = session.get(ApiToken, token_id)
    if token is None:
        raise NotFound("token_not_found", "没有这个令牌")
    if token.revoked_at is not None:
        raise Conflict("token_revoked", "该令牌早已停用")
    token.revoked_at = now
    session.flush()
    return token
