"""A member is told of tasks when they are given: one message for all that one person gives at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm import batch
from scrm.accounts.models import Staff, StaffStatus
from scrm.contacts.models import Contact
from scrm.outbox import service as outbox
from scrm.outbox.commands import NotifyStaff
from scrm.tasks.models import Task
from scrm.tasks.reminders import last_moment, next_moment

_TITLE, _DESCRIPTION = 40, 170  # characters WeCom shows of a card


@dataclass(frozen=True)
class Gift:
    """What was given: the tasks' title and time, by whom as people read it, and the member they are, if any.

    ``unique`` names the act: for it a member is told once.
    """

    title: str
    due_at: datetime
    by: str
    by_staff_id: str | None
    unique: str


@dataclass(frozen=True)
class App:
    """What a message needs of the configuration: the app, the corp's zone, and the page it opens."""

    agent_id: int
    tz: tzinfo
    url: str


def tell_of_task(session: Session, task: Task, staff: Staff, app: App, gift: Gift, *, now: datetime) -> None:
    """Owe the member a message about one task; ``app.url`` is the customer's page for them."""
    if not _is_told(staff, gift):
        return
    name = session.scalar(select(Contact.name).where(Contact.id == task.contact_id)) or "一位微信客户"
    notice = _notice(staff, app, gift, f"新待办：{name}", "查看客户")
    _owe(session, notice, app, now=now, contact_id=task.contact_id)


def tell_of_many(session: Session, counts: Mapping[str, int], app: App, gift: Gift, *, now: datetime) -> None:
    """Owe each member (staff id → how many tasks) one message with the count; a few statements for all."""
    people = session.scalars(select(Staff).where(Staff.id.in_(counts)).order_by(Staff.id)).all()
    with batch.collect(session):
        for staff in people:
            if _is_told(staff, gift):
                notice = _notice(staff, app, gift, f"{counts[staff.id]:,} 个新待办", "查看待办")
                _owe(session, notice, app, now=now)


def take_back(session: Session, unique: str, userids: Collection[str], *, now: datetime) -> int:
    """Drop the messages to these members about what the act ``unique`` gave, as far as they are still held.

    At night they wait for the morning; a task that is taken back before is not announced. How many were dropped.
    """
    keys = [NotifyStaff.key_of(userid, _reason(unique)) for userid in userids]
    return outbox.drop_held(session, keys, "待办已撤回", now=now) if keys else 0


def _is_told(staff: Staff, gift: Gift) -> bool:
    """As with reminders nobody on leave is disturbed; nor is anybody told what they gave themselves."""
    return staff.status is StaffStatus.ACTIVE and not staff.on_leave and staff.id != gift.by_staff_id


def _notice(staff: Staff, app: App, gift: Gift, title: str, button: str) -> NotifyStaff:
    due = gift.due_at.astimezone(app.tz)
    return NotifyStaff(
        userid=staff.userid,
        staff=staff.name,
        agent_id=app.agent_id,
        title=title[:_TITLE],
        description=f"{gift.title[:100]}\n{gift.by[:30]} 安排，{due:%m-%d %H:%M} 之前"[:_DESCRIPTION],
        url=app.url,
        button=button,
        unique=_reason(gift.unique),
    )


def _reason(unique: str) -> str:
    return f"given:{unique}"


def _owe(
    session: Session, notice: NotifyStaff, app: App, *, now: datetime, contact_id: str | None = None
) -> None:
    """At once, or when the day opens; not after that day has closed."""
    start = next_moment(now, app.tz)
    outbox.owe(
        session,
        notice,
        now=now,
        contact_id=contact_id,
        not_before=start,
        deadline=last_moment(start, app.tz),
    )
