"""Who serves a channel now, which welcome greets, and the request that sends it. Pure: values in, values out.

Times are wall time: ``local`` is an aware datetime in the corp's time zone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from scrm.channels.wording import names_customer, render_remark, render_text
from scrm.errors import Refused
from scrm.outbox.commands import SendWelcome

__all__ = [
    "DAY",
    "MAX_USERS",
    "Pool",
    "PoolMember",
    "Welcome",
    "build_welcome_request",
    "choose_welcome",
    "media_of",
    "minutes",
    "names_customer",
    "on_shift",
    "paused_pool",
    "pool",
    "render_remark",
    "render_text",
]

MAX_USERS = 100  # members of one contact way (path/92228, errcode 41041)
TEXT_MAX_BYTES = 4000  # text.content of a welcome, UTF-8 (path/92137)
DAY = 24 * 60
FALLBACK_TEXT = "您好"  # a welcome must not be empty
MEDIA_FIELDS = {"image": "media", "video": "media", "file": "media", "miniprogram": "pic_media"}

_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00")


def minutes(clock: str) -> int | None:
    """``HH:MM`` as minutes since midnight (``24:00`` = 1440); None when it is no time of day."""
    if not _CLOCK.fullmatch(clock):
        return None
    hours, _, rest = clock.partition(":")
    return int(hours) * 60 + int(rest)


def _covers(span: Mapping[str, Any], local: datetime) -> bool:
    """Whether the span holds at ``local``. No ``weekdays`` = every day; no times = all day."""
    weekdays = span.get("weekdays") or range(1, 8)
    start, end = minutes(span.get("from") or "00:00"), minutes(span.get("to") or "24:00")
    if start is None or end is None:
        return False
    today, at = local.isoweekday(), local.hour * 60 + local.minute
    if start < end:
        return today in weekdays and start <= at < end
    yesterday = (today - 2) % 7 + 1
    return (today in weekdays and at >= start) or (yesterday in weekdays and at < end)


def on_shift(schedule: Sequence[Mapping[str, Any]], local: datetime) -> set[str] | None:
    """The userids on shift; None means the whole pool: there is no schedule, or a shift without ``staff`` runs.

    A shift whose ``to`` is not after its ``from`` runs over midnight and belongs to the weekday it starts on.
    """
    if not schedule:
        return None
    on: set[str] = set()
    for shift in schedule:
        if _covers(shift, local):
            if not shift.get("staff"):
                return None
            on.update(shift["staff"])
    return on


@dataclass(frozen=True)
class PoolMember:
    """A member of a channel's pool as of now. ``available``: active, may serve customers, not on leave.

    ``on_leave``: leave is all that keeps them from it.
    """

    userid: str
    is_backup: bool = False
    available: bool = True
    taken_today: int = 0
    daily_limit: int | None = None
    on_leave: bool = False


@dataclass(frozen=True)
class Pool:
    """The list a contact way should have, and why: by ``shift``, the ``backup``, or ``all_off`` (nobody was on)."""

    users: list[str]
    reason: Literal["shift", "backup", "all_off"]


def _has_room(member: PoolMember, channel_limit: int | None) -> bool:
    limit = channel_limit if member.daily_limit is None else member.daily_limit
    return limit is None or member.taken_today < limit


def pool(
    staff: Sequence[PoolMember],
    schedule: Sequence[Mapping[str, Any]],
    daily_limit: int | None,
    local: datetime,
) -> Pool:
    """Who serves at ``local``: reps on shift and under their limit, else the backups, else everybody who is there.

    Limits and shifts do not bind backups: they are the last who can. Raises Refused when nobody is available at
    all or more than 100 would serve.
    """
    on = on_shift(schedule, local)
    serving = [
        member
        for member in staff
        if member.available
        and not member.is_backup
        and (on is None or member.userid in on)
        and _has_room(member, daily_limit)
    ]
    return _pool(serving, "shift") if serving else paused_pool(staff)


def paused_pool(staff: Sequence[PoolMember]) -> Pool:
    """Who serves while the reps are off, as in a paused channel: the backups, else everybody who is there."""
    available = [member for member in staff if member.available]
    backups = [member for member in available if member.is_backup]
    return _pool(backups, "backup") if backups else _pool(available, "all_off")


def _pool(members: Sequence[PoolMember], reason: Literal["shift", "backup", "all_off"]) -> Pool:
    users = sorted({member.userid for member in members})
    if not users:
        raise Refused(
            "channel_without_staff", "渠道没有可以接待的成员：请添加在职、已开通客户联系且未休假的成员"
        )
    if len(users) > MAX_USERS:
        raise Refused(
            "channel_too_many_staff", f"一个渠道码最多 {MAX_USERS} 名成员，当前需要 {len(users)} 名"
        )
    return Pool(users, reason)


@dataclass(frozen=True)
class Welcome:
    """What greets: the operator's text, placeholders still in it, and attachments in our shape."""

    text: str
    attachments: list[dict[str, Any]] = field(default_factory=list)


def choose_welcome(welcomes: Sequence[Mapping[str, Any]], local: datetime) -> Welcome | None:
    """The first welcome that fits the hour; one without times always fits. None when none fits."""
    for welcome in welcomes:
        if _covers(welcome, local):
            return Welcome(welcome.get("text") or "", list(welcome.get("attachments") or []))
    return None


def media_of(attachments: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of our media files that the attachments use."""
    refs = []
    for attachment in attachments:
        kind = attachment.get("msgtype", "")
        body = attachment.get(kind)
        ref = body.get(MEDIA_FIELDS.get(kind, "")) if isinstance(body, Mapping) else None
        if isinstance(ref, str) and ref:
            refs.append(ref)
    return refs


def build_welcome_request(
    command: SendWelcome, *, customer: str | None, media: Mapping[str, str]
) -> dict[str, Any]:
    """The body of send_welcome_msg. ``media``: our media file id → the platform's media id, valid ones only.

    An attachment whose media is not in ``media`` is left out: a greeting without its picture beats none.
    """
    text = _cut(render_text(command.text, customer=customer, rep=command.rep_name), TEXT_MAX_BYTES)
    attachments = [made for item in command.attachments if (made := _attachment(item, media))]
    body: dict[str, Any] = {"welcome_code": command.welcome_code}
    if text.strip() or not attachments:
        body["text"] = {"content": text if text.strip() else FALLBACK_TEXT}
    if attachments:
        body["attachments"] = attachments
    return body


def _attachment(item: Mapping[str, Any], media: Mapping[str, str]) -> dict[str, Any] | None:
    kind = item["msgtype"]
    body = dict(item[kind])
    name = MEDIA_FIELDS.get(kind)
    if name and name in body:
        media_id = media.get(body.pop(name))
        if media_id is None:
            return None
        body["pic_media_id" if kind == "miniprogram" else "media_id"] = media_id
    return {"msgtype": kind, kind: body}


def _cut(text: str, size: int) -> str:
    """At most ``size`` UTF-8 bytes, cut between characters."""
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")
