"""Reads of tags: the catalogue, and who has which."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.tags.models import ContactTag, Tag, TagGroup


@dataclass(frozen=True)
class TagRow:
    """A tag with its group's name."""

    tag: Tag
    group: str


@dataclass(frozen=True)
class TagPage:
    """A page of tags; ``next_cursor`` is None on the last."""

    items: list[TagRow]
    next_cursor: str | None


@dataclass(frozen=True)
class GroupRow:
    """A group with its tags, in WeCom's order."""

    group: TagGroup
    tags: list[Tag]


@dataclass(frozen=True)
class ContactTagRow:
    """A tag somebody has: which, with which rep, and who or what set it."""

    tag: Tag
    group: str
    link: ContactTag


def list_tags(
    session: Session, *, cursor: str | None = None, limit: int = 50, group_id: str | None = None
) -> TagPage:
    """Live tags in the order we met them."""
    query = (
        select(Tag, TagGroup.name)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(Tag.deleted_at.is_(None))
        .order_by(Tag.id)
        .limit(limit + 1)
    )
    if cursor:
        query = query.where(Tag.id > cursor)
    if group_id:
        query = query.where(Tag.group_id == group_id)
    rows = [TagRow(tag, group) for tag, group in session.execute(query)]
    return TagPage(rows[:limit], rows[limit - 1].tag.id if len(rows) > limit else None)


def list_groups(session: Session, *, limit: int = 1000) -> list[GroupRow]:
    """Live groups with their live tags, bigger ``position`` first, as WeCom shows them."""
    groups = session.scalars(
        select(TagGroup)
        .where(TagGroup.deleted_at.is_(None))
        .order_by(TagGroup.position.desc(), TagGroup.id)
        .limit(limit)
    ).all()
    inside: dict[str, list[Tag]] = {group.id: [] for group in groups}
    tags = (
        select(Tag)
        .where(Tag.group_id.in_(inside), Tag.deleted_at.is_(None))
        .order_by(Tag.position.desc(), Tag.id)
    )
    for tag in session.scalars(tags):
        inside[tag.group_id].append(tag)
    return [GroupRow(group, inside[group.id]) for group in groups]


def tags_of_contacts(session: Session, contact_ids: Collection[str]) -> dict[str, list[ContactTagRow]]:
    """Map contact ids to the live tags they have with any rep, in one query; a contact without has an empty list."""
    found: dict[str, list[ContactTagRow]] = {contact_id: [] for contact_id in contact_ids}
    if not found:
        return found
    query = (
        select(ContactTag, Tag, TagGroup.name)
        .join(Tag, Tag.id == ContactTag.tag_id)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(ContactTag.contact_id.in_(found), Tag.deleted_at.is_(None))
        .order_by(ContactTag.set_at, ContactTag.id)
    )
    for link, tag, group in session.execute(query):
        found[link.contact_id].append(ContactTagRow(tag, group, link))
    return found
