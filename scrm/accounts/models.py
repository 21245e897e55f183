"""Tables of staff and departments, of those who enter (``account``, ``login``, ``api_token``), and ``setting``.

Staff and departments are written by ``accounts.service`` from what WeCom says; accounts and logins by
``accounts.logins``; tokens, keys and settings by people through REST and the CLI.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from scrm.accounts.roles import Reach, Role
from scrm.db import Base, enum_type, id_column
from scrm.dialects import LongText, UtcDateTime
from scrm.ids import ID_LENGTH


class StaffStatus(StrEnum):
    """WeCom's member status, by name (1 active, 2 disabled, 4 not activated, 5 left)."""

    ACTIVE = "active"
    DISABLED = "disabled"
    INACTIVE = "inactive"
    LEFT = "left"


class LoginWay(StrEnum):
    """How a person came in."""

    PASSWORD = "password"
    SCAN = "scan"  # WeCom's code in a browser
    CLIENT = "client"  # inside WeCom: the sidebar


class Staff(Base):
    """A member of the corp. ``serves`` is WeCom's customer-contact permission (get_follow_user_list)."""

    __tablename__ = "staff"

    id: Mapped[str] = id_column()
    userid: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(128))
    position: Mapped[str] = mapped_column(String(128), default="")
    status: Mapped[StaffStatus] = mapped_column(enum_type(StaffStatus), default=StaffStatus.ACTIVE)
    serves: Mapped[bool] = mapped_column(Boolean, default=True)
    on_leave: Mapped[bool] = mapped_column(Boolean, default=False)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Department(Base):
    """A department; ``id`` is WeCom's own number."""

    __tablename__ = "department"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(128))
    parent_id: Mapped[int] = mapped_column(Integer, default=0)
    position: Mapped[int] = mapped_column(Integer, default=0)


class StaffDepartment(Base):
    """Which departments a member belongs to."""

    __tablename__ = "staff_department"

    staff_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    department_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False, index=True)
    is_leader: Mapped[bool] = mapped_column(Boolean, default=False)


class Account(Base):
    """A person who may enter: a member of the corp, by WeCom, or a local administrator, by name and password."""

    __tablename__ = "account"

    id: Mapped[str] = id_column()
    username: Mapped[str | None] = mapped_column(String(64), unique=True)
    staff_id: Mapped[str | None] = mapped_column(ForeignKey("staff.id"), unique=True)
    name: Mapped[str] = mapped_column(String(128))
    password_hash: Mapped[str | None] = mapped_column(String(255))  # argon2id
    must_change: Mapped[bool] = mapped_column(Boolean, default=False)  # the password was generated
    role: Mapped[Role] = mapped_column(enum_type(Role))
    reach: Mapped[Reach] = mapped_column(enum_type(Reach))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Login(Base):
    """A session of a person, by the sha256 of its cookie. It ends when idle, at its end, or at once by ``ended_at``."""

    __tablename__ = "login"
    __table_args__ = (Index("ix_login_account", "account_id", "ended_at"), Index("ix_login_until", "until"))

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    way: Mapped[LoginWay] = mapped_column(enum_type(LoginWay))
    address: Mapped[str] = mapped_column(String(64), default="")
    agent: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ApiToken(Base):
    """A REST token: only its sha256 is kept. Written by the console, the CLI and the demo.

    With an ``account_id`` it acts for that person, and never sees or may more than they.
    """

    __tablename__ = "api_token"

    id: Mapped[str] = id_column()
    name: Mapped[str] = mapped_column(String(64))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(32))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    account_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class IdempotencyKey(Base):
    """The answer to a POST, kept 7 days under the caller's Idempotency-Key. Written by ``bot.api``.

    ``bot.web`` keeps here which of a member's forms were used (key ``form:<nonce>``, no answer),
    and which logins by WeCom (``state:<state>``).
    """

    __tablename__ = "idempotency_key"

    token_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None] = mapped_column(Integer)
    body: Mapped[str | None] = mapped_column(LongText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Setting(Base):
    """A choice that people change in the product (not in config.toml), by key: the corp's, or an account's look."""

    __tablename__ = "setting"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str] = mapped_column(String(128), default="system")
