"""Tasks go with the customer: those the owner before had not done are the new owner's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.tasks.models import Task, TaskState
from scrm.timeline import service as timeline


def hand_over(
    session: Session, owners_before: Mapping[str, str], staff: Staff, *, actor: str, now: datetime
) -> None:
    """The open tasks of each contact's owner before (contact id → staff id) are those of ``staff``; others' stay.

    The timeline says how many. One statement however many contacts, three where there is something to hand over.
    """
    pairs = [(contact_id, owner) for contact_id, owner in owners_before.items() if owner != staff.id]
    if not pairs:
        return
    theirs = (
        Task.contact_id.in_([contact_id for contact_id, _ in pairs]),  # the index is sought by it
        Task.state == TaskState.OPEN,
        tuple_(Task.contact_id, Task.staff_id).in_(pairs),
    )
    counted = select(Task.contact_id, Task.staff_id, Staff.name, func.count())
    found = session.execute(
        counted.join(Staff, Staff.id == Task.staff_id)
        .where(*theirs)
        .group_by(Task.contact_id, Task.staff_id, Staff.name)
    ).all()
    if not found:
        return
    moved = update(Task).where(*theirs).values(staff_id=staff.id)
    session.execute(moved.execution_options(synchronize_session=False))
    for contact_id, _, before, count in found:
        detail = {"before_staff": before, "staff": staff.name, "n": count}
        timeline.append(session, contact_id, "task.handed_over", at=now, actor=actor, detail=detail)
