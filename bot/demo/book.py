"""The rows of the made-up world, collected by table; ids and names at hand. Knows no database."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from bot.demo import company, ids
from scrm.accounts.models import Department, Staff, StaffDepartment, StaffStatus
from scrm.contacts.models import Contact
from scrm.db import Base
from scrm.routing.models import Assignment
from scrm.spelling import spell
from scrm.tags.models import ContactTag, Tag, TagGroup, TagSource
from scrm.timeline.models import TimelineEntry

Row = dict[str, Any]
MOST_ENTRIES = 40
FOUNDED = timedelta(days=400)  # when staff and tags came to be


class Book:
    """Collects rows. Everything drawn from chance comes from ``rng``, so a seed and an instant make one world."""

    def __init__(self, *, seed: int, now: datetime, tz: tzinfo) -> None:
        self.now = now
        self.tz = tz
        self.rng = random.Random(seed)  # noqa: S311 - a made-up world needs no secrecy
        self.ids = ids.Ids(self.rng)
        self.rows: dict[type[Base], list[Row]] = defaultdict(list)
        self.entries: Counter[str] = Counter()
        self.staff: dict[str, Row] = {}
        self.tags: dict[str, Row] = {}  # by ``组/名``
        self._pairs: set[tuple[str, str, str]] = set()
        self._found_company()

    def add(self, model: type[Base], **values: Any) -> Row:
        """Keep one row."""
        self.rows[model].append(values)
        return values

    def new_id(self, at: datetime) -> str:
        return self.ids.ulid(at)

    def _found_company(self) -> None:
        born = self.now - FOUNDED
        for number, name, parent, position in company.DEPARTMENTS:
            self.add(Department, id=number, name=name, parent_id=parent, position=position)
        for member in company.STAFF:
            row = self.add(
                Staff,
                id=self.new_id(born),
                userid=member.userid,
                name=member.name,
                position=member.position,
                status=StaffStatus.ACTIVE,
                serves=True,
                on_leave=member.on_leave,
                updated_at=self.now,
            )
            self.staff[member.userid] = row
            for number, leads in member.departments.items():
                self.add(StaffDepartment, staff_id=row["id"], department_id=number, is_leader=leads)
        for place, (group, names) in enumerate(company.TAG_GROUPS):
            self._add_tags(born, group, names, position=100 - place * 10)

    def _add_tags(self, born: datetime, group: str, names: tuple[str, ...], *, position: int) -> None:
        group_row = self.add(
            TagGroup,
            id=self.new_id(born),
            wecom_id=ids.platform_id("et", group),
            name=group,
            position=position,
            deleted_at=None,
        )
        for place, name in enumerate(names):
            self.tags[f"{group}/{name}"] = self.add(
                Tag,
                id=self.new_id(born),
                group_id=group_row["id"],
                wecom_id=ids.platform_id("et", f"{group}/{name}"),
                name=name,
                position=100 - place * 10,
                deleted_at=None,
            )

    def has_room(self, contact: Row) -> bool:
        """Whether the contact's timeline may still grow."""
        return self.entries[contact["id"]] < MOST_ENTRIES

    def tell(
        self,
        contact: Row,
        kind: str,
        at: datetime,
        *,
        actor: str = "system",
        detail: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> None:
        """One entry on the contact's timeline."""
        self.entries[contact["id"]] += 1
        self.add(
            TimelineEntry,
            contact_id=contact["id"],
            staff_id=None,
            at=at,
            kind=kind,
            actor=actor,
            detail=dict(detail or {}),
            effect_key=key,
        )

    def own(
        self,
        contact: Row,
        member: Row,
        at: datetime,
        reason: str,
        detail: Mapping[str, Any] | None = None,
        *,
        actor: str = "system",
    ) -> None:
        """The contact belongs to the member, for a reason."""
        contact["owner_id"] = member["id"]
        said = {"staff": member["name"], **(detail or {})}
        row = self.add(
            Assignment,
            id=self.new_id(at),
            contact_id=contact["id"],
            staff_id=member["id"],
            at=at,
            reason=reason,
            detail=said,
            actor=actor,
        )
        said = {"reason": reason, **said}
        self.tell(contact, "owner.assigned", at, actor=actor, detail=said, key=f"owner:{row['id']}")

    def tag(
        self,
        contact: Row,
        member: Row,
        names: list[str],
        at: datetime,
        source: TagSource,
        source_ref: str | None = None,
    ) -> list[Row]:
        """Give the pair tags (``组/名``) it does not have yet; which."""
        given = []
        for name in names:
            pair = (contact["id"], member["id"], name)
            if pair in self._pairs:
                continue
            self._pairs.add(pair)
            given.append(self.tags[name])
            self.add(
                ContactTag,
                id=self.new_id(at),
                contact_id=contact["id"],
                tag_id=self.tags[name]["id"],
                staff_id=member["id"],
                source=source,
                source_ref=source_ref,
                set_at=at,
                contact_at=contact["created_at"],
            )
        if given:
            detail = {
                "staff_id": member["id"],
                "userid": member["userid"],
                "source": source.value,
                "tags": [tag["name"] for tag in given],
                "tag_ids": [tag["id"] for tag in given],
            }
            actor = f"staff:{member['userid']}" if source == TagSource.STAFF else "system"
            self.tell(contact, "tag.added", at, actor=actor, detail=detail)
        return given

    def new_contact(self, at: datetime, **known: Any) -> Row:
        """A contact; what is not known is empty."""
        pinyin, initials = spell(known.get("name", ""))
        blank: Row = {
            "pinyin": pinyin,
            "initials": initials,
            "avatar": None,
            "gender": 0,
            "wechat_type": 1,
            "corp_name": None,
            "phone": None,
            "phone_index": None,
            "stage": "lead",
            "owner_id": None,
            "first_channel_id": None,
            "first_source_at": None,
            "lost_at": None,
            "profile_at": None,
        }
        return self.add(Contact, id=self.new_id(at), created_at=at, **(blank | known))
