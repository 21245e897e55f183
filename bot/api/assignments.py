"""/contacts/{id}/assignments: whose the customer is, since when, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy.orm import Session

from bot.api import paging
from bot.api.people import StaffRef, get_staff, staff_by_id, staff_ref
from bot.api.routes import Call, Routes
from bot.api.types import Answer, Body, Id, Page, PageQuery
from scrm.accounts.roles import ASSIGN
from scrm.contacts.service import get_contact
from scrm.routing import queries, service
from scrm.routing.models import Assignment
from scrm.routing.rules import sentence

routes = Routes("客户")


class AssignmentOut(Answer):
    """One decision who owns the contact. ``why`` is the sentence about it."""

    id: str
    at: datetime
    staff: StaffRef
    reason: str
    why: str
    actor: str
    detail: dict[str, Any]


class AssignmentPage(Page[AssignmentOut]):
    """A page of assignments."""


class AssignmentBody(Body):
    """The new owner."""

    staff: Id = Field(description="新负责人的 userid")


@routes.get("/contacts/<contact_id>/assignments", "客户为什么归这位员工，最新的在前", scope="contacts.read")
def list_assignments(call: Call, contact_id: str, query: PageQuery) -> AssignmentPage:
    """A page of one contact's assignments."""
    get_contact(call.session, contact_id)
    before = paging.decode(query.cursor, datetime, str) if query.cursor else None
    rows = queries.list_assignments(call.session, contact_id, before=before, limit=query.limit + 1)
    page, cursor = paging.cut(rows, query.limit, lambda row: (row.at, row.id))
    return AssignmentPage(items=_out(call.session, page), next_cursor=cursor)


@routes.post("/contacts/<contact_id>/assignments", "手动分配负责人", scope="contacts.write", status=201)
def assign_contact(call: Call, contact_id: str, body: AssignmentBody) -> AssignmentOut:
    """A person decides who owns the contact."""
    call.require(ASSIGN)
    get_contact(call.session, contact_id)
    staff = get_staff(call.session, body.staff)
    made = service.assign_manually(call.session, contact_id, staff.id, actor=call.actor, now=call.now)
    return _out(call.session, [made])[0]


def _out(session: Session, rows: list[Assignment]) -> list[AssignmentOut]:
    people = staff_by_id(session, {row.staff_id for row in rows})
    return [
        AssignmentOut(
            id=row.id,
            at=row.at,
            staff=staff_ref(people[row.staff_id]),
            reason=row.reason,
            why=sentence(row.reason, row.detail),
            actor=row.actor,
            detail=row.detail,
        )
        for row in rows
    ]
