"""Give tasks to reps, one for each of many contacts, and take them back: in the same few statements however many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from scrm import batch
from scrm.accounts.models import Staff, StaffStatus
from scrm.contacts.models import Contact, Relation, RelationState
from scrm.contacts.service import get_contact
from scrm.db import affected
from scrm.errors import Conflict, Invalid, NotFound
from scrm.ids import new_id
from scrm.tasks import notices
from scrm.tasks.models import Task, TaskSource, TaskState
from scrm.tasks.service import check_order, get_task
from scrm.timeline import service as timeline

Fill = Callable[[Contact, Staff], list[dict[str, Any]]]


class Refusal(StrEnum):
    """Why a contact's task was not given."""

    GONE = "NotFound"  # or out of the giver's reach
    NO_OWNER = "task_no_owner"
    LEFT = "task_rep_left"
    OUT_OF_REACH = "task_rep_out_of_reach"  # of the giver
    UNRELATED = "task_rep_unrelated"  # the rep would not see the contact, and so not the task


@dataclass(frozen=True)
class Order:
    """What is to be done by when, by whom (None: each contact's owner); ``content`` makes what is ready to send."""

    title: str
    due_at: datetime
    staff_id: str | None = None
    content: Fill = lambda _contact, _staff: []


@dataclass(frozen=True)
class Giver:
    """Who gives: as the timeline names them, the member they are, and whose customers they see (None: all)."""

    name: str
    staff_id: str | None
    sees: Collection[str] | None


@dataclass(frozen=True)
class Given:
    """Contact id → its new task, and why there is none for others; those of ``already`` had theirs before.

    ``counts``: staff id → how many tasks that member got.
    """

    tasks: Mapping[str, str]
    counts: Mapping[str, int]
    refused: Mapping[str, Refusal]
    already: Collection[str]


def give_tasks(
    session: Session, contact_ids: Sequence[str], order: Order, *, giver: Giver, key: str, now: datetime
) -> Given:
    """A task for each of the contacts the session sees; with the same ``key``, once. The timeline tells it.

    A rep gets no task about a contact they would not see: they own it, or are or were connected with it; the giver
    may be anybody. Raises Invalid for a title or a time that cannot be.
    """
    check_order(order.title, order.due_at, now)
    session.flush()
    contacts = {row.id: row for row in session.scalars(select(Contact).where(Contact.id.in_(contact_ids)))}
    wanted = {order.staff_id} if order.staff_id else {row.owner_id for row in contacts.values()}
    staff = {row.id: row for row in session.scalars(select(Staff).where(Staff.id.in_(wanted - {None})))}
    related = _related(session, contacts, order.staff_id) if order.staff_id else frozenset()
    keys = {contact_id: _key(key, contact_id) for contact_id in contacts}
    known = set(session.scalars(select(Task.key).where(Task.key.in_(keys.values()))))
    already = {contact_id for contact_id in keys if keys[contact_id] in known}
    tasks: dict[str, str] = {}
    counts: Counter[str] = Counter()
    refused: dict[str, Refusal] = {}
    with batch.collect(session):
        for contact_id in dict.fromkeys(contact_ids):
            if contact_id in already:
                continue
            contact = contacts.get(contact_id)
            rep = staff.get((order.staff_id or contact.owner_id or "") if contact else "")
            why = _refusal(contact, rep, order, giver, related)
            if why is not None or contact is None or rep is None:
                refused[contact_id] = why or Refusal.GONE
                continue
            tasks[contact_id] = _write(
                session, contact, rep, order, giver=giver, key=keys[contact_id], now=now
            )
            counts[rep.id] += 1
    return Given(tasks, counts, refused, already)


def withdraw(
    session: Session, contact_ids: Sequence[str], *, key: str, actor: str, now: datetime
) -> list[str]:
    """Close those of the tasks given with ``key`` that are still open; whose they were. The timeline tells it.

    Members who were not told yet are not told any more.
    """
    given = Task.key.in_([_key(key, contact_id) for contact_id in contact_ids])
    return _close(session, given, actor, now, told_of=key)


def withdraw_one(session: Session, task_id: str, *, giver: Giver, now: datetime) -> Task:
    """Take back a task that was given and is still open; one that was taken back or skipped stays so.

    Raises NotFound for any but a given task of somebody within the giver's reach, Conflict for one that is done.
    """
    task = get_task(session, task_id)
    if task.source is not TaskSource.MANAGER or not (giver.sees is None or task.staff_id in giver.sees):
        raise NotFound("task_not_given", "没有安排过这个待办，或您无权撤回")
    _close(session, Task.id == task_id, giver.name, now, told_of=task_id)
    session.refresh(task)
    if task.state is TaskState.DONE:
        raise Conflict("task_done", "这个待办已完成，不能撤回")
    return task


def _close(
    session: Session, which: ColumnElement[bool], actor: str, now: datetime, *, told_of: str
) -> list[str]:
    """Skip the open ones of these tasks; whose they were. The timeline tells it, and messages that wait are dropped."""
    mark = {"state": TaskState.SKIPPED, "closed_at": now, "closed_by": actor[:128]}
    closed = update(Task).where(which, Task.state == TaskState.OPEN).values(**mark)
    # Closed first, read then: of what a rep does at the same moment nothing untrue is told.
    if not affected(session.execute(closed.execution_options(synchronize_session=False))):
        return []
    ours = select(Task.id, Task.contact_id, Task.title, Staff.name, Staff.userid).join(
        Staff, Staff.id == Task.staff_id
    )
    marked = (Task.state == TaskState.SKIPPED, Task.closed_at == now, Task.closed_by == actor[:128])
    found = session.execute(ours.where(which, *marked)).all()
    with batch.collect(session):
        for task_id, contact_id, title, name, _ in found:
            detail = {"staff": name, "title": title, "task_id": task_id}
            timeline.append(session, contact_id, "task.withdrawn", at=now, actor=actor, detail=detail)
    notices.take_back(session, told_of, {row.userid for row in found}, now=now)
    return [row.contact_id for row in found]


def _key(key: str, contact_id: str) -> str:
    return f"{key}:{contact_id}"


def _related(session: Session, contact_ids: Collection[str], staff_id: str) -> frozenset[str]:
    connected = select(Relation.contact_id).where(
        Relation.contact_id.in_(contact_ids),
        Relation.staff_id == staff_id,
        Relation.state != RelationState.TRANSFERRED,
    )
    return frozenset(session.scalars(connected))


def check_sees(session: Session, contact_id: str, staff_id: str, *, giver_staff_id: str | None) -> None:
    """Raises NotFound for the contact, Invalid where the rep would not see it, unless they give themselves the task."""
    contact = get_contact(session, contact_id)
    if _sees(contact, staff_id, giver_staff_id, _related(session, [contact_id], staff_id)):
        return
    fields = {"staff": "该员工不是这位客户的负责人，也没有添加过这位客户"}
    raise Invalid(
        Refusal.UNRELATED,
        f"待办没有保存：{fields['staff']}，看不到这个待办；请先把客户分配给该员工，或换一位员工",
        fields,
    )


def _sees(contact: Contact, staff_id: str, giver_staff_id: str | None, related: Collection[str]) -> bool:
    """Whether this member would see a task about the contact; who gives themselves one sees it anyhow."""
    return staff_id in (contact.owner_id, giver_staff_id) or contact.id in related


def _refusal(
    contact: Contact | None, rep: Staff | None, order: Order, giver: Giver, related: Collection[str]
) -> Refusal | None:
    if contact is None:
        return Refusal.GONE
    if order.staff_id is None and contact.owner_id is None:
        return Refusal.NO_OWNER
    if rep is None or rep.status is not StaffStatus.ACTIVE:
        return Refusal.LEFT
    if giver.sees is not None and rep.id not in giver.sees:
        return Refusal.OUT_OF_REACH
    if not _sees(contact, rep.id, giver.staff_id, related):
        return Refusal.UNRELATED
    return None


def _write(
    session: Session, contact: Contact, rep: Staff, order: Order, *, giver: Giver, key: str, now: datetime
) -> str:
    title = order.title.strip()
    task = {
        "id": new_id(),
        "contact_id": contact.id,
        "staff_id": rep.id,
        "title": title,
        "content": order.content(contact, rep),
        "due_at": order.due_at,
        "state": TaskState.OPEN,
        "source": TaskSource.MANAGER,
        "key": key,
        "created_at": now,
        "created_by": giver.name[:128],
    }
    batch.insert(session, Task, task)
    timeline.append(
        session,
        contact.id,
        "task.created",
        at=now,
        actor=giver.name,
        detail={"staff": rep.name, "title": title, "task_id": task["id"]},
        key=f"task:{key}",
    )
    return str(task["id"])
