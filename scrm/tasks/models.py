"""Table ``task``. Written by ``tasks.service`` only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from scrm.db import Base, enum_type, id_column
from scrm.dialects import UtcDateTime


class TaskState(StrEnum):
    """Where a task stands."""

    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"


class TaskSource(StrEnum):
    """Where a task comes from."""

    OWN = "own"  # the member's own
    FOLLOWUP = "followup"  # the next step of a follow-up
    MANAGER = "manager"  # given by somebody else
    SOP = "sop"


class Task(Base):
    """One thing for one member to do for one contact. ``content``: messages ready to send, in order.

    A message is ``{"kind": "text", "text": …}`` or ``{"kind": "material", "material_id": …}``. ``key`` makes a second
    task of the same origin nothing.
    """

    __tablename__ = "task"
    __table_args__ = (
        Index("ix_task_staff", "staff_id", "state", "due_at", "id"),
        Index("ix_task_contact", "contact_id", "state", "due_at", "id"),
        Index("ix_task_state", "state", "id"),
    )

    id: Mapped[str] = id_column()
    contact_id: Mapped[str] = mapped_column(ForeignKey("contact.id"))
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.id"))
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[TaskState] = mapped_column(enum_type(TaskState), default=TaskState.OPEN)
    source: Mapped[TaskSource] = mapped_column(enum_type(TaskSource))
    key: Mapped[str | None] = mapped_column(String(80), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(128), default="system")
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_by: Mapped[str | None] = mapped_column(String(128))
