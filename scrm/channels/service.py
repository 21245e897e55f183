"""Writes of channels. The contact way itself follows by the outbox; ``codes`` holds what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from scrm.accounts import service as accounts
from scrm.accounts.models import Staff, StaffStatus
from scrm.channels import checks, media
from scrm.channels.checks import Problems
from scrm.channels.codes import (
    NO_STAFF,
    create_code,
    keep_codes_right,
    on_way_created,
    on_way_updated,
    sync_code,
)
from scrm.channels.media import DEFAULT_WELCOME, get_default_welcomes
from scrm.channels.models import Channel, ChannelStaff, ChannelState, ChannelTag, MediaFile
from scrm.channels.queries import describe, find_by_state, get_channel, get_code, list_channels
from scrm.channels.spec import FIELDS, ChannelSpec, media_paths, spec_problems
from scrm.dialects import insert_ignore
from scrm.errors import Conflict, Refused
from scrm.ids import new_id
from scrm.tags.models import Tag, TagGroup

__all__ = [
    "ChannelSpec",
    "create_channel",
    "describe",
    "find_by_state",
    "get_channel",
    "get_code",
    "get_default_welcomes",
    "keep_codes_right",
    "list_channels",
    "on_way_created",
    "on_way_updated",
    "pause_channel",
    "rename_in_schedules",
    "resume_channel",
    "set_default_welcome",
    "update_channel",
]

DEFAULT_TZ = ZoneInfo(
    "Asia/Shanghai"
)  # [app] timezone when the caller does not say; the job corrects by the real one
POOL_FIELDS = {"staff", "backup_staff", "schedule", "daily_limit", "daily_limits"}
MEMBER_FIELDS = {"staff", "backup_staff", "weights", "daily_limits"}
WELCOME_FIELDS = {"welcome", "welcomes"}


def create_channel(
    session: Session, spec: ChannelSpec, *, actor: str, now: datetime, tz: tzinfo = DEFAULT_TZ
) -> Channel:
    """Make a channel and owe the platform its code; the QR is there when the call was answered.

    Raises Invalid naming every wrong field, Conflict for a name that is taken, Refused when nobody could serve.
    """
    problems = spec_problems(spec)
    checks.raise_if(problems)
    staff = _find_staff(session, spec, problems)
    tags = _find_tags(session, spec.tags, problems)
    _check_media(session, list(spec.media()), problems)
    checks.raise_if(problems)
    channel = _insert(session, spec, actor=actor, now=now)
    _set_members(session, channel, spec, staff)
    _set_tags(session, channel, tags)
    session.flush()
    create_code(session, channel, now=now, tz=tz)
    media.owe_uploads(session, [ref for _, _, ref in spec.media()], now=now)
    session.flush()
    return channel


def _insert(session: Session, spec: ChannelSpec, *, actor: str, now: datetime) -> Channel:
    row = {
        "id": new_id(),
        "name": spec.name.strip(),
        "kind": "wecom",
        "state": ChannelState.ACTIVE,
        "schedule": spec.schedule,
        "daily_limit": spec.daily_limit,
        "welcomes": spec.all_welcomes(),
        "remark_template": spec.remark_template or None,
        "skip_verify": spec.skip_verify,
        "cost_fen": spec.cost_fen,
        "created_at": now,
        "created_by": actor[:128],
    }
    if not insert_ignore(session, Channel, [row]):
        raise _name_taken(spec.name)
    return session.get_one(Channel, row["id"])


def _name_taken(name: str) -> Conflict:
    return Conflict(
        "channel_name_taken", f"已有名为“{name.strip()}”的渠道，请换一个名称", {"name": "名称已被使用"}
    )


def update_channel(
    session: Session,
    channel_id: str,
    changes: Mapping[str, Any],
    *,
    actor: str,
    now: datetime,
    tz: tzinfo = DEFAULT_TZ,
) -> Channel:
    """Change the fields named (those of ChannelSpec); the QR stays, its user list follows where the pool changed.

    Raises NotFound, Invalid naming every wrong field, Conflict for a taken name, Refused when nobody could serve.
    """
    channel = get_channel(session, channel_id)
    spec = _changed(session, channel, changes)
    problems = spec_problems(spec)
    checks.raise_if(problems)
    staff = _find_staff(session, spec, problems) if changes.keys() & MEMBER_FIELDS else None
    tags = _find_tags(session, spec.tags, problems) if "tags" in changes else None
    if changes.keys() & WELCOME_FIELDS:
        _check_media(session, list(spec.media()), problems)
    checks.raise_if(problems)
    _rename(session, channel, spec.name.strip())
    _apply(channel, spec)
    channel.updated_at, channel.updated_by = now, actor[:128]
    if staff is not None:
        _set_members(session, channel, spec, staff)
    if tags is not None:
        _set_tags(session, channel, tags)
    session.flush()
    if changes.keys() & POOL_FIELDS:
        sync_code(session, channel, get_code(session, channel.id), now=now, tz=tz)
    media.owe_uploads(session, [ref for _, _, ref in spec.media()], now=now)
    session.flush()
    return channel


def _changed(session: Session, channel: Channel, changes: Mapping[str, Any]) -> ChannelSpec:
    """The channel as a spec, with the changes in it."""
    problems = {key: "没有这个字段" for key in changes if key not in FIELDS}
    if changes.get("skip_verify", channel.skip_verify) != channel.skip_verify:
        problems["skip_verify"] = "渠道码创建后不能修改，请新建渠道"
    checks.raise_if(problems)
    details = describe(session, [channel])[channel.id]
    spec = ChannelSpec(
        name=channel.name,
        staff=details.staff,
        tags=[f"{tag.group}/{tag.name}" for tag in details.tags],
        welcomes=channel.welcomes,
        schedule=channel.schedule,
        daily_limit=channel.daily_limit,
        backup_staff=details.backup_staff,
        weights={member.userid: member.weight for member in details.members},
        daily_limits={one.userid: one.daily_limit for one in details.members if one.daily_limit is not None},
        cost_fen=channel.cost_fen,
        remark_template=channel.remark_template,
        skip_verify=channel.skip_verify,
    )
    return replace(_without_the_gone(spec, changes), **changes)


def _without_the_gone(spec: ChannelSpec, changes: Mapping[str, Any]) -> ChannelSpec:
    """What a change implies for fields it does not name: ``welcome`` replaces all, who goes takes his numbers."""
    if changes.keys() & WELCOME_FIELDS:
        spec = replace(spec, welcomes=None)
    named = (changes.get("staff", spec.staff), changes.get("backup_staff", spec.backup_staff))
    stay = {one for userids in named if isinstance(userids, list) for one in userids if isinstance(one, str)}
    return replace(
        spec,
        weights={userid: weight for userid, weight in spec.weights.items() if userid in stay},
        daily_limits={userid: limit for userid, limit in spec.daily_limits.items() if userid in stay},
    )


def _rename(session: Session, channel: Channel, name: str) -> None:
    if name == channel.name:
        return
    if session.scalar(select(Channel.id).where(Channel.name == name, Channel.id != channel.id)):
        raise _name_taken(name)
    channel.name = name


def _apply(channel: Channel, spec: ChannelSpec) -> None:
    channel.schedule, channel.daily_limit = spec.schedule, spec.daily_limit
    channel.welcomes, channel.cost_fen = spec.all_welcomes(), spec.cost_fen
    channel.remark_template = spec.remark_template or None


def pause_channel(
    session: Session, channel_id: str, *, actor: str, now: datetime, tz: tzinfo = DEFAULT_TZ
) -> Channel:
    """Let the reps rest: backups serve, or everybody where there is no backup. The printed QR goes on working.

    Welcome, tags and source are as before. A second call changes nothing.
    """
    return _set_state(session, channel_id, ChannelState.PAUSED, actor=actor, now=now, tz=tz)


def resume_channel(
    session: Session, channel_id: str, *, actor: str, now: datetime, tz: tzinfo = DEFAULT_TZ
) -> Channel:
    """The reps serve again by their shifts. A second call changes nothing."""
    return _set_state(session, channel_id, ChannelState.ACTIVE, actor=actor, now=now, tz=tz)


def _set_state(
    session: Session, channel_id: str, state: ChannelState, *, actor: str, now: datetime, tz: tzinfo
) -> Channel:
    channel = get_channel(session, channel_id)
    if channel.state != state:
        channel.state, channel.updated_at, channel.updated_by = state, now, actor[:128]
        session.flush()
        code = get_code(session, channel.id)
        try:
            sync_code(session, channel, code, now=now, tz=tz)
        except Refused:  # the choice stands; the code keeps the members it has
            code.error = code.error or NO_STAFF
    return channel


def set_default_welcome(
    session: Session, spec: Mapping[str, Any], *, actor: str, now: datetime
) -> list[dict[str, Any]]:
    """What greets contacts who come without a channel: one welcome, or ``{"welcomes": [...]}`` by time of day.

    An empty list means: nothing. Raises Invalid naming every wrong field.
    """
    if "welcomes" in spec:
        problems = checks.welcomes_problems(spec["welcomes"])
        problems |= {key: "没有这个字段" for key in spec if key != "welcomes"}
    else:
        problems = checks.welcome_problems(spec, "welcome")
    checks.raise_if(problems)
    welcomes = list(spec["welcomes"]) if "welcomes" in spec else [dict(spec)]
    paths = [f"welcomes[{n}]" for n in range(len(welcomes))] if "welcomes" in spec else ["welcome"]
    refs = [ref for path, one in zip(paths, welcomes, strict=True) for ref in media_paths(one, path)]
    _check_media(session, refs, problems)
    checks.raise_if(problems)
    accounts.set_setting(session, DEFAULT_WELCOME, {"welcomes": welcomes}, actor=actor, now=now)
    media.owe_uploads(session, [ref for _, _, ref in refs], now=now)
    return welcomes


def rename_in_schedules(session: Session, old: str, new: str) -> int:
    """Let the shifts follow when WeCom renames a member's userid. How many channels changed."""
    changed = 0
    for channel in session.scalars(select(Channel)):
        if any(old in (shift.get("staff") or []) for shift in channel.schedule):
            channel.schedule = [_renamed(shift, old, new) for shift in channel.schedule]
            changed += 1
    return changed


def _renamed(shift: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    if not shift.get("staff"):
        return dict(shift)
    return {**shift, "staff": [new if userid == old else userid for userid in shift["staff"]]}


def _find_staff(session: Session, spec: ChannelSpec, problems: Problems) -> dict[str, Staff]:
    """Userid → member; adds a problem for each who is unknown or has left."""
    named = [*spec.staff, *spec.backup_staff]
    found = {row.userid: row for row in session.scalars(select(Staff).where(Staff.userid.in_(named)))}
    for path, userids in (("staff", spec.staff), ("backup_staff", spec.backup_staff)):
        for index, userid in enumerate(userids):
            if userid not in found:
                problems[f"{path}[{index}]"] = f"没有账号为“{userid}”的成员"
            elif found[userid].status == StaffStatus.LEFT:
                problems[f"{path}[{index}]"] = f"成员“{userid}”已离职"
    return found


def _set_members(session: Session, channel: Channel, spec: ChannelSpec, staff: Mapping[str, Staff]) -> None:
    rows = session.scalars(select(ChannelStaff).where(ChannelStaff.channel_id == channel.id))
    there = {row.staff_id: row for row in rows}
    for userid in (*spec.staff, *spec.backup_staff):
        staff_id = staff[userid].id
        row = there.pop(staff_id, None) or ChannelStaff(channel_id=channel.id, staff_id=staff_id)
        row.weight = spec.weights.get(userid, 1)
        row.daily_limit = spec.daily_limits.get(userid)
        row.is_backup = userid not in spec.staff
        session.add(row)
    for gone in there.values():
        session.delete(gone)


def _find_tags(session: Session, names: Sequence[str], problems: Problems) -> list[str]:
    """The ids of the tags named; adds a problem for each name that is unknown or fits several."""
    bare = {part for name in names for part in (name, name.partition("/")[2]) if part}
    rows = session.execute(
        select(Tag.id, Tag.name, TagGroup.name)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(Tag.name.in_(bare), Tag.deleted_at.is_(None), TagGroup.deleted_at.is_(None))
    ).all()
    found: list[str] = []
    for index, name in enumerate(names):
        fits = [tag_id for tag_id, tag, group in rows if name in (tag, f"{group}/{tag}")]
        if len(fits) == 1:
            found.append(fits[0])
        elif fits:
            problems[f"tags[{index}]"] = f"有多个标签叫“{name}”，请写成“组名/标签名”"
        else:
            problems[f"tags[{index}]"] = f"没有标签“{name}”，请先在标签库中创建"
    return list(dict.fromkeys(found))


def _set_tags(session: Session, channel: Channel, tag_ids: Sequence[str]) -> None:
    session.execute(delete(ChannelTag).where(ChannelTag.channel_id == channel.id))
    insert_ignore(session, ChannelTag, [{"channel_id": channel.id, "tag_id": tag_id} for tag_id in tag_ids])


def _check_media(session: Session, refs: Sequence[tuple[str, str, str]], problems: Problems) -> None:
    """Add a problem for each file that is not there or of the wrong kind."""
    if not refs:
        return
    ids = {ref for _, _, ref in refs}
    stored = session.execute(select(MediaFile.id, MediaFile.kind).where(MediaFile.id.in_(ids)))
    kinds = {file_id: kind for file_id, kind in stored}  # noqa: C416 - dict() would lose the types
    for path, wanted, ref in refs:
        if ref not in kinds:
            problems[path] = "没有这个素材，请先上传"
        elif kinds[ref] != wanted:
            problems[path] = f"这里需要 {wanted} 类型的素材，该素材是 {kinds[ref]}"
