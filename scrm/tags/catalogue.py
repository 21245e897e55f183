"""The catalogue as a page shows it: groups, their tags, how many have each, and what WeCom has not agreed to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scrm.outbox.commands import AddCorpTags, DeleteCorpTags, EditCorpTag
from scrm.outbox.models import CallState, OutboxCall
from scrm.tags.models import ContactTag, Tag, TagGroup, TagSource

PAGE = 100
MAX_CALLS = (
    300  # the latest changes at WeCom that are looked at; older ones were settled or reconciled by a sync
)
MAX_SET = 5_000  # "who set most" is told of the newest so many


@dataclass(frozen=True)
class GroupCount:
    """A live group with how many live tags it has."""

    group: TagGroup
    tags: int


@dataclass(frozen=True)
class TagLine:
    """A tag with its group's name."""

    tag: Tag
    group: str


@dataclass(frozen=True)
class Trouble:
    """A change at WeCom that is under way, or was refused (``errcode``); ``call_id`` is where it is told."""

    call_id: int
    is_refused: bool
    errcode: int | None


@dataclass(frozen=True)
class Setter:
    """Who or what set a tag, and on how many."""

    source: TagSource
    staff_id: str
    count: int


def list_group_counts(session: Session, *, limit: int = 1000) -> list[GroupCount]:
    """Live groups as WeCom orders them, each with its number of tags, in one query."""
    query = (
        select(TagGroup, func.count(Tag.id))
        .join(Tag, (Tag.group_id == TagGroup.id) & Tag.deleted_at.is_(None), isouter=True)
        .where(TagGroup.deleted_at.is_(None))
        .group_by(TagGroup.id)
        .order_by(TagGroup.position.desc(), TagGroup.id)
        .limit(limit)
    )
    return [GroupCount(group, count) for group, count in session.execute(query)]


def list_group_tags(
    session: Session, group_id: str, *, after: tuple[int, str] | None = None, limit: int = PAGE
) -> list[Tag]:
    """The group's live tags as WeCom orders them; ``after`` is (position, id) of the last of the page before."""
    query = select(Tag).where(Tag.group_id == group_id, Tag.deleted_at.is_(None))
    if after is not None:
        position, tag_id = after
        query = query.where((Tag.position < position) | ((Tag.position == position) & (Tag.id > tag_id)))
    return list(session.scalars(query.order_by(Tag.position.desc(), Tag.id).limit(limit)))


def search_tags(session: Session, words: str, *, limit: int = PAGE) -> list[TagLine]:
    """Live tags whose name or group's name contains the words."""
    query = (
        select(Tag, TagGroup.name)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(Tag.deleted_at.is_(None), TagGroup.deleted_at.is_(None))
        .where(Tag.name.contains(words, autoescape=True) | TagGroup.name.contains(words, autoescape=True))
        .order_by(TagGroup.position.desc(), TagGroup.id, Tag.position.desc(), Tag.id)
        .limit(limit)
    )
    return [TagLine(tag, group) for tag, group in session.execute(query)]


def count_holders(session: Session, tag_ids: Collection[str]) -> dict[str, int]:
    """Tag id → how many contacts have it with any rep; walks the index tag by tag, as MariaDB would not."""
    held = select(func.count(ContactTag.contact_id.distinct())).where(ContactTag.tag_id == Tag.id)
    rows = session.execute(select(Tag.id, held.scalar_subquery()).where(Tag.id.in_(tag_ids)))
    return dict.fromkeys(tag_ids, 0) | dict(rows.all())


def count_all_holders(session: Session, group_id: str) -> int:
    """How many contacts have any tag of the group."""
    inside = select(Tag.id).where(Tag.group_id == group_id, Tag.deleted_at.is_(None))
    query = select(func.count(ContactTag.contact_id.distinct())).where(ContactTag.tag_id.in_(inside))
    return session.scalar(query) or 0


def who_set(session: Session, tag_id: str, *, limit: int = 5) -> list[Setter]:
    """Who or what set the tag on most of the newest contacts that have it, most first."""
    newest = (
        select(ContactTag.source, ContactTag.staff_id)
        .where(ContactTag.tag_id == tag_id)
        .order_by(ContactTag.contact_at.desc())
        .limit(MAX_SET)
        .subquery()
    )
    count = func.count().label("n")
    query = select(newest.c.source, newest.c.staff_id, count).group_by(newest.c.source, newest.c.staff_id)
    rows = session.execute(query.order_by(count.desc(), newest.c.staff_id).limit(limit))
    return [Setter(TagSource(source), staff_id, n) for source, staff_id, n in rows]


def last_set_at(session: Session, tag_id: str) -> datetime | None:
    """When somebody got the tag last, of the newest contacts that have it."""
    newest = (
        select(ContactTag.set_at)
        .where(ContactTag.tag_id == tag_id)
        .order_by(ContactTag.contact_at.desc())
        .limit(MAX_SET)
        .subquery()
    )
    latest: datetime | None = session.scalar(select(func.max(newest.c.set_at)))
    return latest


def list_unconfirmed(session: Session, *, limit: int = MAX_CALLS) -> list[TagLine]:
    """Live tags that WeCom has given no id to yet."""
    query = (
        select(Tag, TagGroup.name)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(Tag.deleted_at.is_(None), Tag.wecom_id.is_(None))
        .order_by(Tag.id.desc())
        .limit(limit)
    )
    return [TagLine(tag, group) for tag, group in session.execute(query)]


def troubles(session: Session, lines: Collection[TagLine]) -> dict[str, Trouble]:
    """Tag id → its latest change at WeCom, of those that are not agreed to."""
    by_name = {(line.group, line.tag.name): line.tag.id for line in lines if line.tag.wecom_id is None}
    by_wecom_id = {line.tag.wecom_id: line.tag.id for line in lines if line.tag.wecom_id}
    found: dict[str, Trouble | None] = {}
    for call in _changes(session):
        if call.command_kind == AddCorpTags.__name__:
            names = [(call.command["group_name"], name) for name in call.command["names"]]
            meant = [by_name[name] for name in names if name in by_name]
        else:
            meant = [by_wecom_id[key] for key in (call.command.get("wecom_id"),) if key in by_wecom_id]
        for tag_id in meant:
            found.setdefault(tag_id, _trouble(call))
    return {tag_id: trouble for tag_id, trouble in found.items() if trouble}


def refused_deletions(session: Session) -> list[tuple[str, Trouble]]:
    """Names of tags that are deleted here, which WeCom did not delete: they come back at the next sync."""
    refused = {
        wecom_id: trouble
        for call in _changes(session)
        if call.command_kind == DeleteCorpTags.__name__
        and (trouble := _trouble(call)) is not None
        and trouble.is_refused
        for wecom_id in call.command["tag_ids"]
    }
    gone = select(Tag).where(Tag.wecom_id.in_(refused), Tag.deleted_at.is_not(None)).order_by(Tag.id)
    return [(tag.name, refused[tag.wecom_id or ""]) for tag in session.scalars(gone)] if refused else []


def _changes(session: Session) -> list[OutboxCall]:
    """The latest calls that change WeCom's catalogue, newest first."""
    apis = (AddCorpTags.api, EditCorpTag.api, DeleteCorpTags.api)
    query = select(OutboxCall).where(OutboxCall.api.in_(apis)).order_by(OutboxCall.id.desc())
    return list(session.scalars(query.limit(MAX_CALLS)))


def _trouble(call: OutboxCall) -> Trouble | None:
    if call.state in (CallState.SENT, CallState.SKIPPED):
        return None
    is_refused = call.state in (CallState.FAILED, CallState.EXPIRED)
    return Trouble(call.id, is_refused, call.errcode if is_refused else None)
