"""Writes the made-up company into the database, once, and into the sandbox whatever of it the platform would know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any, cast

from sqlalchemy import Table, delete, func, insert, select
from sqlalchemy.orm import Session

import scrm.models  # noqa: F401 - every table must be known
from bot.config import Config
from bot.demo import platform
from bot.demo.child import Sandbox
from bot.demo.places import CannotStart
from scrm.accounts import service as accounts
from scrm.accounts.models import IdempotencyKey
from scrm.channels import media as channel_media
from scrm.channels import service as channels
from scrm.channels.models import ChannelCode, Scan
from scrm.contacts.models import Contact, ContactIdentity, Relation
from scrm.db import Base, Database
from scrm.dialects import count_on
from scrm.followups.models import Followup, FollowupComment
from scrm.groups.models import GroupChat, GroupMember
from scrm.inbox.models import InboxEvent
from scrm.jobs.models import Job
from scrm.library import service as library
from scrm.library.models import LibraryUse
from scrm.outbox.models import OutboxAttempt, OutboxCall
from scrm.routing.models import Assignment
from scrm.tags.models import ContactTag
from scrm.tasks.models import Task
from scrm.timeline.models import TimelineEntry

SETTING = "demo"
ACTOR = "demo"
QR_PATH = "/sandbox/qr/"
# What customers bring, in an order that foreign keys allow to delete.
ABOUT_CUSTOMERS: Sequence[type[Base]] = (
    LibraryUse,
    OutboxAttempt,
    OutboxCall,
    InboxEvent,
    TimelineEntry,
    Task,
    FollowupComment,
    Followup,
    Assignment,
    ContactTag,
    GroupMember,
    GroupChat,
    Scan,
    Relation,
    ContactIdentity,
    Contact,
    Job,
    IdempotencyKey,
)


def ensure_seeded(database: Database, config: Config, *, now: datetime, tz: tzinfo) -> bool:
    """The company is in the database. Whether it was put there now: a second call does nothing."""
    if require_ours(database):
        return False
    with database.write() as session:
        _write(session, config, now=now, tz=tz)
    return True


def require_ours(database: Database) -> bool:
    """Whether the company is in the database. Raises CannotStart where other contacts are."""
    with database.read() as session:
        if accounts.get_setting(session, SETTING) is not None:
            return True
        if session.scalar(select(func.count()).select_from(Contact)):
            raise CannotStart(
                "数据库里已有别的数据，演示不会改动它。请换一个目录或数据库，或先移走 var/demo.db。"
            )
    return False


def _write(session: Session, config: Config, *, now: datetime, tz: tzinfo) -> None:
    from bot.demo import company, files, shelf, world  # noqa: PLC0415 - only the first start needs them

    stored = {
        file.key: channel_media.store_media(
            session, kind=file.kind, filename=file.filename, content=file.content, now=now
        ).id
        for file in files.make_files()
    }
    corp = {
        "corp_id": config.wecom.corp_id,
        "agent_id": config.wecom.agent_id,
        "base_url": config.app.base_url,
    }
    sandbox_url = config.wecom.api_base.removesuffix("/qyapi")
    uploads = session.scalar(select(func.max(OutboxCall.id))) or 0
    made = world.make_world(
        now=now, tz=tz, media=stored, corp=corp, sandbox_url=sandbox_url, after_call=uploads
    )
    for model in Base.metadata.sorted_tables:
        rows = next(
            (rows for known, rows in made.rows.items() if cast(Table, known.__table__) is model), None
        )
        if rows:
            session.execute(insert(model), rows)
            if model.autoincrement_column is not None:
                count_on(session.connection(), model)
    shelf.stock(session, stored, now=now, tz=tz)
    channels.set_default_welcome(session, company.DEFAULT_WELCOME, actor=ACTOR, now=now)
    chosen = {"seeded_at": now.isoformat(), "platform_only": made.platform_only}
    accounts.set_setting(session, SETTING, chosen, actor=ACTOR, now=now)


def world_of(database: Database) -> str:
    """Names the made-up world in this database, wherever it was moved to; empty for none."""
    with database.read() as session:
        chosen: dict[str, Any] = accounts.get_setting(session, SETTING, {})
    return "".join(digit for digit in str(chosen.get("seeded_at", "")) if digit.isdigit())


def fill_sandbox(database: Database, sandbox: Sandbox, *, now: datetime) -> bool:
    """The sandbox knows the company as the database does, if it did not know it before. Whether it was told now."""
    with database.read() as session:
        codes = list(session.scalars(select(ChannelCode.config_id).where(ChannelCode.config_id.is_not(None))))
        known = {way["config_id"] for way in sandbox.call("GET", "/ways")["items"]}
        if codes and known.issuperset(codes):
            return False
        setting = accounts.get_setting(session, SETTING, {})
        body = platform.describe(session, setting.get("platform_only", []), now=now)
    sandbox.call("POST", "/load", body)
    return True


def catch_up(database: Database, sandbox_url: str, *, now: datetime, tz: tzinfo) -> None:
    """What fell due while nobody ran: QR addresses after a change of port, members on shift, media near their end."""
    with database.write() as session:
        for code in session.scalars(select(ChannelCode).where(ChannelCode.qr_url.contains(QR_PATH))):
            wanted = f"{sandbox_url}{QR_PATH}{str(code.qr_url).partition(QR_PATH)[2]}"
            if code.qr_url != wanted:
                code.qr_url = wanted
        channels.keep_codes_right(session, now=now, tz=tz)
        channel_media.renew_media(session, now=now)
        library.renew_media(session, now=now)


def empty(database: Database, *, now: datetime) -> int:
    """No customer and nothing about one is left; staff, tags, channels and settings stay. How many there were."""
    from bot.demo import shelf  # noqa: PLC0415 - only this needs it

    with database.write() as session:
        setting: dict[str, Any] | None = accounts.get_setting(session, SETTING)
        if setting is None:
            raise CannotStart("这不是演示数据库，不会清空。")
        count = session.scalar(select(func.count()).select_from(Contact)) or 0
        for model in ABOUT_CUSTOMERS:
            session.execute(delete(model))
        shelf.forget_uses(session)
        kept = {**setting, "platform_only": [], "emptied_at": now.isoformat()}
        accounts.set_setting(session, SETTING, kept, actor=ACTOR, now=now)
    return count
