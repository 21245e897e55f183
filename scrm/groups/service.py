"""Write groups and their members. Every function is safe to call twice, late, or in another order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scrm import batch
from scrm.accounts import service as accounts
from scrm.accounts.models import Staff
from scrm.contacts.models import ContactIdentity, IdentityKind
from scrm.dialects import insert_ignore
from scrm.groups import rules
from scrm.groups.models import GroupChat, GroupMember, MemberKind
from scrm.groups.rules import GroupSeen, MemberSeen
from scrm.ids import new_id
from scrm.timeline import service as timeline

CHUNK = 500  # ids per IN list


@dataclass(frozen=True)
class Changes:
    """What a reading changed."""

    is_new: bool = False
    joined: int = 0
    left: int = 0


@dataclass(frozen=True)
class _Known:
    """Who the listed people are to us."""

    staff: Mapping[str, Staff]
    contacts: Mapping[str, str]

    def key(self, member: MemberSeen) -> str:
        """By what a row is found: a member's row stays theirs when their userid changes."""
        return self.staff[member.userid].id if member.kind is MemberKind.STAFF else member.userid


def find_group(session: Session, chat_id: str) -> GroupChat | None:
    """The group behind a WeCom id, once it has been read."""
    return session.scalar(select(GroupChat).where(GroupChat.chat_id == chat_id))


def _lock(session: Session, chat_id: str) -> GroupChat | None:
    query = select(GroupChat).where(GroupChat.chat_id == chat_id)
    return session.scalar(query.with_for_update().execution_options(populate_existing=True))


def apply_group(session: Session, seen: GroupSeen, *, at: datetime, is_complete: bool = True) -> Changes:
    """The group as the platform showed it at ``at``. A reading older than the last one changes nothing.

    Without ``is_complete`` the list may be a moment old: who is on it has joined, nobody is gone for not being on it.
    """
    session.flush()
    row = {"id": new_id(), "chat_id": seen.chat_id, "name": "", "opened_at": seen.opened_at}
    is_new = insert_ignore(session, GroupChat, [{**row, "customers": 0, "colleagues": 0}]) == 1
    group = _lock(session, seen.chat_id)
    if group is None or (group.read_at is not None and at < group.read_at):
        return Changes()
    if group.dismissed_at is not None:
        if at < group.dismissed_at + rules.CLOCKS_APART:
            return Changes()
        group.dismissed_at = None  # it had only been hidden from us
    userids = {member.userid for member in seen.members if member.kind is MemberKind.STAFF}
    staff = accounts.ensure_staff_rows(session, userids | ({seen.owner} if seen.owner else set()), now=at)
    group.name, group.notice, group.opened_at, group.read_at = seen.name, seen.notice, seen.opened_at, at
    group.owner_id = staff[seen.owner].id if seen.owner else None
    known = _Known(staff, _contacts_of(session, seen.members))
    rows = {row.staff_id or row.userid: row for row in _members(session, group.id)}
    with batch.collect(session):  # a first reading has a timeline entry for each customer
        joined = sum(_take_in(session, group, rows, member, known) for member in seen.members)
        left = _let_go(session, group, rows, seen, known, at=at) if is_complete else 0
    _count(session, group)
    return Changes(is_new, joined, left)


def _let_go(
    session: Session,
    group: GroupChat,
    rows: Mapping[str, GroupMember],
    seen: GroupSeen,
    known: _Known,
    *,
    at: datetime,
) -> int:
    """Whoever is not listed any more has left; how many."""
    listed = {known.key(member) for member in seen.members}
    gone = [row for key, row in rows.items() if key not in listed and row.left_at is None]
    for row in gone:
        _leave(session, group, row, at=max(at, row.joined_at), scene=None)
    return len(gone)


def _members(session: Session, group_id: str) -> Sequence[GroupMember]:
    return session.scalars(select(GroupMember).where(GroupMember.group_id == group_id)).all()


def _contacts_of(session: Session, members: Sequence[MemberSeen]) -> dict[str, str]:
    """external_userid → our contact, for those we know."""
    externals = [member.userid for member in members if member.kind is MemberKind.CONTACT]
    found: dict[str, str] = {}
    for start in range(0, len(externals), CHUNK):
        query = select(ContactIdentity.value, ContactIdentity.contact_id).where(
            ContactIdentity.kind == IdentityKind.WECOM,
            ContactIdentity.value.in_(externals[start : start + CHUNK]),
        )
        found.update((value, contact_id) for value, contact_id in session.execute(query))
    return found


def _take_in(
    session: Session, group: GroupChat, rows: dict[str, GroupMember], seen: MemberSeen, known: _Known
) -> bool:
    """The member's row as listed; whether they came in by it."""
    key = known.key(seen)
    row = rows.get(key)
    is_new = row is None
    if row is None:
        row = rows[key] = GroupMember(group_id=group.id, kind=seen.kind, userid=seen.userid)
        session.add(row)
    came = is_new or rules.is_back(row, seen)
    if row.left_at is None or came:
        row.joined_at, row.join_scene = seen.joined_at, seen.scene
        row.invitor, row.state = seen.invitor, seen.state
        row.left_at = row.quit_scene = None
    row.userid, row.name = seen.userid, seen.name or row.name or ""
    if seen.kind is MemberKind.STAFF:
        row.staff_id = key
    else:
        is_stranger, row.contact_id = row.contact_id is None, known.contacts.get(seen.userid, row.contact_id)
        if came or is_stranger:
            _tell_joined(session, group, row)
    return came


def _leave(session: Session, group: GroupChat, row: GroupMember, *, at: datetime, scene: int | None) -> None:
    row.left_at, row.quit_scene = at, scene
    if row.contact_id is not None:
        detail = {"group": group.name, "group_id": group.id, "scene": scene}
        if scene:
            detail["how"] = f"quit.{scene}"
        key = f"group.left:{group.id}:{row.userid}:{int(row.joined_at.timestamp())}"
        timeline.append(
            session, row.contact_id, "group.left", at=at, actor="customer", detail=detail, key=key
        )


def _tell_joined(session: Session, group: GroupChat, row: GroupMember) -> None:
    """The customer's timeline says since when they are in; once, however often it is read."""
    if row.contact_id is None or row.left_at is not None:
        return
    detail = {
        "group": group.name,
        "group_id": group.id,
        "scene": row.join_scene,
        "how": f"join.{row.join_scene}",
    }
    key = f"group.joined:{group.id}:{row.userid}:{int(row.joined_at.timestamp())}"
    timeline.append(
        session, row.contact_id, "group.joined", at=row.joined_at, actor="customer", detail=detail, key=key
    )


def _count(session: Session, group: GroupChat) -> None:
    session.flush()
    query = (
        select(GroupMember.kind, func.count())
        .where(GroupMember.group_id == group.id, GroupMember.left_at.is_(None))
        .group_by(GroupMember.kind)
    )
    rows = session.execute(query)
    counts = {kind: count for kind, count in rows}  # noqa: C416 - a Row is no plain pair to mypy
    group.customers = counts.get(MemberKind.CONTACT, 0)
    group.colleagues = counts.get(MemberKind.STAFF, 0)


def record_left(
    session: Session, chat_id: str, userids: Collection[str], *, at: datetime, scene: int | None
) -> None:
    """These left the group at ``at`` (``scene`` 0 by themselves, 1 removed), as an event says.

    Who joined again since then stays in; where a reading concluded the leaving already, the event says when and how.
    """
    group = _lock(session, chat_id)
    if group is None or not userids:
        return
    query = select(GroupMember).where(
        GroupMember.group_id == group.id, GroupMember.userid.in_(sorted(userids)[:CHUNK])
    )
    for row in session.scalars(query):
        if at < row.joined_at:
            continue
        if row.left_at is None and (group.read_at is None or at >= group.read_at - rules.CLOCKS_APART):
            _leave(session, group, row, at=at, scene=scene)
        elif row.left_at is not None and row.quit_scene is None:
            row.left_at, row.quit_scene = min(at, row.left_at), scene
    _count(session, group)


def record_dismissed(session: Session, chat_id: str, *, at: datetime) -> bool:
    """The group is over; who was in stays written down. Whether that is news."""
    group = _lock(session, chat_id)
    if group is None:
        return False
    is_news = group.dismissed_at is None
    group.dismissed_at = at if group.dismissed_at is None else min(at, group.dismissed_at)
    return is_news


def link_contact(session: Session, external_userid: str, contact_id: str) -> None:
    """Somebody who was in groups as a stranger is a customer now: their memberships are the customer's."""
    key = (GroupMember, external_userid)
    for row, group in batch.lookup(session, key, lambda: _strangers(session, [external_userid])):
        row.contact_id = contact_id
        _tell_joined(session, group, row)


def find_strangers_ahead(session: Session, external_userids: Collection[str]) -> None:
    """In a batch: look up with one query who of these was in groups as a stranger."""
    found: dict[str, list[tuple[GroupMember, GroupChat]]] = {userid: [] for userid in external_userids}
    for row, group in _strangers(session, external_userids):
        found[row.userid].append((row, group))
    for userid, rows in found.items():
        batch.remember(session, (GroupMember, userid), rows)


def _strangers(session: Session, external_userids: Collection[str]) -> list[tuple[GroupMember, GroupChat]]:
    query = (
        select(GroupMember, GroupChat)
        .join(GroupChat, GroupChat.id == GroupMember.group_id)
        .where(GroupMember.userid.in_(external_userids), GroupMember.contact_id.is_(None))
        .limit(CHUNK)
    )
    return [(row, group) for row, group in session.execute(query)]
