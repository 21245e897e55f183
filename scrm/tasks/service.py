"""Write tasks: give, do, skip, take back, put off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff, StaffStatus
from scrm.contacts.service import get_contact
from scrm.db import affected
from scrm.dialects import insert_ignore
from scrm.errors import Conflict, Invalid, NotFound
from scrm.ids import new_id
from scrm.tasks.models import Task, TaskSource, TaskState
from scrm.timeline import service as timeline

MAX_TITLE = 200
MOST_CLOSED = 50  # tasks that one follow-up closes
TIME_PASSED = "时间应晚于现在"
CLOSED_WORDS = {TaskState.DONE: "已完成", TaskState.SKIPPED: "已跳过"}


def create_task(  # noqa: PLR0913 - one per column, all by keyword
    session: Session,
    contact_id: str,
    *,
    staff_id: str,
    title: str,
    due_at: datetime,
    source: TaskSource,
    actor: str,
    now: datetime,
    content: Sequence[dict[str, Any]] = (),
    key: str | None = None,
) -> Task:
    """Give a member something to do for a contact; the one there is already, where its ``key`` is known.

    Raises NotFound for the contact, Invalid for the rest.
    """
    get_contact(session, contact_id)
    staff = session.get(Staff, staff_id)
    _check(staff, title=title, due_at=due_at, now=now)
    row = {
        "id": new_id(),
        "contact_id": contact_id,
        "staff_id": staff_id,
        "title": title.strip(),
        "content": list(content),
        "due_at": due_at,
        "state": TaskState.OPEN,
        "source": source,
        "key": key,
        "created_at": now,
        "created_by": actor[:128],
    }
    session.flush()
    if insert_ignore(session, Task, [row]) == 0:
        return session.scalars(select(Task).where(Task.key == key)).one()
    task = session.get_one(Task, row["id"])
    if source is not TaskSource.FOLLOWUP:  # the follow-up's own entry tells of it
        _tell(session, task, "created", actor=actor, now=now)
    return task


def check_order(title: str, due_at: datetime, now: datetime) -> None:
    """Raises Invalid for a title or a time that no task can have."""
    _raise_if(_wrong(title, due_at, now))


def _check(staff: Staff | None, *, title: str, due_at: datetime, now: datetime) -> None:
    fields = {}
    if staff is None or staff.status is not StaffStatus.ACTIVE:
        fields["staff"] = "没有这位在职员工"
    _raise_if(fields | _wrong(title, due_at, now))


def _wrong(title: str, due_at: datetime, now: datetime) -> dict[str, str]:
    fields = {}
    if not 1 <= len(title.strip()) <= MAX_TITLE:
        fields["title"] = f"请填写 1-{MAX_TITLE} 个字的待办内容"
    if due_at <= now:
        fields["due_at"] = TIME_PASSED
    return fields


def _raise_if(fields: dict[str, str]) -> None:
    if fields:
        raise Invalid("task_invalid", f"待办没有保存：{'；'.join(fields.values())}", fields)


def get_task(session: Session, task_id: str) -> Task:
    """The task; raises NotFound."""
    task = session.get(Task, task_id)
    if task is None:
        raise NotFound("task_not_found", "没有这个待办，或您无权查看")
    return task


def do_task(session: Session, task_id: str, *, actor: str, now: datetime) -> Task:
    """It is done. A second time changes nothing; raises Conflict for one that was skipped."""
    return _close(session, get_task(session, task_id), TaskState.DONE, actor=actor, now=now)


def skip_task(session: Session, task_id: str, *, actor: str, now: datetime) -> Task:
    """It will not be done. A second time changes nothing; raises Conflict for one that was done."""
    return _close(session, get_task(session, task_id), TaskState.SKIPPED, actor=actor, now=now)


def reopen_task(session: Session, task_id: str, *, actor: str, now: datetime) -> Task:
    """It is to do again; one that is open stays as it is."""
    task = get_task(session, task_id)
    values = {"state": TaskState.OPEN, "closed_at": None, "closed_by": None}
    if _change(session, task, task.state is not TaskState.OPEN, values):
        _tell(session, task, "reopened", actor=actor, now=now)
    return task


def postpone_task(session: Session, task_id: str, due_at: datetime, *, actor: str, now: datetime) -> Task:
    """It is due later. Raises Invalid for a time that has passed, Conflict for a closed task."""
    task = get_task(session, task_id)
    if due_at <= now:
        raise Invalid("task_invalid", f"待办没有推迟：{TIME_PASSED}", {"due_at": TIME_PASSED})
    if not _change(session, task, task.state is TaskState.OPEN, {"due_at": due_at}):
        raise _closed(task)
    _tell(session, task, "postponed", actor=actor, now=now)
    return task


def close_due(session: Session, contact_id: str, staff_id: str, *, actor: str, now: datetime) -> list[Task]:
    """The member followed up: what earlier follow-ups planned for this contact and is due by now, is done."""
    due = select(Task).where(
        Task.contact_id == contact_id,
        Task.state == TaskState.OPEN,
        Task.due_at <= now,
        Task.staff_id == staff_id,
        Task.source == TaskSource.FOLLOWUP,
    )
    rows = session.scalars(due.order_by(Task.due_at, Task.id).limit(MOST_CLOSED)).all()
    return [_close(session, row, TaskState.DONE, actor=actor, now=now) for row in rows]


def _close(session: Session, task: Task, state: TaskState, *, actor: str, now: datetime) -> Task:
    values = {"state": state, "closed_at": now, "closed_by": actor[:128]}
    if _change(session, task, task.state is TaskState.OPEN, values):
        _tell(session, task, state.value, actor=actor, now=now)
    elif task.state is not state:
        raise _closed(task)
    return task


def _closed(task: Task) -> Conflict:
    word = CLOSED_WORDS.get(task.state, "已变化")
    return Conflict("task_closed", f"这个待办{word}；需要时请先恢复它")


def _change(session: Session, task: Task, is_wanted: bool, values: dict[str, Any]) -> bool:  # noqa: FBT001 - a condition
    """Change it if it still stands as we saw it: of two people at once, one does."""
    if not is_wanted:
        return False
    same = update(Task).where(Task.id == task.id, Task.state == task.state).values(**values)
    changed = affected(session.execute(same.execution_options(synchronize_session=False)))
    session.refresh(task)
    return bool(changed)


def _tell(session: Session, task: Task, verb: str, *, actor: str, now: datetime) -> None:
    staff = session.get(Staff, task.staff_id)
    detail = {"staff": staff.name if staff else None, "title": task.title, "task_id": task.id}
    timeline.append(session, task.contact_id, f"task.{verb}", at=now, actor=actor, detail=detail)
