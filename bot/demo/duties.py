"""What reps planned becomes tasks: done with the next follow-up, done or skipped by hand, late, or to come."""

# ruff: noqa: PLR2004 - shares and hours are plain numbers
from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from bot.demo import phrases
from bot.demo.book import Book, Row
from scrm.contacts.models import Contact
from scrm.followups.models import Followup
from scrm.tasks.models import Task, TaskSource, TaskState

FORGIVEN = timedelta(days=2)  # what is due for longer has been done or skipped


def plan_tasks(book: Book) -> None:
    """A task for each follow-up with a next step and a time, as ``followups.service`` makes them."""
    contacts = {row["id"]: row for row in book.rows[Contact]}
    staff = {row["id"]: row for row in book.staff.values()}
    written: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in book.rows[Followup]:
        written[row["contact_id"], row["staff_id"]].append(row)
    for rows in written.values():
        times = sorted(row["at"] for row in rows)
        for row in rows:
            if row["next_at"] is not None:
                answered = next((at for at in times if at > row["at"] and at >= row["next_at"]), None)
                _plan(book, contacts[row["contact_id"]], staff[row["staff_id"]], row, answered)


def _plan(book: Book, contact: Row, member: Row, followup: Row, answered: datetime | None) -> None:
    state, closed_at = _fate(book, followup["next_at"], answered)
    actor = f"staff:{member['userid']}"
    title = followup["next_step"]
    task = book.add(
        Task,
        id=book.new_id(followup["at"]),
        contact_id=contact["id"],
        staff_id=member["id"],
        title=title,
        content=_ready(contact, title) if state is TaskState.OPEN else [],
        due_at=followup["next_at"],
        state=state,
        source=TaskSource.FOLLOWUP,
        key=f"followup:{followup['id']}",
        created_at=followup["at"],
        created_by=actor,
        closed_at=closed_at,
        closed_by=actor if closed_at else None,
    )
    if closed_at is not None and book.has_room(contact):
        detail = {"staff": member["name"], "title": title, "task_id": task["id"]}
        book.tell(contact, f"task.{state.value}", closed_at, actor=actor, detail=detail)


def _fate(book: Book, due: datetime, answered: datetime | None) -> tuple[TaskState, datetime | None]:
    if answered is not None:
        return TaskState.DONE, answered
    drawn = book.rng.random()
    if due > book.now - FORGIVEN and (due > book.now or drawn < 0.35):
        return TaskState.OPEN, None
    closed_at = min(due + timedelta(hours=1 + 5 * drawn), book.now)
    return (TaskState.DONE if drawn < 0.85 else TaskState.SKIPPED), closed_at


def _ready(contact: Row, title: str) -> list[dict[str, str]]:
    """What is ready to be sent, where the step is a message."""
    text = phrases.READY.get(title)
    return [{"kind": "text", "text": text.format(name=contact["name"])}] if text else []
