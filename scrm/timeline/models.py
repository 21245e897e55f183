"""Table ``timeline_entry``. Appended to by every process through ``timeline.service.append``; never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from scrm.db import Base
from scrm.dialects import BigId, UtcDateTime
from scrm.ids import ID_LENGTH


class TimelineEntry(Base):
    """One touch of a contact, or of a member with the app (``staff_id``).

    ``kind`` is ``noun.verb_past``; ``detail`` holds what the sentence about it needs.
    """

    __tablename__ = "timeline_entry"
    __table_args__ = (
        Index("ix_timeline_contact", "contact_id", "at", "id"),
        Index("ix_timeline_staff", "staff_id", "at", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    contact_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    staff_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(48))
    actor: Mapped[str] = mapped_column(String(128), default="system")
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    effect_key: Mapped[str | None] = mapped_column(String(160), unique=True)
