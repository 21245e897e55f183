"""Changes of the catalogue beyond single tags: groups renamed and deleted, tags put in another order."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.errors import Conflict, NotFound
from scrm.ids import new_id
from scrm.outbox import service as outbox
from scrm.outbox.commands import DeleteCorpTags, EditCorpTag
from scrm.tags.models import Tag, TagGroup
from scrm.tags.rules import check_names
from scrm.tags.service import bury, get_tag


class Where(StrEnum):
    """Where a tag goes among those of its group."""

    TOP = "top"
    UP = "up"
    DOWN = "down"


def get_group(session: Session, group_id: str) -> TagGroup:
    """The live group with our id. Raises NotFound."""
    group = session.get(TagGroup, group_id)
    if group is None or group.deleted_at is not None:
        raise NotFound("tag_group_not_found", "没有这个标签组，或它已被删除", {"group_id": group_id})
    return group


def rename_group(session: Session, group_id: str, name: str, *, now: datetime) -> TagGroup:
    """Rename here and owe WeCom the same. Raises NotFound, Invalid, Conflict (name taken, or still being made)."""
    group, name = get_group(session, group_id), name.strip()
    check_names(name, ["-"])
    if name == group.name:
        return group
    taken = select(TagGroup.id).where(TagGroup.name == name, TagGroup.deleted_at.is_(None))
    if session.scalar(taken.limit(1)) is not None:
        raise Conflict("tag_group_taken", f"已有标签组「{name}」，请换一个名称", {"name": name})
    if group.wecom_id is None:
        raise Conflict("tag_not_ready", "该标签组正在企业微信中创建，请稍后再试")
    group.name = name
    session.flush()
    outbox.enqueue(session, EditCorpTag(wecom_id=group.wecom_id, name=name, unique=new_id()), now=now)
    return group


def delete_group(session: Session, group_id: str, *, now: datetime) -> list[Tag]:
    """Take the group and its tags out of use and off everybody, here and at WeCom; its tags. Raises NotFound."""
    group = get_group(session, group_id)
    tags = _live(session, group.id)
    bury(session, tags, now=now)
    group.deleted_at = now
    session.flush()
    wecom_ids = [tag.wecom_id for tag in tags if tag.wecom_id]
    if wecom_ids:
        outbox.enqueue(session, DeleteCorpTags(tag_ids=wecom_ids), now=now)
    return tags


def move_tag(session: Session, tag_id: str, where: Where, *, now: datetime) -> Tag:
    """Put the tag elsewhere in its group, here and at WeCom; at the end already, nothing happens. Raises NotFound."""
    tag = get_tag(session, tag_id)
    before = _live(session, tag.group_id)
    at = before.index(tag)
    to = {Where.TOP: 0, Where.UP: max(0, at - 1), Where.DOWN: min(len(before) - 1, at + 1)}[where]
    if to == at:
        return tag
    after = [other for other in before if other is not tag]
    after.insert(to, tag)
    for moved, position in _positions(after):
        moved.position = position
        if moved.wecom_id:
            call = EditCorpTag(wecom_id=moved.wecom_id, order=position, unique=new_id())
            outbox.enqueue(session, call, now=now)
    session.flush()
    return tag


def _positions(tags: list[Tag]) -> list[tuple[Tag, int]]:
    """The fewest new positions, from the last tag up, after which each stands above the next."""
    changed = []
    below = -1
    for tag in reversed(tags):
        if tag.position <= below:
            changed.append((tag, below + 1))
        below = max(tag.position, below + 1)
    return changed


def _live(session: Session, group_id: str) -> list[Tag]:
    inside = select(Tag).where(Tag.group_id == group_id, Tag.deleted_at.is_(None))
    return list(session.scalars(inside.order_by(Tag.position.desc(), Tag.id)))
