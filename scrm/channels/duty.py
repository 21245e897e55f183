"""Who serves a channel now, member by member, and why or why not: what people ask when they look at a channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from sqlalchemy.orm import Session

from scrm.channels import codes, rules
from scrm.channels.models import ChannelState
from scrm.channels.queries import ChannelDetails, MemberRow
from scrm.channels.rules import PoolMember
from scrm.errors import Refused


class Duty(StrEnum):
    """What a member does for a channel at a moment."""

    ON = "on"
    OFF = "off"  # not their shift
    FULL = "full"  # took as many new contacts today as the limit says
    STANDBY = "standby"  # a backup whom nobody needs
    RESTING = "resting"  # the channel is paused
    LEAVE = "leave"
    GONE = "gone"  # left, disabled, or without WeCom's customer-contact permission


@dataclass(frozen=True)
class DutyRow:
    """A member of the pool with what they do now. ``limit`` is their own or the channel's."""

    member: MemberRow
    duty: Duty
    taken_today: int
    limit: int | None


@dataclass(frozen=True)
class DutyNow:
    """The pool as of now; ``reason`` as in ``rules.Pool``, ``nobody`` when no one can serve at all."""

    reason: str
    serving: list[str]
    rows: list[DutyRow]


def duty_now(session: Session, details: ChannelDetails, *, now: datetime, tz: tzinfo) -> DutyNow:
    """By the rules that the code itself follows. Two queries."""
    channel, local = details.channel, now.astimezone(tz)
    people = codes.members_now(session, [channel.id], now=now, tz=tz).get(channel.id, [])
    is_paused = channel.state == ChannelState.PAUSED
    try:
        pool = codes.pool_now(channel, people, local)
        reason, serving = str(pool.reason), pool.users
    except Refused:
        reason, serving = "nobody", []
    on = rules.on_shift(channel.schedule, local)
    by_userid = {one.userid: one for one in people}
    rows = []
    for member in details.members:
        person = by_userid[member.userid]
        limit = channel.daily_limit if person.daily_limit is None else person.daily_limit
        is_off = on is not None and person.userid not in on
        duty = _duty(person, serving, limit, is_off=is_off, is_paused=is_paused)
        rows.append(DutyRow(member, duty, person.taken_today, None if person.is_backup else limit))
    return DutyNow(reason, serving, rows)


def _duty(
    person: PoolMember, serving: list[str], limit: int | None, *, is_off: bool, is_paused: bool
) -> Duty:
    if person.userid in serving:
        return Duty.ON
    if not person.available:
        return Duty.LEAVE if person.on_leave else Duty.GONE
    if person.is_backup:
        return Duty.STANDBY
    if is_paused:
        return Duty.RESTING
    if is_off:
        return Duty.OFF
    return Duty.FULL if limit is not None and person.taken_today >= limit else Duty.STANDBY
