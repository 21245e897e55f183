"""Reads of tasks: a member's, a contact's, and those one is to be reminded of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from scrm.tasks.models import Task, TaskState

MOST_REMINDED = 5_000


@dataclass(frozen=True)
class TaskFilter:
    """Which tasks; None means any. ``due_from`` and ``closed_from`` are included, the ends are not."""

    staff_ids: Collection[str] | None = None
    contact_id: str | None = None
    state: TaskState | None = None
    due_from: datetime | None = None
    due_before: datetime | None = None
    closed_from: datetime | None = None
    closed_before: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What holds for such a task."""
        found: list[ColumnElement[bool]] = []
        if self.staff_ids is not None:
            found.append(Task.staff_id.in_(self.staff_ids))
        if self.contact_id is not None:
            found.append(Task.contact_id == self.contact_id)
        if self.state is not None:
            found.append(Task.state == self.state)
        if self.due_from is not None:
            found.append(Task.due_at >= self.due_from)
        if self.due_before is not None:
            found.append(Task.due_at < self.due_before)
        if self.closed_from is not None:
            found.append(Task.closed_at >= self.closed_from)
        if self.closed_before is not None:
            found.append(Task.closed_at < self.closed_before)
        return found


def list_tasks(
    session: Session, which: TaskFilter, *, before: str | None = None, limit: int = 50
) -> list[Task]:
    """The newest made first, at most ``limit``; ``before`` is the id of the last one of the page before."""
    query = select(Task).where(*which.conditions()).order_by(Task.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Task.id < before)
    return list(session.scalars(query))


def list_by_due(
    session: Session, which: TaskFilter, *, after: tuple[datetime, str] | None = None, limit: int = 50
) -> list[Task]:
    """Of one member or one contact, soonest due first; ``after`` is (due_at, id) of the last one shown."""
    query = select(Task).where(*which.conditions()).order_by(Task.due_at, Task.id).limit(limit)
    if after is not None:
        at, task_id = after
        query = query.where(Task.due_at >= at, or_(Task.due_at > at, Task.id > task_id))
    return list(session.scalars(query))


def count_tasks(session: Session, which: TaskFilter, *, most: int = 1000) -> int:
    """How many there are; counting stops at ``most``."""
    found = select(Task.id).where(*which.conditions()).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0


def due_of_members(
    session: Session, staff_ids: Collection[str], *, since: datetime | None, before: datetime
) -> list[Task]:
    """The open tasks of these members that are due, soonest first."""
    which = TaskFilter(staff_ids=staff_ids, state=TaskState.OPEN, due_from=since, due_before=before)
    return list_by_due(session, which, limit=MOST_REMINDED)
