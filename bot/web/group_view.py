"""A group chat as pages show it, in the console and in the sidebar. Values only; templates lay out."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import request
from sqlalchemy.orm import Session

from bot.api import paging
from bot.web.bidi import isolated, plain
from bot.web.contact.profile import HUES, initial
from bot.web.site import Screen
from bot.web.times import Moment
from scrm.accounts.models import Staff
from scrm.groups import queries
from scrm.groups.models import GroupChat, GroupMember, MemberKind
from scrm.groups.queries import MemberCard, Moves

LATELY = timedelta(days=7)
PAGE = 50
CHATS_SHOWN = 20
# what one may look at: present or gone, which kind, only the last days
WHO: dict[str, tuple[bool | None, MemberKind | None, bool]] = {
    "customers": (True, MemberKind.CONTACT, False),
    "colleagues": (True, MemberKind.STAFF, False),
    "gone": (False, None, False),
    "joined": (None, MemberKind.CONTACT, True),
    "left": (False, MemberKind.CONTACT, True),
}


@dataclass(frozen=True)
class MemberLine:
    """One member in the list."""

    name: str
    initial: str
    hue: int
    url: str | None
    is_owner: bool
    lacks_friend: bool
    how: str
    at: Moment
    gone: str


@dataclass(frozen=True)
class GroupView:
    """One group with a page of its members."""

    id: str
    chat_id: str
    name: str
    owner: str
    notice: str
    opened: Moment
    read: Moment | None
    over: Moment | None
    customers: int
    colleagues: int
    moves: Moves
    who: str
    members: list[MemberLine]
    cursor: str
    after: str | None


@dataclass(frozen=True)
class ChatLine:
    """A group that a customer is, or was, in."""

    url: str
    name: str
    since: Moment
    over: str


def build(screen: Screen, session: Session, group: GroupChat, profile: str) -> GroupView:
    """The group, and of its members what the address asks for. ``profile``: the endpoint of a customer's page.

    Raises Invalid for a cursor we never made.
    """
    who = request.args.get("who", "")
    who = who if who in WHO else "customers"
    cursor = request.args.get("cursor", "")
    rows = _rows(screen, session, group, who, cursor)
    page, after = paging.cut(rows, PAGE, lambda row: (row.joined_at, row.id))
    owner = session.get(Staff, group.owner_id) if group.owner_id else None
    moves = queries.count_moves(session, [group.id], since=screen.now - LATELY)
    moment = screen.calendar.moment
    return GroupView(
        id=group.id,
        chat_id=group.chat_id,
        name=name_of(screen, group),
        owner=plain(owner.name) if owner else screen.t("group_no_owner"),
        notice=plain(group.notice or ""),
        opened=moment(group.opened_at),
        read=moment(group.read_at) if group.read_at else None,
        over=moment(group.dismissed_at) if group.dismissed_at else None,
        customers=group.customers,
        colleagues=group.colleagues,
        moves=moves[group.id],
        who=who,
        members=[_line(screen, group, card, profile) for card in queries.load_members(session, page)],
        cursor=cursor,
        after=after,
    )


def name_of(screen: Screen, group: GroupChat) -> str:
    """What the group is called."""
    return plain(group.name).strip() or screen.t("group_unnamed")


def _rows(screen: Screen, session: Session, group: GroupChat, who: str, cursor: str) -> list[GroupMember]:
    present, kind, lately = WHO[who]
    before: tuple[Any, ...] | None = paging.decode(cursor, datetime, str) if cursor else None
    return queries.list_members(
        session,
        group.id,
        before=(before[0], before[1]) if before else None,
        limit=PAGE + 1,
        present=present,
        kind=kind,
        since=screen.now - LATELY if lately else None,
    )


def _line(screen: Screen, group: GroupChat, card: MemberCard, profile: str) -> MemberLine:
    row, t = card.member, screen.t
    name = plain(card.name).strip() or t("no_name")
    return MemberLine(
        name=name,
        initial=initial(name),
        hue=zlib.crc32((row.contact_id or row.userid).encode()) % HUES,
        url=screen.url(profile, contact_id=card.contact.id) if card.contact else None,
        is_owner=row.staff_id is not None and row.staff_id == group.owner_id,
        lacks_friend=row.kind is MemberKind.CONTACT and not card.has_friend,
        how=_how(screen, card),
        at=screen.calendar.moment(row.joined_at),
        gone=_gone(screen, row),
    )


def _how(screen: Screen, card: MemberCard) -> str:
    """How they came in; the owner of a group made it."""
    scene, t = card.member.join_scene, screen.t
    if scene == 1 and card.invited_by:
        return t("join_1_by", name=isolated(card.invited_by))
    return t.find(f"join_{scene}") or t("nothing")


def _gone(screen: Screen, row: GroupMember) -> str:
    if row.left_at is None:
        return ""
    text = screen.t("gone_at", at=screen.calendar.moment(row.left_at).text)
    how = screen.t.find(f"quit_{row.quit_scene}")
    return f"{text} · {how}" if how else text


def chats_of(screen: Screen, session: Session, contact_id: str) -> list[ChatLine]:
    """The groups a customer is or was in, as the console shows them."""
    moment = screen.calendar.moment
    found = queries.groups_of_contact(session, contact_id, limit=CHATS_SHOWN)
    return [
        ChatLine(
            url=screen.url("group_page", group_id=group.id),
            name=name_of(screen, group),
            since=moment(member.joined_at),
            over=_gone(screen, member) or over_of(screen, group),
        )
        for member, group in found
    ]


def over_of(screen: Screen, group: GroupChat) -> str:
    """Since when the group is dismissed, in words; empty for one that goes on."""
    if group.dismissed_at is None:
        return ""
    return screen.t("group_over_at", at=screen.calendar.moment(group.dismissed_at).text)
