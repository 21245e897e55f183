"""Reads of follow-ups: one contact's, and the manager's log over all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from scrm.followups.models import Followup, FollowupKind
from scrm.tasks.models import Task, TaskSource, TaskState


def list_followups(
    session: Session,
    *,
    before: tuple[datetime, str] | None = None,
    limit: int = 50,
    staff_id: str | None = None,
    contact_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    kinds: Sequence[FollowupKind] = (),
) -> list[Followup]:
    """Newest first, at most ``limit``; ``before`` is (at, id) of the last one of the page before.

    ``since`` is included, ``until`` is not.
    """
    query = select(Followup).order_by(Followup.at.desc(), Followup.id.desc()).limit(limit)
    query = query.where(*_asked(staff_id, contact_id, since, until, kinds))
    if before is not None:
        at, followup_id = before
        # `<= at` alone can be sought in the index; without it each page would walk there from the newest row.
        query = query.where(Followup.at <= at, or_(Followup.at < at, Followup.id < followup_id))
    return list(session.scalars(query))


def closed_with(session: Session, followup: Followup, *, limit: int = 50) -> list[Task]:
    """The tasks that writing this follow-up closed, and nobody has opened again."""
    query = select(Task).where(
        Task.contact_id == followup.contact_id,
        Task.state == TaskState.DONE,
        Task.staff_id == followup.staff_id,
        Task.source == TaskSource.FOLLOWUP,
        Task.closed_at == followup.created_at,
    )
    return list(session.scalars(query.order_by(Task.due_at, Task.id).limit(limit)))


def count_followups(
    session: Session,
    *,
    most: int,
    staff_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    kinds: Sequence[FollowupKind] = (),
) -> int:
    """How many ``list_followups`` would list, counted up to ``most``."""
    found = select(Followup.id).where(*_asked(staff_id, None, since, until, kinds)).limit(most)
    return session.scalar(select(func.count()).select_from(found.subquery())) or 0


def _asked(
    staff_id: str | None,
    contact_id: str | None,
    since: datetime | None,
    until: datetime | None,
    kinds: Sequence[FollowupKind],
) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if staff_id is not None:
        found.append(Followup.staff_id == staff_id)
    if contact_id is not None:
        found.append(Followup.contact_id == contact_id)
    if since is not None:
        found.append(Followup.at >= since)
    if until is not None:
        found.append(Followup.at < until)
    if kinds:
        found.append(Followup.kind.in_(kinds))
    return found
