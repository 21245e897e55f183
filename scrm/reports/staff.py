"""What members have on their hands now.

The definitions are those of the lists that the numbers open:

* *owned*: contacts the member owns;
* *new*: connections made since the local day began, in whatever state they are now;
* *waiting*: live connections made in the last 30 days that the member has not answered; *late*: for over 30 minutes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff, StaffStatus
from scrm.contacts.models import Contact, Relation, RelationState
from scrm.contacts.service import LIVE

LATE = timedelta(minutes=30)
LOOKED_BACK = timedelta(days=30)


@dataclass
class Hands:
    """One member's numbers."""

    owned: int = 0
    new: int = 0
    waiting: int = 0
    late: int = 0


@dataclass(frozen=True)
class Leave:
    """How many serve customers, and how many of them are on leave."""

    serving: int
    on_leave: int


def hands_of(
    session: Session, staff_ids: Collection[str], *, day: datetime, since: datetime, now: datetime
) -> dict[str, Hands]:
    """Staff id → numbers, in three queries; ``day`` is when today began, ``since`` from when waiting counts."""
    found = {staff_id: Hands() for staff_id in staff_ids}
    if not found:
        return found
    owned = (
        select(Contact.owner_id, func.count()).where(Contact.owner_id.in_(found)).group_by(Contact.owner_id)
    )
    for staff_id, count in session.execute(owned):
        found[staff_id or ""].owned = count
    mine = (Relation.staff_id.in_(found), Relation.state.in_(tuple(RelationState)))
    new = select(Relation.staff_id, func.count()).where(*mine, Relation.added_at >= day)
    for staff_id, count in session.execute(new.group_by(Relation.staff_id)):
        found[staff_id].new = count
    for staff_id, waiting, late in session.execute(_waiting(since, now).where(Relation.staff_id.in_(found))):
        found[staff_id].waiting, found[staff_id].late = waiting, int(late or 0)
    return found


def _waiting(since: datetime, now: datetime) -> Select[Any, Any, Any]:
    late = func.sum(case((Relation.added_at <= now - LATE, 1), else_=0))
    return (
        select(Relation.staff_id, func.count(), late)
        .where(Relation.state.in_(LIVE), Relation.added_at >= since, Relation.first_response_at.is_(None))
        .group_by(Relation.staff_id)
    )


def waiting_of(
    session: Session, *, since: datetime, now: datetime, seen: Collection[str] | None
) -> dict[str, Hands]:
    """Staff id → how many wait and how many too long, of everybody whom somebody waits for, or of ``seen``."""
    query = _waiting(since, now)
    # without their names the index by member would not serve
    who = select(Staff.id) if seen is None else list(seen)
    rows = session.execute(query.where(Relation.staff_id.in_(who)))
    return {staff_id: Hands(waiting=waiting, late=int(late or 0)) for staff_id, waiting, late in rows}


def count_leave(session: Session) -> Leave:
    """Members who serve customers, those on leave counted too."""
    away = func.sum(case((Staff.on_leave.is_(True), 1), else_=0))
    query = select(func.count(), away).where(Staff.serves.is_(True), Staff.status == StaffStatus.ACTIVE)
    count, gone = session.execute(query).one()
    return Leave(int(count), int(gone or 0))
