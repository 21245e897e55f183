"""Tables ``tag_group``, ``tag``, ``contact_tag``. Written by ``tags.service`` only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from scrm.db import Base, enum_type, id_column
from scrm.dialects import UtcDateTime
from scrm.ids import ID_LENGTH


class TagGroup(Base):
    """A corp tag group. ``wecom_id`` is None until WeCom has answered its creation."""

    __tablename__ = "tag_group"

    id: Mapped[str] = id_column()
    wecom_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    position: Mapped[int] = mapped_column(Integer, default=0)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Tag(Base):
    """A corp tag. A rename keeps the row; a deletion sets ``deleted_at`` so that history stays readable."""

    __tablename__ = "tag"
    __table_args__ = (Index("ix_tag_group", "group_id", "name"), Index("ix_tag_name", "name"))

    id: Mapped[str] = id_column()
    group_id: Mapped[str] = mapped_column(ForeignKey("tag_group.id"))
    wecom_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    position: Mapped[int] = mapped_column(Integer, default=0)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class TagSource(StrEnum):
    """Who or what set a tag."""

    CHANNEL = "channel"
    STAFF = "staff"  # a rep, in the WeCom client or the sidebar
    API = "api"
    RULE = "rule"
    SYNC = "sync"  # found on the platform; nobody knows who


class ContactTag(Base):
    """A tag on one (staff, contact) pair, as WeCom keeps it.

    ``contact_at`` is the contact's ``created_at``: so the index finds the newest contacts with a tag.
    """

    __tablename__ = "contact_tag"
    __table_args__ = (
        UniqueConstraint("contact_id", "tag_id", "staff_id"),
        Index("ix_contact_tag_tag", "tag_id", "contact_id"),
        Index("ix_contact_tag_recent", "tag_id", "contact_at", "contact_id"),
    )

    id: Mapped[str] = id_column()
    contact_id: Mapped[str] = mapped_column(ForeignKey("contact.id"))
    tag_id: Mapped[str] = mapped_column(ForeignKey("tag.id"))
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id"))
    source: Mapped[TagSource] = mapped_column(enum_type(TagSource))
    source_ref: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    set_at: Mapped[datetime] = mapped_column(UtcDateTime)
    contact_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
