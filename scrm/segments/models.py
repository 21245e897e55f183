"""Table ``segment``. Written by ``segments.service`` only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from scrm.db import Base, id_column
from scrm.dialects import UtcDateTime


class Segment(Base):
    """A filter under a name; everybody sees a shared one, each through their own reach.

    ``query`` is what the address of the list says: parameter → values.
    """

    __tablename__ = "segment"
    __table_args__ = (Index("ix_segment_account", "account_id", "position"),)

    id: Mapped[str] = id_column()
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    name: Mapped[str] = mapped_column(String(64))
    is_shared: Mapped[bool] = mapped_column(Boolean, default=False)
    query: Mapped[dict[str, Any]] = mapped_column(JSON)
    position: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
