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
from scrm.followups import comments, service
from scrm.followups.comments import Author, Notice
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


class CommentBody(Body):
    """What is said about a follow-up."""

    text: Annotated[Line, Field(min_length=1, max_length=comments.MAX_TEXT)]
    staff: Id | None = Field(None, description="以这位员工的名义评论；不填为令牌本身")


class CommentOut(Answer):
    """A comment that was kept."""

    id: str
    followup_id: str
    author: str
    text: str
    at: datetime


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


@routes.post(
    "/contacts/<contact_id>/followups",
    "记录跟进",
    scope="followups.write",
    status=201,
    note="代表一位员工的令牌只能以本人的名义写；主管和管理员的也可以用其数据范围内员工的名义，否则 403。",
)
def add_followup(call: Call, contact_id: str, body: FollowupBody) -> FollowupOut:
    """A follow-up in the name of a rep."""
    get_contact(call.session, contact_id)
    staff = get_staff(call.session, body.staff)
    call.check_name(staff.id)
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


@routes.post(
    "/followups/<followup_id>/comments",
    "评论一条跟进",
    scope="followups.write",
    status=201,
    note="写跟进的员工会收到一条应用消息，每条评论一次。以谁的名义，规则同「记录跟进」。",
)
def add_followup_comment(call: Call, followup_id: str, body: CommentBody) -> CommentOut:
    """A word to the rep about a follow-up, in the name of a member, or of the token."""
    followup = comments.find_followup(call.session, followup_id)
    rep = comments.writer_of(call.session, followup)
    author = Author(call.actor, call.token.name)
    if body.staff:
        member = get_staff(call.session, body.staff)
        call.check_name(member.id)
        author = Author(f"staff:{member.userid}", member.name, member.id)
    corp = call.services.corp
    notice = Notice(corp.agent_id, corp.profile_url(followup.contact_id, rep.userid, now=call.now))
    made = comments.add_comment(
        call.session, followup, text=body.text, author=author, notice=notice, now=call.now
    )
    return CommentOut(
        id=made.id, followup_id=made.followup_id, author=made.author, text=made.text, at=made.at
    )


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
