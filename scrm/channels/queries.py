"""Reads of channels. No query per channel anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from scrm import batch
from scrm.accounts.models import Staff
from scrm.channels.models import Channel, ChannelCode, ChannelStaff, ChannelTag, MediaFile
from scrm.errors import NotFound
from scrm.tags.models import Tag, TagGroup

MAX_PAGE = 200


def get_channel(session: Session, channel_id: str) -> Channel:
    """The channel. Raises NotFound."""
    channel = session.get(Channel, channel_id)
    if channel is None:
        raise NotFound("channel_not_found", f"没有编号为 {channel_id} 的渠道")
    return channel


def get_code(session: Session, channel_id: str) -> ChannelCode:
    """The channel's code. Raises NotFound."""
    code = session.scalar(select(ChannelCode).where(ChannelCode.channel_id == channel_id))
    if code is None:
        raise NotFound("channel_code_not_found", f"渠道 {channel_id} 还没有渠道码")
    return code


def codes_of(session: Session, channel_ids: Sequence[str]) -> list[ChannelCode]:
    """The codes of these channels, in one query."""
    if not channel_ids:
        return []
    return list(session.scalars(select(ChannelCode).where(ChannelCode.channel_id.in_(channel_ids))))


def find_by_state(session: Session, state: str | None) -> Channel | None:
    """The channel whose code carries this ``state``; None for nothing or a state that is not ours."""
    if not state:
        return None
    return batch.lookup(session, (Channel, state), lambda: session.scalar(_BY_STATE, {"of_state": state}))


_BY_STATE = (
    select(Channel)
    .join(ChannelCode, ChannelCode.channel_id == Channel.id)
    .where(ChannelCode.state == bindparam("of_state"))
)


def list_channels(
    session: Session, *, cursor: str | None = None, limit: int = 50
) -> tuple[list[Channel], str | None]:
    """A page of channels, newest first, and the cursor of the next page (None on the last one)."""
    size = max(1, min(limit, MAX_PAGE))
    query = select(Channel).order_by(Channel.id.desc()).limit(size + 1)
    if cursor:
        query = query.where(Channel.id < cursor)
    rows = list(session.scalars(query))
    return rows[:size], rows[size - 1].id if len(rows) > size else None


@dataclass(frozen=True)
class MemberRow:
    """A member of a channel's pool, with the name people know."""

    staff_id: str
    userid: str
    name: str
    weight: int
    daily_limit: int | None
    is_backup: bool


@dataclass(frozen=True)
class TagRow:
    """A tag the channel sets."""

    id: str
    name: str
    group: str


@dataclass
class ChannelDetails:
    """A channel with its code, pool and tags. ``code`` is there from the channel's creation on."""

    channel: Channel
    code: ChannelCode | None = None
    members: list[MemberRow] = field(default_factory=list)
    tags: list[TagRow] = field(default_factory=list)

    @property
    def staff(self) -> list[str]:
        """The reps' userids."""
        return [member.userid for member in self.members if not member.is_backup]

    @property
    def backup_staff(self) -> list[str]:
        """The backups' userids."""
        return [member.userid for member in self.members if member.is_backup]

    @property
    def only_rep(self) -> str | None:
        """The name of the one member the code leads to; None where it may lead to another."""
        return self.members[0].name if len(self.members) == 1 else None


def describe(session: Session, channels: Sequence[Channel]) -> dict[str, ChannelDetails]:
    """Channel id → the channel with its parts: three queries however many channels there are."""
    found = {channel.id: ChannelDetails(channel) for channel in channels}
    if not found:
        return found
    for code in session.scalars(select(ChannelCode).where(ChannelCode.channel_id.in_(found))):
        found[code.channel_id].code = code
    members = (
        select(ChannelStaff, Staff.userid, Staff.name)
        .join(Staff, Staff.id == ChannelStaff.staff_id)
        .where(ChannelStaff.channel_id.in_(found))
        .order_by(Staff.userid)
    )
    for row, userid, name in session.execute(members):
        member = MemberRow(row.staff_id, userid, name, row.weight, row.daily_limit, row.is_backup)
        found[row.channel_id].members.append(member)
    tags = (
        select(ChannelTag.channel_id, Tag.id, Tag.name, TagGroup.name)
        .join(Tag, Tag.id == ChannelTag.tag_id)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(ChannelTag.channel_id.in_(found), Tag.deleted_at.is_(None))
        .order_by(TagGroup.position, TagGroup.name, Tag.position, Tag.name)
    )
    for channel_id, tag_id, name, group in session.execute(tags):
        found[channel_id].tags.append(TagRow(tag_id, name, group))
    return found


def newest_images(session: Session, *, limit: int = 12) -> list[MediaFile]:
    """The pictures of the library kept last, without their content."""
    query = select(MediaFile).where(MediaFile.kind == "image")
    return list(session.scalars(query.order_by(MediaFile.id.desc()).limit(limit)))


def get_image(session: Session, media_file_id: str) -> MediaFile:
    """A picture of the library. Raises NotFound."""
    file = session.get(MediaFile, media_file_id)
    if file is None or file.kind != "image":
        raise NotFound("media_not_found", f"没有编号为 {media_file_id} 的图片")
    return file
