"""Tables ``outbox`` and ``outbox_attempt``. Written by ``scrm.outbox.service`` only.

The state machine (every edge is a compare-and-set on state and lease token)::

    pending --claim, attempt row committed--> sending
    sending --errcode 0---------------------> sent
    sending --definite refusal--------------> pending (later) | failed
    sending --outcome unknown, lease over---> unknown
    unknown --repeatable, window open-------> sending (same bytes)
    unknown --answered by looking it up-----> sent | pending
    unknown --no way to find out------------> stays unknown, for a person to decide
    unknown --welcome code dead, asked------> sent (41051: it was used) | expired (41050: it was not)
    pending --deadline passed---------------> expired
    pending --no longer needed--------------> skipped (reason)
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Boolean, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from scrm.db import Base, enum_type
from scrm.dialects import BigId, UtcDateTime
from scrm.ids import ID_LENGTH
from scrm.leases import Leased
from scrm.seal import Sealed, SealedJson


class CallState(StrEnum):
    """Where a call stands; see the state machine above."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    SKIPPED = "skipped"


TERMINAL = (CallState.SENT, CallState.FAILED, CallState.EXPIRED, CallState.SKIPPED)


class Recovery(StrEnum):
    """What may be done when nobody knows whether a call took effect."""

    REPEAT = "repeat"  # the platform's state is the same after a second call
    WINDOW = "window"  # the platform drops an identical second call for a while (repeat_until)
    LOOKUP = "lookup"  # ask the platform whether it happened, then decide
    OPERATOR = "operator"  # only a person can tell


class OutboxCall(Leased, Base):
    """One logical effect on the platform. ``effect_key`` makes it unique, whatever caused it and however often."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_due", "state", "priority", "available_at", "id"),
        Index("ix_outbox_lane", "lane", "state", "id"),
        Index("ix_outbox_contact", "contact_id", "id"),
        Index("ix_outbox_api", "api", "id"),
        Index("ix_outbox_cause", "caused_by"),
    )

    effect_key: Mapped[str] = mapped_column(String(160), unique=True)
    api: Mapped[str] = mapped_column(String(64))
    command_kind: Mapped[str] = mapped_column(String(48))
    command: Mapped[dict[str, Any]] = mapped_column(SealedJson("outbox.command"))
    request: Mapped[str | None] = mapped_column(Sealed("outbox.request"))
    state: Mapped[CallState] = mapped_column(enum_type(CallState), default=CallState.PENDING)
    recovery: Mapped[Recovery] = mapped_column(enum_type(Recovery), default=Recovery.OPERATOR)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    repeat_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempt_limit: Mapped[int] = mapped_column(Integer, default=8)
    uncertain: Mapped[bool] = mapped_column(
        Boolean, default=False
    )  # an earlier attempt may have taken effect
    errcode: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str | None] = mapped_column(Text)
    contact_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    caused_by: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OutboxAttempt(Base):
    """One time we opened a socket for a call; inserted before it opens, completed once, never changed again."""

    __tablename__ = "outbox_attempt"

    outbox_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    errcode: Mapped[int | None] = mapped_column(Integer)
    http_status: Mapped[int | None] = mapped_column(Integer)
    bytes_sent: Mapped[bool | None] = mapped_column(Boolean)
    error: Mapped[str | None] = mapped_column(Text)
