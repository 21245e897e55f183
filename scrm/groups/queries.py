"""Reads of groups: the list, one group's members, and the groups a customer is in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Select, Table, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from scrm.accounts.models import Staff
from scrm.contacts.models import Contact, Relation, RelationState
from scrm.errors import NotFound
from scrm.groups.models import GroupChat, GroupMember, MemberKind

_relation = cast("Table", Relation.__table__)


@dataclass(frozen=True)
class GroupFilter:
    """Which groups; None and empty ask for all. ``active``: not dismissed."""

    owner_id: str | None = None
    q: str = ""
    active: bool | None = None


@dataclass(frozen=True)
class Moves:
    """How many customers came and went."""

    joined: int = 0
    left: int = 0


@dataclass(frozen=True)
class MemberCard:
    """A member and who it is. ``contact`` only where the reader sees the customer; ``has_friend``: with any member."""

    member: GroupMember
    staff: Staff | None
    contact: Contact | None
    has_friend: bool
    invited_by: str

    @property
    def name(self) -> str:
        """As we call them, else as the group does."""
        known = self.staff or self.contact
        return (known.name if known else "") or self.member.name


def list_groups(
    session: Session, which: GroupFilter, *, before: tuple[datetime, str] | None = None, limit: int = 50
) -> list[GroupChat]:
    """The newest first, at most ``limit``; ``before`` is (opened_at, id) of the last one of the page before."""
    query = select(GroupChat).order_by(GroupChat.opened_at.desc(), GroupChat.id.desc()).limit(limit)
    if before is not None:
        at, group_id = before
        query = query.where(GroupChat.opened_at <= at, or_(GroupChat.opened_at < at, GroupChat.id < group_id))
    return list(session.scalars(_narrowed(query, which)))


def _narrowed(query: Select[Any], which: GroupFilter) -> Select[Any]:
    if which.owner_id is not None:
        query = query.where(GroupChat.owner_id == which.owner_id)
    if which.q:
        query = query.where(GroupChat.name.contains(which.q, autoescape=True))
    if which.active is not None:
        is_over = GroupChat.dismissed_at.is_not(None)
        query = query.where(~is_over if which.active else is_over)
    return query


def get_group(session: Session, group_id: str) -> GroupChat:
    """The group; raises NotFound."""
    group = session.get(GroupChat, group_id)
    if group is None:
        raise NotFound("group_not_found", "没有这个客户群，或您无权查看")
    return group


@dataclass(frozen=True)
class Totals:
    """How many groups, how many of them go on, and the customers in those: each membership counts."""

    groups: int
    active: int
    customers: int


def count_groups(session: Session, which: GroupFilter) -> Totals:
    """How many there are, of those the reader sees."""
    goes_on = GroupChat.dismissed_at.is_(None)
    query = select(
        func.count(GroupChat.id),
        func.coalesce(func.sum(case((goes_on, 1), else_=0)), 0),
        func.coalesce(func.sum(case((goes_on, GroupChat.customers), else_=0)), 0),
    )
    return Totals(*(int(number) for number in session.execute(_narrowed(query, which)).one()))


def count_moves(session: Session, group_ids: Collection[str], *, since: datetime) -> dict[str, Moves]:
    """Customers who joined and left each of these groups since then."""
    joined = _moved(session, group_ids, GroupMember.joined_at, since)
    left = _moved(session, group_ids, GroupMember.left_at, since)
    return {group_id: Moves(joined.get(group_id, 0), left.get(group_id, 0)) for group_id in group_ids}


def _moved(
    session: Session, group_ids: Collection[str], when: InstrumentedAttribute[Any], since: datetime
) -> dict[str, int]:
    query = (
        select(GroupMember.group_id, func.count())
        .where(
            GroupMember.group_id.in_(sorted(group_ids)), GroupMember.kind == MemberKind.CONTACT, when >= since
        )
        .group_by(GroupMember.group_id)
    )
    rows = session.execute(query)
    return {group_id: count for group_id, count in rows}  # noqa: C416 - a Row is no plain pair to mypy


def list_members(
    session: Session,
    group_id: str,
    *,
    before: tuple[datetime, str] | None = None,
    limit: int = 50,
    present: bool | None = True,
    kind: MemberKind | None = None,
    since: datetime | None = None,
) -> list[GroupMember]:
    """Who joined last comes first; ``present`` False for those who left, None for both.

    With ``since`` only who joined, or of those who left who left, from then on.
    """
    query = (
        select(GroupMember)
        .where(GroupMember.group_id == group_id)
        .order_by(GroupMember.joined_at.desc(), GroupMember.id.desc())
        .limit(limit)
    )
    if before is not None:
        at, member_id = before
        query = query.where(
            GroupMember.joined_at <= at, or_(GroupMember.joined_at < at, GroupMember.id < member_id)
        )
    if present is not None:
        has_left = GroupMember.left_at.is_not(None)
        query = query.where(~has_left if present else has_left)
    if kind is not None:
        query = query.where(GroupMember.kind == kind)
    if since is not None:
        query = query.where((GroupMember.left_at if present is False else GroupMember.joined_at) >= since)
    return list(session.scalars(query))


def load_members(session: Session, rows: Sequence[GroupMember]) -> list[MemberCard]:
    """These members with who they are, in a fixed number of queries."""
    contact_ids = {row.contact_id for row in rows if row.contact_id}
    wanted = select(Contact).where(Contact.id.in_(contact_ids))
    contacts = {contact.id: contact for contact in session.scalars(wanted)} if contact_ids else {}
    friends = _with_friend(session, contact_ids)
    invitors = {row.invitor for row in rows if row.invitor}
    staff_ids = {row.staff_id for row in rows if row.staff_id}
    people = select(Staff).where(or_(Staff.id.in_(staff_ids), Staff.userid.in_(invitors)))
    staff = list(session.scalars(people)) if staff_ids or invitors else []
    by_id = {one.id: one for one in staff}
    names = {row.userid: row.name for row in rows} | {one.userid: one.name for one in staff}
    return [
        MemberCard(
            row,
            by_id.get(row.staff_id or ""),
            contacts.get(row.contact_id or ""),
            has_friend=row.contact_id in friends,
            invited_by=names.get(row.invitor or "", ""),
        )
        for row in rows
    ]


def _with_friend(session: Session, contact_ids: Collection[str]) -> set[str]:
    """Which of these have a friend among all members. Of the table, not of what the reader sees: one bit about each."""
    if not contact_ids:
        return set()
    query = select(_relation.c.contact_id).where(
        _relation.c.contact_id.in_(sorted(contact_ids)), _relation.c.state == RelationState.ACTIVE
    )
    return set(session.scalars(query))


def groups_of_contact(
    session: Session, contact_id: str, *, limit: int = 50
) -> list[tuple[GroupMember, GroupChat]]:
    """The groups a customer is or was in, those they are in first, the newest membership first."""
    query = (
        select(GroupMember, GroupChat)
        .join(GroupChat, GroupChat.id == GroupMember.group_id)
        .where(GroupMember.contact_id == contact_id)
        .order_by(GroupMember.left_at.is_not(None), GroupMember.joined_at.desc(), GroupMember.id.desc())
        .limit(limit)
    )
    return [(member, group) for member, group in session.execute(query)]
