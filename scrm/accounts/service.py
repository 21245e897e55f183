"""Writes of staff, departments and settings. WeCom is the source; callers pass as of when they know."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from scrm import batch
from scrm.accounts.models import Department, Setting, Staff, StaffDepartment, StaffStatus
from scrm.accounts.rules import DepartmentSeen, StaffProfile
from scrm.dialects import insert_ignore
from scrm.errors import NotFound
from scrm.ids import new_id
from scrm.outbox import service as outbox
from scrm.outbox.commands import FetchStaff

__all__ = [
    "DepartmentChanges",
    "FollowerChanges",
    "StaffProfile",
    "ensure_staff",
    "ensure_staff_rows",
    "find_department",
    "find_staff",
    "get_setting",
    "get_staff",
    "is_news",
    "mark_left",
    "mark_missing_left",
    "remove_department",
    "rename_userid",
    "set_followers",
    "set_leave",
    "set_setting",
    "upsert_departments",
    "upsert_staff",
    "upsert_staff_rows",
]

NEVER_READ = datetime(1970, 1, 1, tzinfo=UTC)  # ``updated_at`` of a member of whom only the userid is known


def find_staff(session: Session, userid: str) -> Staff | None:
    """Return the member with WeCom's userid, if we know one."""
    return session.scalar(select(Staff).where(Staff.userid == userid))


def get_staff(session: Session, staff_id: str) -> Staff:
    """The member with our id. Raises NotFound."""
    staff = session.get(Staff, staff_id)
    if staff is None:
        raise NotFound("staff_not_found", "没有这名员工", {"staff_id": staff_id})
    return staff


def ensure_staff(session: Session, userid: str, *, now: datetime) -> Staff:
    """The row of a userid that was mentioned; made, and its reading ordered, when we hear of it first."""
    return batch.lookup(
        session, (Staff, userid), lambda: ensure_staff_rows(session, [userid], now=now)[userid]
    )


def ensure_staff_rows(
    session: Session, userids: Iterable[str], *, now: datetime, fetch: bool = True
) -> dict[str, Staff]:
    """As ``ensure_staff``, for many: userid → row. ``fetch`` orders the reading of new ones."""
    wanted = sorted(set(userids))
    known = _by_userid(session, wanted)
    missing = [userid for userid in wanted if userid not in known]
    if not missing:
        return known
    insert_ignore(session, Staff, [_blank(userid) for userid in missing])
    known |= _by_userid(session, missing)
    if fetch:
        for userid in missing:
            outbox.enqueue(session, FetchStaff(userid=userid, unique=f"first:{known[userid].id}"), now=now)
    return known


def _blank(userid: str) -> dict[str, Any]:
    return {
        "id": new_id(),
        "userid": userid,
        "name": userid,
        "position": "",
        "status": StaffStatus.ACTIVE,
        "serves": True,
        "on_leave": False,
        "updated_at": NEVER_READ,
    }


def _by_userid(session: Session, userids: Collection[str]) -> dict[str, Staff]:
    if not userids:
        return {}
    return {row.userid: row for row in session.scalars(_STAFF_OF, {"userids": list(userids)})}


_STAFF_OF = select(Staff).where(Staff.userid.in_(bindparam("userids", expanding=True)))


def is_news(staff: Staff | None, at: datetime) -> bool:
    """Whether something known at ``at`` may change the row: it is not older than what the row says."""
    return staff is None or at >= staff.updated_at


def upsert_staff(session: Session, profile: StaffProfile, *, now: datetime) -> Staff:
    """Make the row say what WeCom said at ``now``; what the profile leaves out stays."""
    return upsert_staff_rows(session, [profile], now=now)[profile.userid]


def upsert_staff_rows(
    session: Session, profiles: Sequence[StaffProfile], *, now: datetime
) -> dict[str, Staff]:
    """As ``upsert_staff``, for a page: userid → row. Who had left and is listed again works here again."""
    known = ensure_staff_rows(session, [profile.userid for profile in profiles], now=now, fetch=False)
    linked = [profile for profile in profiles if profile.departments is not None]
    links = _links(session, [known[profile.userid].id for profile in linked])
    for profile in profiles:
        staff = known[profile.userid]
        staff.name = profile.name or staff.name
        staff.position = staff.position if profile.position is None else profile.position
        back = StaffStatus.ACTIVE if staff.status == StaffStatus.LEFT else staff.status
        staff.status = profile.status or back
        staff.updated_at = max(now, staff.updated_at)
        if profile.departments is not None:
            _set_departments(session, staff.id, links.get(staff.id, {}), profile.departments)
    session.flush()
    return known


def _links(session: Session, staff_ids: Collection[str]) -> dict[str, dict[int, StaffDepartment]]:
    found: dict[str, dict[int, StaffDepartment]] = {}
    if staff_ids:
        for link in session.scalars(select(StaffDepartment).where(StaffDepartment.staff_id.in_(staff_ids))):
            found.setdefault(link.staff_id, {})[link.department_id] = link
    return found


def _set_departments(
    session: Session, staff_id: str, has: dict[int, StaffDepartment], wanted: Mapping[int, bool]
) -> None:
    for number, leads in wanted.items():
        if number in has:
            has[number].is_leader = leads
        else:
            session.add(StaffDepartment(staff_id=staff_id, department_id=number, is_leader=leads))
    for number in has.keys() - wanted.keys():
        session.delete(has[number])


def rename_userid(session: Session, old: str, new: str, *, now: datetime) -> Staff | None:
    """A member's userid changed: the row keeps its history under the new id. The row, or None when unknown.

    When a row already carries the new id (an event under it came first), that one stays the live one and the
    old row has left.
    """
    known = _by_userid(session, [old, new])
    if old == new or old not in known:
        return known.get(new)
    if new in known:
        known[old].status, known[old].serves, known[old].updated_at = StaffStatus.LEFT, False, now
        return known[new]
    known[old].userid = new
    session.flush()
    return known[old]


def mark_left(session: Session, userid: str, *, now: datetime) -> bool:
    """The member left the corp. Whether that was new; a row that was read after ``now`` is not touched."""
    staff = find_staff(session, userid)
    if staff is None or staff.status == StaffStatus.LEFT or not is_news(staff, now):
        return False
    _leave(staff, now)
    return True


def mark_missing_left(session: Session, present: Collection[str], *, now: datetime) -> list[Staff]:
    """All members were read at ``now``: who is not ``present`` has left. Rows known later are not touched."""
    here = set(present)
    rows = session.scalars(select(Staff).where(Staff.status != StaffStatus.LEFT, Staff.updated_at <= now))
    gone = [staff for staff in rows if staff.userid not in here]
    for staff in gone:
        _leave(staff, now)
    return gone


def _leave(staff: Staff, now: datetime) -> None:
    staff.status, staff.serves, staff.updated_at = StaffStatus.LEFT, False, now


@dataclass(frozen=True)
class FollowerChanges:
    """Userids that got and lost the customer-contact permission."""

    gained: list[str]
    lost: list[str]


def set_followers(session: Session, userids: Collection[str], *, now: datetime) -> FollowerChanges:
    """Make ``serves`` true for exactly these members (the answer of get_follow_user_list)."""
    serving = set(userids)
    ensure_staff_rows(session, serving, now=now)
    gained: list[str] = []
    lost: list[str] = []
    for staff in session.scalars(select(Staff).order_by(Staff.userid)):
        serves = staff.userid in serving
        if serves != staff.serves:
            (gained if serves else lost).append(staff.userid)
            staff.serves = serves
    return FollowerChanges(gained, lost)


@dataclass(frozen=True)
class DepartmentChanges:
    """Department ids that are new, say something else now, or are gone."""

    added: list[int]
    changed: list[int]
    removed: list[int]


def upsert_departments(
    session: Session,
    rows: Iterable[Mapping[str, Any]],
    *,
    full: bool,
    now: datetime,  # noqa: ARG001 - as all upserts
) -> DepartmentChanges:
    """Make departments say what WeCom lists; with ``full`` those that it does not list are removed."""
    seen = {department.id: department for department in map(DepartmentSeen.from_wecom, rows)}
    query = select(Department) if full else select(Department).where(Department.id.in_(seen))
    known = {department.id: department for department in session.scalars(query)}
    added, changed = [], []
    for number, department in seen.items():
        if number not in known:
            session.add(_new_department(department))
            added.append(number)
        elif _update_department(known[number], department):
            changed.append(number)
    removed = sorted(known.keys() - seen.keys()) if full else []
    _delete_departments(session, removed)
    session.flush()
    return DepartmentChanges(added, changed, removed)


def _new_department(seen: DepartmentSeen) -> Department:
    return Department(
        id=seen.id,
        name=seen.name or f"部门 {seen.id}",  # callbacks since 2022 carry no name; the list follows
        parent_id=seen.parent_id or 0,
        position=seen.position or 0,
    )


def _update_department(row: Department, seen: DepartmentSeen) -> bool:
    before = (row.name, row.parent_id, row.position)
    row.name = seen.name or row.name
    row.parent_id = row.parent_id if seen.parent_id is None else seen.parent_id
    row.position = row.position if seen.position is None else seen.position
    return before != (row.name, row.parent_id, row.position)


def find_department(session: Session, department_id: int) -> Department | None:
    """Return the department with WeCom's number, if we know it."""
    return session.get(Department, department_id)


def remove_department(session: Session, department_id: int) -> None:
    """The department is gone; its members stay in their others."""
    _delete_departments(session, [department_id])


def _delete_departments(session: Session, numbers: Sequence[int]) -> None:
    if numbers:
        session.execute(delete(StaffDepartment).where(StaffDepartment.department_id.in_(numbers)))
        session.execute(delete(Department).where(Department.id.in_(numbers)))


def set_leave(session: Session, staff_id: str, on_leave: bool) -> Staff:  # noqa: FBT001 - the call reads well
    """Take the member out of (or back into) routing and contact ways. Raises NotFound."""
    staff = get_staff(session, staff_id)
    staff.on_leave = on_leave
    return staff


def get_setting(session: Session, key: str, default: Any = None) -> Any:
    """Return the value kept under ``key``, else ``default``."""
    setting = session.get(Setting, key)
    return default if setting is None else setting.value


def set_setting(session: Session, key: str, value: Any, *, actor: str, now: datetime) -> None:
    """Keep a corp-wide choice under ``key``; the last one counts."""
    setting = session.get(Setting, key)
    if setting is None:
        session.add(Setting(key=key, value=value, updated_at=now, updated_by=actor[:128]))
    else:
        setting.value, setting.updated_at, setting.updated_by = value, now, actor[:128]
    session.flush()
