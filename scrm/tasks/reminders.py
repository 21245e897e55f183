"""Which member is to be told of which tasks, and when: in the morning of all, and of each when its hour has come.

A task due by nine in the morning is one of the day: the morning's message names it and nothing else does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff, StaffStatus
from scrm.contacts.models import Contact
from scrm.tasks.models import Task
from scrm.tasks.queries import due_of_members

MORNING, NOON = time(8, 30), time(12)  # the morning's message is sent between them
DAY_TASKS_DUE = time(9)
OPENS, CLOSES = time(8), time(21)  # outside nobody is disturbed
NAMED = 5  # tasks that a morning's message names


@dataclass(frozen=True)
class Reminder:
    """A message to one member. ``unique`` lets it be owed once."""

    staff: Staff
    tasks: list[Task]
    names: dict[str, str]  # of the contacts, by id
    unique: str
    today: date
    is_morning: bool = False
    late: int = 0  # how many were due before today


def last_moment(now: datetime, tz: tzinfo) -> datetime:
    """Until when a message of today may arrive."""
    return datetime.combine(now.astimezone(tz).date(), CLOSES, tz)


def next_moment(now: datetime, tz: tzinfo) -> datetime:
    """From when on a message may arrive: at once, or when the next day opens."""
    local = now.astimezone(tz)
    if OPENS <= local.time() < CLOSES:
        return now
    day = local.date() + timedelta(days=local.time() >= CLOSES)
    return datetime.combine(day, OPENS, tz)


def due_reminders(session: Session, *, now: datetime, tz: tzinfo) -> list[Reminder]:
    """What members are to be told now, and were perhaps told before (``unique`` says). Nothing outside working time."""
    local = now.astimezone(tz)
    if not OPENS <= local.time() < CLOSES:
        return []
    able = select(Staff).where(Staff.status == StaffStatus.ACTIVE, Staff.on_leave.is_(False))
    staff = {row.id: row for row in session.scalars(able)}
    today = local.date()
    found: list[Reminder] = []
    if MORNING <= local.time() < NOON:
        tomorrow = datetime.combine(today + timedelta(days=1), time(), tz)
        tasks = due_of_members(session, list(staff), since=None, before=tomorrow)
        found += _mornings(session, staff, tasks, today=today, tz=tz)
    since = datetime.combine(today, DAY_TASKS_DUE, tz) + timedelta(microseconds=1)
    if since <= now:
        tasks = due_of_members(session, list(staff), since=since, before=now + timedelta(microseconds=1))
        names = _names(session, tasks)
        found += [
            Reminder(
                staff[task.staff_id], [task], names, f"task:{task.id}:{int(task.due_at.timestamp())}", today
            )
            for task in tasks
        ]
    return found


def _mornings(
    session: Session, staff: dict[str, Staff], tasks: Sequence[Task], *, today: date, tz: tzinfo
) -> list[Reminder]:
    inside: dict[str, list[Task]] = {}
    for task in tasks:
        inside.setdefault(task.staff_id, []).append(task)
    names = _names(session, tasks)
    starts = datetime.combine(today, time(), tz)
    return [
        Reminder(
            staff[staff_id],
            rows,
            names,
            f"tasks:{today}",
            today,
            is_morning=True,
            late=sum(row.due_at < starts for row in rows),
        )
        for staff_id, rows in inside.items()
    ]


def _names(session: Session, tasks: Sequence[Task]) -> dict[str, str]:
    ids = {task.contact_id for task in tasks}
    rows = session.execute(select(Contact.id, Contact.name).where(Contact.id.in_(ids))) if ids else ()
    return {contact_id: name for contact_id, name in rows}  # noqa: C416 - a Row is no plain pair to mypy
