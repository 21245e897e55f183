"""Tells reps of their tasks by messages of the app: each morning, and when a task's hour has come."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from handlers.context import Corp
from scrm.db import Database
from scrm.outbox import service as outbox
from scrm.outbox.commands import NotifyStaff
from scrm.outbox.models import OutboxCall
from scrm.tasks.reminders import NAMED, Reminder, due_reminders, last_moment

LONGEST_TITLE, LONGEST_TEXT = 40, 170  # textcard: 128 and 512 bytes
NAMELESS = "一位微信客户"


def remind(database: Database, corp: Corp, *, now: datetime) -> int:
    """Owe the messages that are due and not owed yet; how many. After working time they are dropped, not sent late."""
    with database.read() as session:
        commands = [_message(found, corp, now=now) for found in due_reminders(session, now=now, tz=corp.tz)]
        keys = [command.effect_key for command in commands]
        known = set(session.scalars(select(OutboxCall.effect_key).where(OutboxCall.effect_key.in_(keys))))
    new = [command for command in commands if command.effect_key not in known]
    if not new:
        return 0
    with database.write() as session:
        until = last_moment(now, corp.tz)
        return sum(outbox.enqueue(session, command, now=now, deadline=until) for command in new)


def _message(found: Reminder, corp: Corp, *, now: datetime) -> NotifyStaff:
    first = found.tasks[0]
    if found.is_morning:
        late = f"（{found.late} 个已过期）" if found.late else ""
        title = f"今天 {len(found.tasks)} 个待办{late}"
        lines = [_line(found, corp, number) for number in range(min(NAMED, len(found.tasks)))]
        rest = len(found.tasks) - len(lines)
        text = "\n".join([*lines, *([f"还有 {rest} 个"] if rest else [])])
        url, button = f"{corp.base_url}/sidebar/home", "查看待办"
    else:
        name = found.names.get(first.contact_id) or NAMELESS
        title, text = f"到时间了：{name}", first.title
        url, button = corp.profile_url(first.contact_id, found.staff.userid, now=now), "查看客户"
    return NotifyStaff(
        userid=found.staff.userid,
        staff=found.staff.name,
        agent_id=corp.agent_id,
        title=title[:LONGEST_TITLE],
        description=text[:LONGEST_TEXT],
        url=url,
        button=button,
        unique=found.unique,
    )


def _line(found: Reminder, corp: Corp, number: int) -> str:
    task = found.tasks[number]
    due = task.due_at.astimezone(corp.tz)
    day = f"{due:%H:%M}" if due.date() == found.today else f"{due:%m-%d}"
    name = found.names.get(task.contact_id) or NAMELESS
    return f"{day} {name[:10]}：{task.title[:16]}"
