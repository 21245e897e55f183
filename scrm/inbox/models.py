"""Table ``inbox``. Written by ``scrm.inbox.service`` only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from scrm.db import Base, enum_type
from scrm.dialects import UtcDateTime
from scrm.leases import Leased
from scrm.seal import Sealed


class EventState(StrEnum):
    """Where an event stands; ``ignored`` is known to nobody, ``quarantined`` had a wrong timestamp."""

    PENDING = "pending"
    LEASED = "leased"
    DONE = "done"
    IGNORED = "ignored"
    DEAD = "dead"
    QUARANTINED = "quarantined"


class InboxEvent(Leased, Base):
    """One thing that happened. ``dedupe_key`` is the sha256 of the decrypted text (of the call, for answers)."""

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("source", "dedupe_key"),
        Index("ix_inbox_due", "state", "priority", "available_at", "id"),
        Index("ix_inbox_lane", "lane", "state", "id"),
        Index("ix_inbox_kind", "kind", "id"),
        Index("ix_inbox_received", "received_at"),
    )

    source: Mapped[str] = mapped_column(String(64))
    dedupe_key: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(96))
    state: Mapped[EventState] = mapped_column(enum_type(EventState), default=EventState.PENDING)
    payload: Mapped[str | None] = mapped_column(Sealed("inbox.payload"))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    request_id: Mapped[str | None] = mapped_column(String(40))
    caused_by_call: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(Text)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
