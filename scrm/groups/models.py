"""Tables ``group_chat``, ``group_member``. Written by ``groups.service`` from what WeCom says."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from scrm.db import Base, enum_type, id_column
from scrm.dialects import UtcDateTime


class MemberKind(StrEnum):
    """Who a member of a group is (externalcontact/groupchat/get, ``type`` 1 and 2)."""

    STAFF = "staff"
    CONTACT = "contact"


class GroupChat(Base):
    """A group chat of a member of the corp with customers. ``read_at``: as of when it is what the platform says."""

    __tablename__ = "group_chat"
    __table_args__ = (
        Index("ix_group_chat_owner", "owner_id", "opened_at", "id"),
        Index("ix_group_chat_opened", "opened_at", "id"),
    )

    id: Mapped[str] = id_column()
    chat_id: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(128), default="")
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("staff.id"))
    notice: Mapped[str | None] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    dismissed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    customers: Mapped[int] = mapped_column(Integer, default=0)
    colleagues: Mapped[int] = mapped_column(Integer, default=0)


class GroupMember(Base):
    """Somebody who is, or was (``left_at``), in a group. ``contact_id`` once we know the customer."""

    __tablename__ = "group_member"
    __table_args__ = (
        UniqueConstraint("group_id", "userid"),
        Index("ix_group_member_contact", "contact_id", "left_at"),
        Index("ix_group_member_staff", "staff_id", "left_at"),
        Index("ix_group_member_userid", "userid"),
    )

    id: Mapped[str] = id_column()
    group_id: Mapped[str] = mapped_column(ForeignKey("group_chat.id"))
    kind: Mapped[MemberKind] = mapped_column(enum_type(MemberKind))
    userid: Mapped[str] = mapped_column(String(64))  # a member's userid, or a customer's external_userid
    staff_id: Mapped[str | None] = mapped_column(ForeignKey("staff.id"))
    contact_id: Mapped[str | None] = mapped_column(ForeignKey("contact.id"))
    name: Mapped[str] = mapped_column(String(128), default="")
    joined_at: Mapped[datetime] = mapped_column(UtcDateTime)
    join_scene: Mapped[int] = mapped_column(Integer, default=1)  # 1, 2 invited, 3 by a group code
    invitor: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str | None] = mapped_column(String(64))  # of the group code
    left_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    quit_scene: Mapped[int | None] = mapped_column(Integer)  # 0 left, 1 was removed
