"""Tables ``job`` and ``job_file``. Written by ``jobs.service``, ``jobs.files`` and by the worker that runs the job."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, deferred, mapped_column

from scrm.db import Base, enum_type
from scrm.dialects import BigId, UtcDateTime
from scrm.leases import Leased
from scrm.seal import SealedBytes


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


class FileKind(StrEnum):
    """What a file is to its job."""

    INPUT = "input"  # what was uploaded
    WORK = "work"  # what a run keeps for the next; goes when the job is done
    RESULT = "result"
    FAILED = "failed"  # the rows that could not be done, each with its reason


class JobFile(Base):
    """A piece of a job's file, sealed: it holds phone numbers. A job has one file of a kind: its pieces by ``n``."""

    __tablename__ = "job_file"
    __table_args__ = (UniqueConstraint("job_id", "kind", "n"), Index("ix_job_file_created", "created_at"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"))
    kind: Mapped[FileKind] = mapped_column(enum_type(FileKind))
    n: Mapped[int] = mapped_column(Integer)
    filename: Mapped[str] = mapped_column(String(200))
    content: Mapped[bytes] = deferred(mapped_column(SealedBytes("job_file.content"), nullable=False))
    size: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
