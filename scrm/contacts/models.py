"""Tables ``contact``, ``contact_identity``, ``relation``. Written by ``contacts.service`` only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from scrm.db import Base, enum_type, id_column
from scrm.dialects import UtcDateTime
from scrm.ids import ID_LENGTH
from scrm.seal import Sealed
from scrm.spelling import INITIALS_LENGTH, PINYIN_LENGTH, spell

# For beginnings of names: PostgreSQL orders an index by the database's collation unless told to go by bytes.
BY_BYTES = "varchar_pattern_ops"


class Stage(StrEnum):
    """Where a contact stands in the lifecycle; who may move it is decided in a later issue."""

    LEAD = "lead"
    MQL = "mql"
    SAL = "sal"
    SQL = "sql"
    OPPORTUNITY = "opportunity"
    CUSTOMER = "customer"
    LOST = "lost"


class IdentityKind(StrEnum):
    """By what the outside knows a contact."""

    WECOM = "wecom_external_userid"
    UNIONID = "unionid"
    PHONE = "phone"
    OPENID = "openid"


class Contact(Base):
    """A person. ``first_channel_id`` is the first source and never changes; later scans are rows of their own."""

    __tablename__ = "contact"
    __table_args__ = (
        Index(
            "ix_contact_created_by", "created_at", "id", "owner_id"
        ),  # new contacts by owner, from it alone
        Index("ix_contact_owner", "owner_id", "created_at", "id"),
        Index("ix_contact_channel", "first_channel_id", "created_at", "id"),
        Index("ix_contact_stage", "stage", "created_at", "id"),
        Index("ix_contact_name", "name", postgresql_ops={"name": BY_BYTES}),
        Index("ix_contact_phone", "phone_index"),
        Index("ix_contact_pinyin", "pinyin", postgresql_ops={"pinyin": BY_BYTES}),
        Index("ix_contact_initials", "initials", postgresql_ops={"initials": BY_BYTES}),
    )

    id: Mapped[str] = id_column()
    name: Mapped[str] = mapped_column(String(128), default="")
    pinyin: Mapped[str | None] = mapped_column(String(PINYIN_LENGTH))  # of the name: see ``spelling``
    initials: Mapped[str | None] = mapped_column(String(INITIALS_LENGTH))
    avatar: Mapped[str | None] = mapped_column(String(512))
    gender: Mapped[int] = mapped_column(Integer, default=0)
    wechat_type: Mapped[int] = mapped_column(Integer, default=1)  # 1 WeChat user, 2 WeCom user
    corp_name: Mapped[str | None] = mapped_column(String(128))
    phone: Mapped[str | None] = mapped_column(Sealed("contact.phone"))
    phone_index: Mapped[str | None] = mapped_column(String(64))
    stage: Mapped[Stage] = mapped_column(enum_type(Stage), default=Stage.LEAD)
    owner_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    first_channel_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    first_source_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lost_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # since when no relation is left
    profile_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the platform was last read
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @validates("name")
    def _spell(self, _key: str, name: str) -> str:
        self.pinyin, self.initials = spell(name)
        return name


class ContactIdentity(Base):
    """A name the outside knows the contact by; one identity belongs to one contact."""

    __tablename__ = "contact_identity"
    __table_args__ = (UniqueConstraint("kind", "value"), Index("ix_identity_contact", "contact_id"))

    id: Mapped[str] = id_column()
    contact_id: Mapped[str] = mapped_column(ForeignKey("contact.id"))
    kind: Mapped[IdentityKind] = mapped_column(enum_type(IdentityKind, 32))
    value: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    contact: Mapped[Contact] = relationship(lazy="raise")  # so that a flush inserts the contact first


class RelationState(StrEnum):
    """How a pair stands; an ended one may become active again."""

    HALF = "half"  # the contact added, the member has not confirmed
    ACTIVE = "active"
    LOST = "lost"  # the contact deleted the member
    REMOVED = "removed"  # the member deleted the contact
    TRANSFERRED = "transferred"  # handed over to another member


class Relation(Base):
    """One (staff, contact) pair. ``event_at`` guards it: an event older than it never changes the state."""

    __tablename__ = "relation"
    __table_args__ = (
        UniqueConstraint("contact_id", "staff_id"),
        Index("ix_relation_staff", "staff_id", "state", "added_at"),
        Index("ix_relation_channel", "channel_id", "added_at"),
        Index("ix_relation_lost", "channel_id", "lost_at"),
        Index("ix_relation_lost_at", "lost_at", "contact_id"),
        Index("ix_relation_remark", "remark", "contact_id", postgresql_ops={"remark": BY_BYTES}),
    )

    id: Mapped[str] = id_column()
    contact_id: Mapped[str] = mapped_column(ForeignKey("contact.id"))
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id"))
    state: Mapped[RelationState] = mapped_column(enum_type(RelationState), default=RelationState.ACTIVE)
    event_at: Mapped[datetime] = mapped_column(UtcDateTime)
    added_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lost_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    regained: Mapped[int] = mapped_column(Integer, default=0)
    channel_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    way_state: Mapped[str | None] = mapped_column(String(64))
    add_way: Mapped[int | None] = mapped_column(Integer)
    remark: Mapped[str | None] = mapped_column(String(128))
    description: Mapped[str | None] = mapped_column(Text)
    notice_owed: Mapped[bool] = mapped_column(
        Boolean, default=False
    )  # the rep is told once the name is known
    first_response_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    contact: Mapped[Contact] = relationship(lazy="raise")  # so that a flush inserts the contact first
