"""/groups: group chats with customers, and who is in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field
from sqlalchemy.orm import Session

from bot.api import paging
from bot.api.people import Ref, StaffRef, find_staff, staff_by_id, staff_ref
from bot.api.routes import Call, Routes
from bot.api.types import Answer, Id, Line, Page, PageQuery
from scrm.groups import queries
from scrm.groups.models import GroupChat, MemberKind
from scrm.groups.queries import GroupFilter, MemberCard

routes = Routes("客户群")
LATELY = timedelta(days=7)


class GroupOut(Answer):
    """A group chat with customers."""

    id: str
    chat_id: str
    name: str
    owner: StaffRef | None
    notice: str | None
    customers: int
    colleagues: int
    joined: int = Field(description="近 7 天进群的客户")
    left: int = Field(description="近 7 天退群的客户")
    opened_at: datetime
    dismissed_at: datetime | None
    read_at: datetime | None = Field(description="最近一次与企业微信核对的时间")


class GroupPage(Page[GroupOut]):
    """A page of groups."""


class GroupQuery(PageQuery):
    """Which groups; filters are combined with AND."""

    owner: Id | None = Field(None, description="群主的 userid 或编号")
    q: Annotated[Line, Field(max_length=64)] | None = Field(None, description="群名中的文字")
    active: bool | None = Field(None, description="true 未解散，false 已解散")


class MemberOut(Answer):
    """Somebody who is, or was, in the group."""

    id: str
    kind: MemberKind
    userid: str = Field(description="员工的 userid，或客户的 external_userid")
    name: str
    staff: StaffRef | None
    contact: Ref | None
    is_friend: bool = Field(description="客户与至少一位员工是好友")
    joined_at: datetime
    join_scene: int = Field(description="1 被邀请，2 通过邀请链接，3 扫群二维码")
    invitor: str | None
    state: str | None
    left_at: datetime | None
    quit_scene: int | None = Field(description="0 自己退群，1 被移出；null 未知")


class MemberPage(Page[MemberOut]):
    """A page of members."""


class MemberQuery(PageQuery):
    """Which members."""

    present: bool | None = Field(None, description="true 仍在群里，false 已退群")
    kind: MemberKind | None = None


@routes.get("/groups", "客户群列表，最新的在前", scope="contacts.read")
def list_groups(call: Call, query: GroupQuery) -> GroupPage:
    """A page of groups in a fixed number of queries."""
    before = paging.decode(query.cursor, datetime, str) if query.cursor else None
    owner = find_staff(call.session, query.owner) if query.owner else None
    if query.owner and owner is None:
        return GroupPage(items=[])
    which = GroupFilter(owner.id if owner else None, query.q or "", query.active)
    rows = queries.list_groups(call.session, which, before=before, limit=query.limit + 1)
    page, cursor = paging.cut(rows, query.limit, lambda row: (row.opened_at, row.id))
    return GroupPage(items=_out(call.session, page, since=call.now - LATELY), next_cursor=cursor)


@routes.get("/groups/<group_id>", "一个客户群", scope="contacts.read")
def read_group(call: Call, group_id: str) -> GroupOut:
    """One group."""
    return _out(call.session, [queries.get_group(call.session, group_id)], since=call.now - LATELY)[0]


@routes.get("/groups/<group_id>/members", "客户群的成员，最近进群的在前", scope="contacts.read")
def list_members(call: Call, group_id: str, query: MemberQuery) -> MemberPage:
    """A page of members, those who left too."""
    queries.get_group(call.session, group_id)
    before = paging.decode(query.cursor, datetime, str) if query.cursor else None
    rows = queries.list_members(
        call.session, group_id, before=before, limit=query.limit + 1, present=query.present, kind=query.kind
    )
    page, cursor = paging.cut(rows, query.limit, lambda row: (row.joined_at, row.id))
    items = [_member(card) for card in queries.load_members(call.session, page)]
    return MemberPage(items=items, next_cursor=cursor)


def _out(session: Session, rows: Sequence[GroupChat], *, since: datetime) -> list[GroupOut]:
    staff = staff_by_id(session, {row.owner_id for row in rows if row.owner_id})
    moves = queries.count_moves(session, [row.id for row in rows], since=since)
    return [
        GroupOut(
            id=row.id,
            chat_id=row.chat_id,
            name=row.name,
            owner=staff_ref(staff[row.owner_id]) if row.owner_id else None,
            notice=row.notice,
            customers=row.customers,
            colleagues=row.colleagues,
            joined=moves[row.id].joined,
            left=moves[row.id].left,
            opened_at=row.opened_at,
            dismissed_at=row.dismissed_at,
            read_at=row.read_at,
        )
        for row in rows
    ]


def _member(card: MemberCard) -> MemberOut:
    row = card.member
    return MemberOut(
        id=row.id,
        kind=row.kind,
        userid=row.userid,
        name=card.name,
        staff=staff_ref(card.staff) if card.staff else None,
        contact=Ref(id=card.contact.id, name=card.contact.name) if card.contact else None,
        is_friend=card.has_friend,
        joined_at=row.joined_at,
        join_scene=row.join_scene,
        invitor=row.invitor,
        state=row.state,
        left_at=row.left_at,
        quit_scene=row.quit_scene,
    )
