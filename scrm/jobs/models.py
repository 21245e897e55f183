"""Table ``job``. Written by ``jobs.service`` and by the worker that runs the job."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from scrm.db import Base, enum_type
from scrm.dialects import UtcDateTime
from scrm.leases import Leased


class JobState(StrEnum):
    """Where a job stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(Leased, Base):
    """One run. ``cursor`` is where to go on after a crash; ``report`` is what it found, for people."""

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_due", "state", "priority", "available_at", "id"),
        Index("ix_job_lane", "lane", "state", "id"),
    )

    kind: Mapped[str] = mapped_column(String(48))
    state: Mapped[JobState] = mapped_column(enum_type(JobState), default=JobState.PENDING)
    params: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    cursor: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    done: Mapped[int] = mapped_column(Integer, default=0)
    total: Mapped[int | None] = mapped_column(Integer)
    report: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    error: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[str] = mapped_column(String(128), default="system")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
