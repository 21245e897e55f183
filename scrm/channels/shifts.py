"""Members seen from their channels: who serves where now, when somebody is on, and what their leave would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.channels import codes
from scrm.channels.models import Channel, ChannelStaff, ChannelState
from scrm.channels.rules import DAY, PoolMember, minutes
from scrm.errors import Refused

MAX_CHANNELS = 1000
NOBODY = "nobody"


@dataclass(frozen=True)
class Serving:
    """A channel with the userids that serve it now."""

    channel: Channel
    users: list[str]


@dataclass(frozen=True)
class Place:
    """A channel a member belongs to, and whether as a backup."""

    channel: Channel
    is_backup: bool


@dataclass(frozen=True)
class Effect:
    """Who would serve a channel now without a member: ``reason`` as in ``rules.Pool``, or ``nobody``."""

    channel: Channel
    reason: str
    users: list[str]


@dataclass(frozen=True)
class Span:
    """A time on duty: weekday 1-7, minutes since midnight."""

    weekday: int
    start: int
    end: int


def list_serving(session: Session, *, now: datetime, tz: tzinfo) -> list[Serving]:
    """Each active channel with who serves it now, in three queries."""
    active = select(Channel).where(Channel.state == ChannelState.ACTIVE).order_by(Channel.name)
    channels = list(session.scalars(active.limit(MAX_CHANNELS)))
    pools = codes.members_now(session, [one.id for one in channels], now=now, tz=tz)
    local = now.astimezone(tz)
    return [Serving(one, _users(one, pools.get(one.id, []), local)[1]) for one in channels]


def places_of(session: Session, staff_id: str) -> list[Place]:
    """The channels a member belongs to, by name."""
    query = (
        select(Channel, ChannelStaff.is_backup)
        .join(ChannelStaff, ChannelStaff.channel_id == Channel.id)
        .where(ChannelStaff.staff_id == staff_id)
        .order_by(Channel.name)
        .limit(MAX_CHANNELS)
    )
    return [Place(channel, is_backup) for channel, is_backup in session.execute(query)]


def leave_effects(session: Session, staff: Staff, *, now: datetime, tz: tzinfo) -> list[Effect]:
    """What each channel of the member would do now if they went on leave; three queries."""
    channels = [place.channel for place in places_of(session, staff.id)]
    pools = codes.members_now(session, [one.id for one in channels], now=now, tz=tz)
    local = now.astimezone(tz)
    found = []
    for channel in channels:
        others = [
            replace(member, available=False) if member.userid == staff.userid else member
            for member in pools.get(channel.id, [])
        ]
        found.append(Effect(channel, *_users(channel, others, local)))
    return found


def _users(channel: Channel, members: Sequence[PoolMember], local: datetime) -> tuple[str, list[str]]:
    try:
        pool = codes.pool_now(channel, members, local)
    except Refused:
        return NOBODY, []
    return pool.reason, pool.users


def week_of(schedule: Sequence[Mapping[str, Any]], userid: str) -> list[Span]:
    """When the member is on, by weekday; a shift over midnight goes on in the next day. No schedule: always."""
    if not schedule:
        return [Span(weekday, 0, DAY) for weekday in range(1, 8)]
    spans = set()
    for shift in schedule:
        if shift.get("staff") and userid not in shift["staff"]:
            continue
        start, end = minutes(shift.get("from") or "00:00"), minutes(shift.get("to") or "24:00")
        if start is None or end is None:
            continue
        for weekday in shift.get("weekdays") or range(1, 8):
            if start < end:
                spans.add(Span(weekday, start, end))
                continue
            spans.add(Span(weekday, start, DAY))
            if end:
                spans.add(Span(weekday % 7 + 1, 0, end))
    return sorted(spans, key=lambda span: (span.weekday, span.start))
