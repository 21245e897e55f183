"""/tasks: what reps are to do for customers, and by when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy.orm import Session

from bot.api import paging
from bot.api.people import Ref, StaffRef, contact_names, find_staff, get_staff, staff_by_id, staff_ref
from bot.api.routes import Call, Routes
from bot.api.types import Answer, Body, Boundary, Id, Line, Moment, Page, PageQuery, end_of
from scrm.accounts.models import Staff
from scrm.tasks import service
from scrm.tasks.giving import check_sees
from scrm.tasks.models import Task, TaskSource, TaskState
from scrm.tasks.notices import App, Gift, tell_of_task
from scrm.tasks.queries import TaskFilter, list_tasks

MOST_MESSAGES = 9
LONGEST_MESSAGE = 2000

routes = Routes("待办")


class Message(Body):
    """A text ready to be sent to the customer."""

    kind: Literal["text"]
    text: Annotated[Line, Field(min_length=1, max_length=LONGEST_MESSAGE)]


class MessageOut(Answer):
    """A message of a task: a text, or a material by its id."""

    kind: str
    text: str | None
    material_id: str | None


class TaskOut(Answer):
    """One thing for one rep to do for one customer."""

    id: str
    contact: Ref
    staff: StaffRef
    title: str
    content: list[MessageOut]
    due_at: datetime
    state: TaskState
    source: TaskSource
    created_at: datetime
    created_by: str
    closed_at: datetime | None
    closed_by: str | None


class TaskPage(Page[TaskOut]):
    """A page of tasks."""


class TaskQuery(PageQuery):
    """Which tasks."""

    staff: Id | None = Field(None, description="员工的 userid 或编号")
    contact: Id | None = Field(None, description="客户编号")
    state: TaskState | None = None
    due: Boundary | None = Field(
        None, alias="due_before", description="到这一天为止（含），或到这一时刻之前到期"
    )


class TaskBody(Body):
    """A task for a rep."""

    contact: Id = Field(description="客户编号")
    staff: Id = Field(description="员工的 userid 或编号")
    title: Annotated[Line, Field(min_length=1, max_length=service.MAX_TITLE)]
    due_at: Moment = Field(description="到期时间，须晚于现在")
    content: Annotated[list[Message], Field(max_length=MOST_MESSAGES)] = Field(
        default=[], description="准备好的消息，员工在侧边栏一键发送"
    )


class LaterBody(Body):
    """When it is due instead."""

    due_at: Moment = Field(description="新的到期时间，须晚于现在")


@routes.get("/tasks", "待办，最新创建的在前", scope="contacts.read")
def list_all_tasks(call: Call, query: TaskQuery) -> TaskPage:
    """A page of tasks."""
    staff = find_staff(call.session, query.staff) if query.staff else None
    if query.staff and staff is None:
        return TaskPage(items=[])
    which = TaskFilter(
        staff_ids=[staff.id] if staff else None,
        contact_id=query.contact,
        state=query.state,
        due_before=end_of(query.due, call.tz),
    )
    before = paging.decode(query.cursor, str)[0] if query.cursor else None
    rows = list_tasks(call.session, which, before=before, limit=query.limit + 1)
    page, cursor = paging.cut(rows, query.limit, lambda row: (row.id,))
    return TaskPage(items=_out(call.session, page), next_cursor=cursor)


@routes.post(
    "/tasks",
    "给员工安排待办",
    scope="followups.write",
    status=201,
    note="代表一位员工的令牌只能安排给本人；主管和管理员的也可以安排给其数据范围内的员工，否则 403。"
    "员工看不到的客户（不是负责人，也没有添加过）不能安排，否则 422。"
    "员工会收到一条应用消息（8:00–21:00 之外等到早上）。",
)
def add_task(call: Call, body: TaskBody) -> TaskOut:
    """A task for a rep; the timeline tells it."""
    staff = get_staff(call.session, body.staff)
    call.check_name(staff.id)
    person = call.program.person
    check_sees(call.session, body.contact, staff.id, giver_staff_id=person.staff_id if person else None)
    task = service.create_task(
        call.session,
        body.contact,
        staff_id=staff.id,
        title=body.title,
        due_at=body.due_at,
        source=TaskSource.MANAGER,
        content=[message.model_dump() for message in body.content],
        actor=call.actor,
        now=call.now,
    )
    _tell(call, task, staff)
    return _out(call.session, [task])[0]


def _tell(call: Call, task: Task, staff: Staff) -> None:
    """The member hears of it at once; who gives it to themselves does not."""
    corp, person = call.services.corp, call.program.person
    by, by_staff_id = (person.name, person.staff_id) if person else (call.token.name, None)
    url = corp.profile_url(task.contact_id, staff.userid, now=call.now)
    gift = Gift(task.title, task.due_at, by, by_staff_id, unique=task.id)
    tell_of_task(call.session, task, staff, App(corp.agent_id, corp.tz, url), gift, now=call.now)


@routes.post("/tasks/<task_id>/done", "完成待办", scope="followups.write")
def do_task(call: Call, task_id: str) -> TaskOut:
    """It is done; a second time changes nothing."""
    return _one(call, service.do_task(call.session, task_id, actor=call.actor, now=call.now))


@routes.post("/tasks/<task_id>/skip", "跳过待办", scope="followups.write")
def skip_task(call: Call, task_id: str) -> TaskOut:
    """It will not be done."""
    return _one(call, service.skip_task(call.session, task_id, actor=call.actor, now=call.now))


@routes.post("/tasks/<task_id>/reopen", "恢复待办", scope="followups.write")
def reopen_task(call: Call, task_id: str) -> TaskOut:
    """It is to do again."""
    return _one(call, service.reopen_task(call.session, task_id, actor=call.actor, now=call.now))


@routes.post("/tasks/<task_id>/postpone", "推迟待办", scope="followups.write")
def postpone_task(call: Call, task_id: str, body: LaterBody) -> TaskOut:
    """It is due later."""
    task = service.postpone_task(call.session, task_id, body.due_at, actor=call.actor, now=call.now)
    return _one(call, task)


def _one(call: Call, task: Task) -> TaskOut:
    return _out(call.session, [task])[0]


def _out(session: Session, rows: Sequence[Task]) -> list[TaskOut]:
    staff = staff_by_id(session, {row.staff_id for row in rows})
    names = contact_names(session, {row.contact_id for row in rows})
    return [
        TaskOut(
            id=row.id,
            contact=Ref(id=row.contact_id, name=names[row.contact_id]),
            staff=staff_ref(staff[row.staff_id]),
            title=row.title,
            content=[
                MessageOut(
                    kind=message["kind"], text=message.get("text"), material_id=message.get("material_id")
                )
                for message in row.content
            ],
            due_at=row.due_at,
            state=row.state,
            source=row.source,
            created_at=row.created_at,
            created_by=row.created_by,
            closed_at=row.closed_at,
            closed_by=row.closed_by,
        )
        for row in rows
    ]
