"""Reads of staff and departments."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.accounts.models import Account, Department, Staff, StaffDepartment, StaffStatus


@dataclass(frozen=True)
class StaffRow:
    """A member with their departments, those they lead marked."""

    staff: Staff
    departments: list[Department]
    leads: frozenset[int]


@dataclass(frozen=True)
class StaffPage:
    """A page of members; ``next_cursor`` is None on the last."""

    items: list[StaffRow]
    next_cursor: str | None


def list_staff(
    session: Session,
    *,
    cursor: str | None = None,
    limit: int = 50,
    status: StaffStatus | None = None,
    serves: bool | None = None,
    department_id: int | None = None,
) -> StaffPage:
    """Members with their departments, in the order we met them, in two queries whatever the page's size."""
    query = select(Staff).order_by(Staff.id).limit(limit + 1)
    if cursor:
        query = query.where(Staff.id > cursor)
    if status is not None:
        query = query.where(Staff.status == status)
    if serves is not None:
        query = query.where(Staff.serves.is_(serves))
    if department_id is not None:
        inside = select(StaffDepartment.staff_id).where(StaffDepartment.department_id == department_id)
        query = query.where(Staff.id.in_(inside))
    rows = list(session.scalars(query))
    page = rows[:limit]
    return StaffPage(_with_departments(session, page), page[-1].id if len(rows) > limit else None)


def _with_departments(session: Session, page: Collection[Staff]) -> list[StaffRow]:
    links: dict[str, list[tuple[Department, bool]]] = {staff.id: [] for staff in page}
    joined = (
        select(StaffDepartment.staff_id, StaffDepartment.is_leader, Department)
        .join(Department, Department.id == StaffDepartment.department_id)
        .where(StaffDepartment.staff_id.in_(links))
        .order_by(Department.parent_id, Department.position.desc(), Department.id)
    )
    for staff_id, is_leader, department in session.execute(joined):
        links[staff_id].append((department, is_leader))
    return [
        StaffRow(
            staff,
            [department for department, _ in links[staff.id]],
            frozenset(department.id for department, leads in links[staff.id] if leads),
        )
        for staff in page
    ]


def staff_by_userid(session: Session, userids: Collection[str]) -> dict[str, Staff]:
    """Map userids to rows, of those we know, in one query."""
    if not userids:
        return {}
    return {row.userid: row for row in session.scalars(select(Staff).where(Staff.userid.in_(userids)))}


def list_departments(session: Session, *, limit: int = 5000) -> list[Department]:
    """The tree's departments, parents first where WeCom numbers them so."""
    query = select(Department).order_by(Department.parent_id, Department.position.desc(), Department.id)
    return list(session.scalars(query.limit(limit)))


def list_reps(session: Session, *, seen: Collection[str] | None, limit: int = 500) -> list[Staff]:
    """Members who serve customers and have not left, by name; only those ``seen``, None for all."""
    query = select(Staff).where(Staff.serves.is_(True), Staff.status == StaffStatus.ACTIVE)
    if seen is not None:
        query = query.where(Staff.id.in_(seen))
    return list(session.scalars(query.order_by(Staff.name, Staff.id).limit(limit)))


def departments_of(session: Session, staff_id: str) -> list[Department]:
    """The departments of a member."""
    inside = select(StaffDepartment.department_id).where(StaffDepartment.staff_id == staff_id)
    return list(session.scalars(select(Department).where(Department.id.in_(inside)).order_by(Department.id)))


def accounts_of(session: Session, staff_ids: Collection[str]) -> dict[str, Account]:
    """Staff id → the account of the member, of those who have been in, in one query."""
    if not staff_ids:
        return {}
    rows = session.scalars(select(Account).where(Account.staff_id.in_(staff_ids)))
    return {row.staff_id or "": row for row in rows}
