"""/contacts/{id}/followups and /followups: what reps wrote down, and the manager's log over all of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy.orm import Session

from bot.api import paging
from bot.api.people import Ref, StaffRef, contact_names, find_staff, get_staff, staff_by_id, staff_ref
from bot.api.routes import Call, Routes
from bot.api.types import Answer, Body, Boundary, Id, Line, Moment, Page, PageQuery, end_of, start_of
from scrm.contacts.service import get_contact
from scrm.followups import service
from scrm.followups.models import Followup, FollowupKind
from scrm.followups.queries import list_followups

routes = Routes("跟进")


class FollowupOut(Answer):
    """One touch a rep wrote down."""

    id: str
    contact: Ref
    staff: StaffRef
    kind: FollowupKind
    content: str
    at: datetime
    next_step: str | None
    next_at: datetime | None
    created_at: datetime
    created_by: str


class FollowupPage(Page[FollowupOut]):
    """A page of follow-ups."""


class FollowupBody(Body):
    """A follow-up; ``at`` is now if not said."""

    kind: FollowupKind
    content: Annotated[Line, Field(min_length=1, max_length=service.MAX_CONTENT)]
    staff: Id = Field(description="跟进员工的 userid")
    at: Moment | None = None
    next_step: Annotated[Line, Field(max_length=service.MAX_NEXT_STEP)] | None = None
    next_at: Moment | None = Field(None, description="下次跟进时间，须晚于现在")


class LogQuery(PageQuery):
    """Which follow-ups."""

    staff: Id | None = Field(None, description="员工的 userid 或编号")
    contact: Id | None = Field(None, description="客户编号")
    since: Boundary | None = Field(None, alias="from", description="从这一天（或时刻）起")
    until: Boundary | None = Field(None, alias="to", description="到这一天为止（含），或到这一时刻之前")
    kind: FollowupKind | None = None


@routes.get("/contacts/<contact_id>/followups", "客户的跟进，最新的在前", scope="contacts.read")
def list_contact_followups(call: Call, contact_id: str, query: PageQuery) -> FollowupPage:
    """A page of one contact's follow-ups."""
    get_contact(call.session, contact_id)
    before = paging.decode(query.cursor, datetime, str) if query.cursor else None
    rows = list_followups(call.session, before=before, limit=query.limit + 1, contact_id=contact_id)
    return _page(call.session, rows, query.limit)


@routes.post("/contacts/<contact_id>/followups", "记录跟进", scope="followups.write", status=201)
def add_followup(call: Call, contact_id: str, body: FollowupBody) -> FollowupOut:
    """A follow-up in the name of a rep."""
    get_contact(call.session, contact_id)
    staff = get_staff(call.session, body.staff)
    made = service.add_followup(
        call.session,
        contact_id,
        staff_id=staff.id,
        kind=body.kind,
        content=body.content,
        at=body.at,
        next_step=body.next_step,
        next_at=body.next_at,
        actor=call.actor,
        now=call.now,
    )
    return _out(call.session, [made])[0]


@routes.get("/followups", "跟进日志，最新的在前", scope="contacts.read")
def list_log(call: Call, query: LogQuery) -> FollowupPage:
    """The manager's log."""
    staff = find_staff(call.session, query.staff) if query.staff else None
    if query.staff and staff is None:
        return FollowupPage(items=[])
    rows = list_followups(
        call.session,
        before=paging.decode(query.cursor, datetime, str) if query.cursor else None,
        limit=query.limit + 1,
        staff_id=staff.id if staff else None,
        contact_id=query.contact,
        since=start_of(query.since, call.tz),
        until=end_of(query.until, call.tz),
        kinds=[query.kind] if query.kind else [],
    )
    return _page(call.session, rows, query.limit)


def _page(session: Session, rows: Sequence[Followup], limit: int) -> FollowupPage:
    page, cursor = paging.cut(rows, limit, lambda row: (row.at, row.id))
    return FollowupPage(items=_out(session, page), next_cursor=cursor)


def _out(session: Session, rows: Sequence[Followup]) -> list[FollowupOut]:
    staff = staff_by_id(session, {row.staff_id for row in rows})
    names = contact_names(session, {row.contact_id for row in rows})
    return [
        FollowupOut(
            id=row.id,
            contact=Ref(id=row.contact_id, name=names[row.contact_id]),
            staff=staff_ref(staff[row.staff_id]),
            kind=row.kind,
            content=row.content,
            at=row.at,
            next_step=row.next_step,
            next_at=row.next_at,
            created_at=row.created_at,
            created_by=row.created_by,
        )
        for row in rows
    ]
