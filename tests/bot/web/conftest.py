"""The pages on a real database: a rep, a customer of theirs, and a browser that follows redirects and keeps cookies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from bot.app import Product, build, create_app
from bot.web.links import Links
from scrm import seal
from scrm.accounts.models import Staff
from scrm.channels.models import Channel
from scrm.contacts.models import Contact, Relation, RelationState
from scrm.followups.models import Followup, FollowupKind
from scrm.routing.models import Assignment
from scrm.tags.models import ContactTag, Tag, TagGroup, TagSource
from scrm.timeline import service as timeline
from tests.stand import config_for


class Desk:
    """王敏's phone. ``now`` may be moved."""

    def __init__(self, database_url: str, now: datetime) -> None:
        self.now = now
        config = config_for(database_url, 8000, "http://127.0.0.1:9100")
        self.product: Product = build(config, clock=lambda: self.now)
        self.app = create_app(self.product)
        self.client: FlaskClient = self.app.test_client()
        self.rep = self.staff("wangmin", "王敏")
        self.channel = self.add(
            Channel(name="上海展会", created_at=now, welcomes=[], schedule=[], kind="wecom")
        )
        self.contact = self.customer("李雷", channel=self.channel)

    # --- rows

    def add(self, row: Any) -> Any:
        with self.product.database.write() as session:
            session.add(row)
            session.flush()
            session.expunge(row)
        return row

    def staff(self, userid: str, name: str, **more: Any) -> Staff:
        return self.add(Staff(userid=userid, name=name, updated_at=self.now, **more))

    def customer(self, name: str, *, channel: Channel | None = None, **more: Any) -> Contact:
        """A contact who added the rep ten minutes ago."""
        at = self.now - timedelta(minutes=10)
        contact = self.add(
            Contact(
                name=name,
                created_at=at,
                owner_id=self.rep.id,
                first_channel_id=channel.id if channel else None,
                **{"phone": "13812345678", "corp_name": "上海远航物流有限公司", **more},
            )
        )
        self.relate(contact, self.rep, at=at, channel_id=channel.id if channel else None)
        self.add(
            Assignment(
                contact_id=contact.id,
                staff_id=self.rep.id,
                at=at,
                reason="scanned_code" if channel else "added_directly",
                detail={"staff": self.rep.name, "channel": channel.name if channel else ""},
            )
        )
        return contact

    def relate(self, contact: Contact, staff: Staff, *, at: datetime | None = None, **more: Any) -> Relation:
        at = at or self.now
        fields = {"state": RelationState.ACTIVE, "event_at": at, "added_at": at, **more}
        return self.add(Relation(contact_id=contact.id, staff_id=staff.id, **fields))

    def tag(self, contact: Contact, name: str, group: str = "来源", **more: Any) -> None:
        made = self.add(TagGroup(name=group))
        tag = self.add(Tag(group_id=made.id, name=name))
        fields = {"source": TagSource.CHANNEL, "source_ref": self.channel.id, "set_at": self.now, **more}
        fields["contact_at"] = contact.created_at
        self.add(ContactTag(contact_id=contact.id, tag_id=tag.id, staff_id=self.rep.id, **fields))

    def happened(
        self, kind: str, /, *, at: datetime | None = None, actor: str = "system", **detail: Any
    ) -> None:
        with self.product.database.write() as session:
            timeline.append(session, self.contact.id, kind, at=at or self.now, actor=actor, detail=detail)

    def followed(self, content: str, *, at: datetime | None = None, **more: Any) -> None:
        at = at or self.now
        fields = {"staff_id": self.rep.id, "kind": FollowupKind.NOTE, "at": at, "created_at": at, **more}
        self.add(Followup(contact_id=self.contact.id, content=content, **fields))

    def followups(self) -> list[Followup]:
        with self.product.database.read() as session:
            return list(session.query(Followup).order_by(Followup.id))

    # --- looking

    def product_links(self) -> Links:
        return Links(self.product.config.app.secret_key.get_secret_value())

    @staticmethod
    def found(pattern: str, text: str) -> list[str]:
        return re.findall(pattern, text)

    @staticmethod
    def without(text: str, *words: str) -> str:
        return re.sub("|".join(words), "", text)

    @property
    def path(self) -> str:
        return f"/sidebar/contacts/{self.contact.id}"

    def link(self, contact: Contact | None = None, userid: str = "wangmin") -> str:
        """The link of the app message, as the handler makes it."""
        whole = self.product.corp.profile_url((contact or self.contact).id, userid, now=self.now)
        parts = urlsplit(whole)
        return f"{parts.path}?{parts.query}"

    def get(self, path: str = "", **more: Any) -> TestResponse:
        headers = {"Accept-Language": "zh-CN", **more.pop("headers", {})}
        return self.client.get(path or self.path, headers=headers, **more)

    def open(self) -> TestResponse:
        """Tap the link and see the profile."""
        return self.get(self.link(), follow_redirects=True)

    def form(self, page: TestResponse, **fields: str) -> dict[str, str]:
        found = re.search(r'name="form" value="([^"]+)"', page.text)
        assert found is not None, page.text
        return {"form": found[1], "kind": "note", "content": "聊了报价", "next": "none", **fields}

    def post(self, data: dict[str, str], **more: Any) -> TestResponse:
        headers = {"Accept-Language": "zh-CN", **more.pop("headers", {})}
        return self.client.post(f"{self.path}/followups", data=data, headers=headers, **more)

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """The statements of the block, without those that begin and end transactions."""
        seen: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if not statement.startswith(("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")):
                seen.append(statement)

        event.listen(self.product.database.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(self.product.database.engine, "before_cursor_execute", note)


@pytest.fixture
def desk(database_url: str, now: datetime, keyring: seal.Keyring) -> Iterator[Desk]:
    made = Desk(database_url, now)
    yield made
    made.product.database.dispose()
    seal.use(keyring)
