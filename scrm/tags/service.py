"""The catalogue of tags, two-way with WeCom; what pairs have is in ``marking``, whose functions are here by name."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from scrm.contacts.models import ContactIdentity, IdentityKind
from scrm.errors import Conflict, NotFound
from scrm.ids import new_id
from scrm.outbox import service as outbox
from scrm.outbox.commands import AddCorpTags, DeleteCorpTags, EditCorpTag, FetchContact, FetchTags
from scrm.outbox.models import OutboxCall
from scrm.tags import marking
from scrm.tags.marking import UNSETTLED, TagDiff, push_waiting, reconcile_pairs, remove_tags, set_tags
from scrm.tags.models import ContactTag, Tag, TagGroup, TagSource
from scrm.tags.naming import find_tag_by_name, named_tags, resolve_tags
from scrm.tags.rules import GroupSeen, PairTags, TagSeen, check_names, parse_groups

__all__ = [
    "PairTags",
    "TagChanges",
    "TagDiff",
    "bury",
    "create_tags",
    "delete_tag",
    "find_tag_by_name",
    "forget_group",
    "forget_tag",
    "get_tag",
    "is_creating",
    "on_tags_added",
    "on_tags_read",
    "reconcile_pair",
    "reconcile_pairs",
    "remove_tags",
    "rename_tag",
    "resolve_tags",
    "set_tags",
    "upsert_groups",
]

READ_AGAIN_AFTER = timedelta(seconds=3)  # an unknown tag's own reading is usually answered by then


@dataclass
class TagChanges:
    """What reading WeCom's tags changed; ``renamed`` pairs old and new names, ``adopted`` got their WeCom id."""

    added: list[Tag] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    deleted: list[Tag] = field(default_factory=list)
    adopted: list[Tag] = field(default_factory=list)


def upsert_groups(
    session: Session,
    groups: Iterable[Mapping[str, Any]],
    *,
    full: bool,
    now: datetime,
    caused_by: int | None = None,
) -> TagChanges:
    """Make our tags say what WeCom lists; with ``full``, those it does not list are deleted.

    Tags we are creating are matched by name and get their WeCom id; who had them already is marked then.
    """
    seen = parse_groups(groups)
    changes = TagChanges()
    rows = _group_rows(session, seen)
    tags = _tag_rows(session, seen, rows)
    for group in seen:
        if group.wecom_id not in rows and not group.deleted:
            rows[group.wecom_id] = TagGroup(id=new_id(), name=group.name)
            session.add(rows[group.wecom_id])
        if group.wecom_id in rows:
            _set_group(rows[group.wecom_id], group, now)
    session.flush()  # groups first: tags refer to them
    for group in seen:
        for tag in group.tags if group.wecom_id in rows else ():
            _set_tag(session, tags, rows[group.wecom_id], tag, changes)
    session.flush()
    if full:
        listed = {tag.wecom_id for group in seen for tag in group.tags}
        known = select(Tag).where(Tag.deleted_at.is_(None), Tag.wecom_id.is_not(None))
        changes.deleted += [tag for tag in session.scalars(known) if tag.wecom_id not in listed]
    bury(session, changes.deleted, now=now)
    push_waiting(session, changes.adopted, now=now, caused_by=caused_by)
    return changes


def _group_rows(session: Session, seen: Sequence[GroupSeen]) -> dict[str, TagGroup]:
    """WeCom id → our group; a group of ours that has no id yet is found by its name."""
    names = {group.name: group.wecom_id for group in seen if not group.deleted}
    nameless = TagGroup.wecom_id.is_(None) & TagGroup.deleted_at.is_(None) & TagGroup.name.in_(names)
    found = select(TagGroup).where(or_(TagGroup.wecom_id.in_({group.wecom_id for group in seen}), nameless))
    rows: dict[str, TagGroup] = {}
    for row in sorted(session.scalars(found), key=lambda row: row.wecom_id is None):
        rows.setdefault(row.wecom_id or names[row.name], row)
    return rows


def _tag_rows(
    session: Session, seen: Sequence[GroupSeen], groups: Mapping[str, TagGroup]
) -> dict[tuple[str, str], Tag]:
    """Our tags by ("id", WeCom id), and those without an id yet by (our group's id, name)."""
    ids = {tag.wecom_id for group in seen for tag in group.tags}
    nameless = (
        Tag.wecom_id.is_(None)
        & Tag.deleted_at.is_(None)
        & Tag.group_id.in_([row.id for row in groups.values()])
    )
    rows = session.scalars(select(Tag).where(or_(Tag.wecom_id.in_(ids), nameless)).order_by(Tag.id.desc()))
    return {("id", row.wecom_id) if row.wecom_id else (row.group_id, row.name): row for row in rows}


def _set_group(row: TagGroup, seen: GroupSeen, now: datetime) -> None:
    row.wecom_id, row.position = seen.wecom_id, seen.position
    row.name = seen.name or row.name
    row.deleted_at = (row.deleted_at or now) if seen.deleted else None


def _set_tag(
    session: Session,
    tags: dict[tuple[str, str], Tag],
    group: TagGroup,
    seen: TagSeen,
    changes: TagChanges,
) -> None:
    row = tags.get(("id", seen.wecom_id)) or tags.pop((group.id, seen.name), None)
    if seen.deleted:
        if row is not None and row.deleted_at is None:
            changes.deleted.append(row)
        return
    if row is None:
        row = tags["id", seen.wecom_id] = Tag(id=new_id(), wecom_id=seen.wecom_id, name=seen.name)
        session.add(row)
        changes.added.append(row)
    elif row.wecom_id is None:
        row.wecom_id = seen.wecom_id
        changes.adopted.append(row)
    elif row.deleted_at is not None:
        changes.added.append(row)
    elif seen.name and row.name != seen.name:
        changes.renamed.append((row.name, seen.name))
    row.group_id, row.position, row.deleted_at = group.id, seen.position, None
    row.name = seen.name or row.name


def bury(session: Session, tags: Collection[Tag], *, now: datetime) -> None:
    """Deleted tags leave everybody who had them (WeCom does so silently), and a group goes with its last tag."""
    if not tags:
        return
    for tag in tags:
        tag.deleted_at = tag.deleted_at or now
    session.flush()
    session.execute(delete(ContactTag).where(ContactTag.tag_id.in_([tag.id for tag in tags])))
    alive = select(Tag.group_id).where(Tag.deleted_at.is_(None))
    empty = select(TagGroup).where(
        TagGroup.id.in_({tag.group_id for tag in tags}),
        TagGroup.deleted_at.is_(None),
        TagGroup.id.not_in(alive),
    )
    for group in session.scalars(empty):
        group.deleted_at = now
    session.flush()


def is_creating(session: Session, *, since: datetime) -> bool:
    """Whether tags were being created at WeCom at or after ``since``: a list read then may lack them."""
    creation = select(OutboxCall.id).where(
        OutboxCall.api == AddCorpTags.api,
        or_(OutboxCall.state.in_(UNSETTLED), OutboxCall.done_at >= since),
    )
    return session.scalar(creation.limit(1)) is not None


def get_tag(session: Session, tag_id: str) -> Tag:
    """The live tag with our id. Raises NotFound."""
    tag = session.get(Tag, tag_id)
    if tag is None or tag.deleted_at is not None:
        raise NotFound("tag_not_found", "没有这个标签，或它已被删除", {"tag_id": tag_id})
    return tag


def create_tags(
    session: Session,
    group_name: str,
    names: Sequence[str],
    *,
    actor: str,  # noqa: ARG001 - for the audit
    now: datetime,
) -> list[Tag]:
    """The group's tags of these names, in this order; those missing are made here and owed to WeCom in one call.

    They can be set on contacts at once: the marks follow when WeCom has answered with their ids. Raises Invalid.
    """
    wanted = list(dict.fromkeys(name.strip() for name in names))
    group_name = group_name.strip()
    check_names(group_name, wanted)
    same_name = select(TagGroup).where(TagGroup.name == group_name, TagGroup.deleted_at.is_(None))
    group = session.scalars(same_name.order_by(TagGroup.id).limit(1)).first()
    if group is None:
        group = TagGroup(id=new_id(), name=group_name)
        session.add(group)
    inside = select(Tag).where(Tag.group_id == group.id, Tag.name.in_(wanted), Tag.deleted_at.is_(None))
    tags = {tag.name: tag for tag in session.scalars(inside)}
    missing = [name for name in wanted if name not in tags]
    for name in missing:
        tags[name] = Tag(id=new_id(), group_id=group.id, name=name)
    session.flush()  # the group first: tags refer to it
    session.add_all(tags[name] for name in missing)
    session.flush()
    if missing:
        command = AddCorpTags(group_name=group_name, names=missing, unique=tags[missing[0]].id)
        outbox.enqueue(session, command, now=now)
    return [tags[name] for name in wanted]


def rename_tag(
    session: Session,
    tag_id: str,
    name: str,
    *,
    actor: str,  # noqa: ARG001 - for the audit
    now: datetime,
) -> Tag:
    """Rename here and owe WeCom the same. Raises NotFound, Invalid, Conflict (name taken, or still being made)."""
    tag = get_tag(session, tag_id)
    name = name.strip()
    check_names("-", [name])
    if name == tag.name:
        return tag
    taken = select(Tag.id).where(Tag.group_id == tag.group_id, Tag.name == name, Tag.deleted_at.is_(None))
    if session.scalar(taken.limit(1)) is not None:
        raise Conflict("tag_name_taken", f"同一标签组里已有「{name}」", {"name": name})
    if tag.wecom_id is None:
        raise Conflict("tag_not_ready", "该标签正在企业微信中创建，请稍后再试")
    tag.name = name
    session.flush()
    outbox.enqueue(session, EditCorpTag(wecom_id=tag.wecom_id, name=name, unique=new_id()), now=now)
    return tag


def delete_tag(
    session: Session,
    tag_id: str,
    *,
    actor: str,  # noqa: ARG001 - for the audit
    now: datetime,
) -> Tag:
    """Take the tag out of use and off everybody, here and at WeCom; history keeps its name. Raises NotFound."""
    tag = get_tag(session, tag_id)
    bury(session, [tag], now=now)
    if tag.wecom_id:
        outbox.enqueue(session, DeleteCorpTags(tag_ids=[tag.wecom_id]), now=now)
    return tag


def forget_tag(session: Session, wecom_id: str, *, now: datetime) -> list[Tag]:
    """WeCom deleted this tag; returns it if we had it."""
    query = select(Tag).where(Tag.wecom_id == wecom_id, Tag.deleted_at.is_(None))
    gone = list(session.scalars(query))
    bury(session, gone, now=now)
    return gone


def forget_group(session: Session, wecom_id: str, *, now: datetime) -> list[Tag]:
    """WeCom deleted this group and with it its tags, of which it tells nothing; returns those we had."""
    group = session.scalar(select(TagGroup).where(TagGroup.wecom_id == wecom_id))
    if group is None:
        return []
    inside = select(Tag).where(Tag.group_id == group.id, Tag.deleted_at.is_(None), Tag.wecom_id.is_not(None))
    gone = list(session.scalars(inside))
    bury(session, gone, now=now)
    return gone


def on_tags_read(
    session: Session,
    groups: Iterable[Mapping[str, Any]],
    *,
    now: datetime,
    tag_ids: Collection[str] = (),
    group_ids: Collection[str] = (),
    caused_by: int | None = None,
) -> TagChanges:
    """Apply an answer of get_corp_tag_list: to a question for everything, or for these tags or groups.

    What was asked for by id and is not in the answer no longer exists.
    """
    shown = list(groups)
    everything = not tag_ids and not group_ids
    changes = upsert_groups(session, shown, full=everything, now=now, caused_by=caused_by)
    if everything:
        return changes
    seen = parse_groups(shown)
    listed = {tag.wecom_id for group in seen for tag in group.tags}
    asked = Tag.wecom_id.in_(tag_ids) | Tag.group_id.in_(
        select(TagGroup.id).where(TagGroup.wecom_id.in_(group_ids))
    )
    known = select(Tag).where(asked, Tag.deleted_at.is_(None), Tag.wecom_id.is_not(None))
    gone = [tag for tag in session.scalars(known) if tag.wecom_id not in listed]
    bury(session, gone, now=now)
    changes.deleted += gone
    return changes


def on_tags_added(
    session: Session,
    group_name: str,
    names: Sequence[str],
    group: Mapping[str, Any] | None,
    *,
    now: datetime,
    caused_by: int | None = None,
) -> TagChanges:
    """Apply the answer of add_corp_tag: our tags get their ids, and who has them already is marked.

    Names the answer leaves out (they existed before) are read from WeCom.
    """
    changes = upsert_groups(session, [group] if group else [], full=False, now=now, caused_by=caused_by)
    nameless = [
        tag for tag, said in named_tags(session, names) if said == group_name and tag.wecom_id is None
    ]
    if nameless:
        fetch = FetchTags(unique=f"added:{nameless[0].id}:{caused_by or ''}")
        outbox.enqueue(session, fetch, now=now, caused_by=caused_by)
    return changes


def reconcile_pair(
    session: Session,
    *,
    contact_id: str,
    staff_id: str,
    wecom_tag_ids: Collection[str],
    at: datetime,
    now: datetime,
    source: TagSource = TagSource.SYNC,
    caused_by: int | None = None,
) -> TagDiff:
    """Make the pair's tags say what WeCom listed at ``at`` (``marking.reconcile_pairs`` says with which exceptions).

    Tags we do not know yet are read from WeCom, and the contact once more after them.
    """
    diff = marking.reconcile_pair(
        session,
        contact_id=contact_id,
        staff_id=staff_id,
        wecom_tag_ids=wecom_tag_ids,
        at=at,
        now=now,
        source=source,
    )
    if diff.unknown:
        unique = f"unknown:{hashlib.sha256(' '.join(diff.unknown).encode()).hexdigest()[:32]}"
        outbox.enqueue(session, FetchTags(tag_ids=diff.unknown, unique=unique), now=now, caused_by=caused_by)
        known_as = select(ContactIdentity.value).where(
            ContactIdentity.contact_id == contact_id, ContactIdentity.kind == IdentityKind.WECOM
        )
        for external_userid in session.scalars(known_as.limit(1)):
            again = FetchContact(external_userid=external_userid, unique=unique)
            later = now + READ_AGAIN_AFTER
            outbox.enqueue(
                session, again, now=now, contact_id=contact_id, caused_by=caused_by, not_before=later
            )
    return diff
