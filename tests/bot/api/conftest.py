"""The API on a real database: a client per role, a settable clock, and small makers of rows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from bot.api.app import create_api_app
from handlers.context import Corp
from scrm.accounts import tokens
from scrm.accounts.models import Department, Staff, StaffDepartment
from scrm.channels.models import Channel, ChannelCode
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind, Relation
from scrm.db import Database
from scrm.tags.models import ContactTag, Tag, TagGroup, TagSource

TZ = ZoneInfo("Asia/Shanghai")
CORP = Corp(TZ, 1000002, "https://crm.example.com")


@dataclass
class World:
    """The running API and what a test needs to drive it."""

    database: Database
    now: datetime
    wakes: int = 0
    client: FlaskClient = None  # type: ignore[assignment]
    tokens: dict[str, str] = field(default_factory=dict)

    def wake(self) -> None:
        self.wakes += 1

    def call(
        self, method: str, path: str, body: Any = None, *, role: str | None = "admin", **more: Any
    ) -> TestResponse:
        headers = dict(more.pop("headers", {}))
        if role is not None:
            headers.setdefault("Authorization", f"Bearer {self.tokens[role]}")
        if body is not None:
            more["data"], more["content_type"] = json.dumps(body), "application/json"
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.call("POST", path, body, **more)

    def all(self, path: str) -> list[dict[str, Any]]:
        items, cursor, sep = [], None, "&" if "?" in path else "?"
        while True:
            page = self.get(path + (f"{sep}cursor={cursor}" if cursor else "")).json
            items += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return items

    def count(self, model: type) -> int:
        with self.database.read() as session:
            return session.query(model).count()


@pytest.fixture
def world(database: Database, now: datetime) -> World:
    made = World(database, now)
    app = create_api_app(database, clock=lambda: made.now, wake=made.wake, corp=CORP)
    made.client = app.test_client()
    with database.write() as session:
        for role in tokens.ROLES:
            _, made.tokens[role] = tokens.create_token(
                session, name=role, role=role, ttl=timedelta(days=30), now=now
            )
    return made


@pytest.fixture
def make(world: World) -> Maker:
    return Maker(world)


class Maker:
    """Rows as other slices would have written them."""

    def __init__(self, world: World) -> None:
        self.world = world

    def _add(self, *rows: Any) -> None:
        with self.world.database.write() as session:
            for row in rows:
                session.add(row)
                session.flush()

    def staff(self, userid: str = "wangmin", name: str = "王敏", **more: Any) -> Staff:
        row = Staff(userid=userid, name=name, updated_at=self.world.now, **more)
        self._add(row)
        return row

    def department(self, number: int, name: str, *members: Staff) -> None:
        links = [StaffDepartment(staff_id=one.id, department_id=number) for one in members]
        self._add(Department(id=number, name=name), *links)

    def channel(self, name: str = "上海展会", *, ready: bool = True, **more: Any) -> Channel:
        channel = Channel(name=name, created_at=self.world.now, **{"welcomes": [], "schedule": [], **more})
        self._add(channel)
        qr = (
            {"config_id": f"cfg-{channel.id}", "qr_url": f"https://wework.qpic.cn/{channel.id}"}
            if ready
            else {}
        )
        self._add(
            ChannelCode(channel_id=channel.id, state=f"ch_{channel.id}", updated_at=self.world.now, **qr)
        )
        return channel

    def tag(self, name: str = "展会", group: str = "来源") -> Tag:
        with self.world.database.write() as session:
            row = session.query(TagGroup).filter_by(name=group).one_or_none()
            if row is None:
                row = TagGroup(name=group, wecom_id=f"etg-{group}")
                session.add(row)
                session.flush()
            tag = Tag(group_id=row.id, name=name, wecom_id=f"et-{group}-{name}")
            session.add(tag)
            session.flush()
            session.expunge(tag)
        return tag

    def contact(
        self,
        name: str = "李雷",
        *,
        staff: Staff | None = None,
        tags: tuple[Tag, ...] = (),
        external: str | None = None,
        minutes_ago: int = 0,
        **more: Any,
    ) -> Contact:
        at = self.world.now - timedelta(minutes=minutes_ago)
        if staff is not None:
            more.setdefault("owner_id", staff.id)
        contact = Contact(name=name, created_at=at, **more)
        self._add(contact)
        if external:
            self._add(
                ContactIdentity(contact_id=contact.id, kind=IdentityKind.WECOM, value=external, created_at=at)
            )
        if staff is not None:
            self._add(Relation(contact_id=contact.id, staff_id=staff.id, event_at=at, added_at=at))
        for tag in tags:
            self._add(
                ContactTag(
                    contact_id=contact.id,
                    tag_id=tag.id,
                    staff_id=staff.id,
                    source=TagSource.CHANNEL,
                    set_at=at,
                    contact_at=at,
                )
            )
        return contact

    def rows(self, *rows: Any) -> None:
        self._add(*rows)


def session_of(world: World) -> Session:
    return Session(world.database.engine, expire_on_commit=False)
