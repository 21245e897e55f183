"""Tables ``followup``, ``followup_comment``. Written by ``followups.service`` only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from scrm.db import Base, enum_type, id_column
from scrm.dialects import UtcDateTime


class FollowupKind(StrEnum):
    """What a rep did."""

    NOTE = "note"
    CALL = "call"
    VISIT = "visit"


class Followup(Base):
    """One touch a rep wrote down."""

    __tablename__ = "followup"
    __table_args__ = (
        Index("ix_followup_at", "at", "id"),
        Index("ix_followup_staff", "staff_id", "at", "id"),
        Index("ix_followup_contact", "contact_id", "at", "id"),
        Index("ix_followup_next", "next_at"),
    )

    id: Mapped[str] = id_column()
    contact_id: Mapped[str] = mapped_column(ForeignKey("contact.id"))
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id"))
    kind: Mapped[FollowupKind] = mapped_column(enum_type(FollowupKind))
    content: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_step: Mapped[str | None] = mapped_column(String(200))
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(128), default="system")


class FollowupComment(Base):
    """What a manager says to the rep about a follow-up."""

    __tablename__ = "followup_comment"
    __table_args__ = (
        Index("ix_followup_comment_followup", "followup_id", "at"),
        Index("ix_followup_comment_contact", "contact_id"),
    )

    id: Mapped[str] = id_column()
    followup_id: Mapped[str] = mapped_column(ForeignKey("followup.id"))
    contact_id: Mapped[str] = mapped_column(ForeignKey("contact.id"))
    author: Mapped[str] = mapped_column(String(128))
    author_name: Mapped[str] = mapped_column(String(128))
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
