"""Table ``assignment``, append-only. Written by ``routing.service`` only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from scrm.contacts.models import Contact
from scrm.db import Base, id_column
from scrm.dialects import UtcDateTime


class Assignment(Base):
    """One decision who owns a contact. ``reason`` is a code, ``detail`` what its sentence needs."""

    __tablename__ = "assignment"
    __table_args__ = (
        Index("ix_assignment_contact", "contact_id", "at"),
        Index("ix_assignment_staff", "staff_id", "at"),
    )

    id: Mapped[str] = id_column()
    contact_id: Mapped[str] = mapped_column(ForeignKey("contact.id"))
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(String(32))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    actor: Mapped[str] = mapped_column(String(128), default="system")

    contact: Mapped[Contact] = relationship(lazy="raise")  # so that a flush inserts the contact first
