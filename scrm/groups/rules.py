"""A group as groupchat/get tells it, and what follows from it. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scrm import clock
from scrm.groups.models import GroupMember, MemberKind

CLOCKS_APART = timedelta(minutes=5)  # by how much our clock and the platform's may differ
GONE = frozenset(
    {40050, 49008}
)  # no such group, dismissed: which one comes after a dismissal is not documented
READ_AGAIN_AFTER = timedelta(seconds=3)  # the member list follows its event by about two seconds
MOST_READS = 3  # of a list that is not yet, or no longer, the one an event announced
_STAFF = 1
_LONGEST_NAME, _LONGEST_ID = 128, 64


@dataclass(frozen=True)
class MemberSeen:
    """One member as listed."""

    kind: MemberKind
    userid: str
    name: str
    joined_at: datetime
    scene: int
    invitor: str | None
    state: str | None


@dataclass(frozen=True)
class GroupSeen:
    """One group as read. ``version`` is that of its member list."""

    chat_id: str
    name: str
    owner: str
    notice: str | None
    opened_at: datetime
    version: str
    members: tuple[MemberSeen, ...]


def parse_group(answer: Mapping[str, Any] | None) -> GroupSeen | None:
    """The group of an answer; None without an id or a time. Members without an id or a time are passed over."""
    group = (answer or {}).get("group_chat") or {}
    opened_at = clock.from_unix(group.get("create_time"))
    if not group.get("chat_id") or opened_at is None:
        return None
    members = (_member(item) for item in group.get("member_list") or ())
    return GroupSeen(
        chat_id=str(group["chat_id"])[:_LONGEST_ID],
        name=str(group.get("name") or "")[:_LONGEST_NAME],
        owner=str(group.get("owner") or ""),
        notice=str(group["notice"]) if group.get("notice") else None,
        opened_at=opened_at,
        version=str(group.get("member_version") or ""),
        members=tuple(member for member in members if member is not None),
    )


def _member(item: Mapping[str, Any]) -> MemberSeen | None:
    joined_at = clock.from_unix(item.get("join_time"))
    if not item.get("userid") or joined_at is None:
        return None
    return MemberSeen(
        kind=MemberKind.STAFF if item.get("type") == _STAFF else MemberKind.CONTACT,
        userid=str(item["userid"])[:_LONGEST_ID],
        name=str(item.get("name") or item.get("group_nickname") or "")[:_LONGEST_NAME],
        joined_at=joined_at,
        scene=int(item.get("join_scene") or 1),
        invitor=str((item.get("invitor") or {}).get("userid") or "")[:_LONGEST_ID] or None,
        state=str(item.get("state") or "")[:_LONGEST_ID] or None,
    )


def is_back(row: GroupMember, seen: MemberSeen) -> bool:
    """Whether somebody who left and is listed is in again.

    Where an event told of the leaving, only a later joining counts: the list may be a moment old. A leaving that we
    only concluded from an earlier list is taken back.
    """
    return row.left_at is not None and (row.quit_scene is None or seen.joined_at >= row.left_at)
