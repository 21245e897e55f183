"""Which tags a (staff, contact) pair has: set and cleared by us, and reconciled with what WeCom lists."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, delete, or_, select
from sqlalchemy.orm import Session

from scrm import batch
from scrm.accounts.models import Staff
from scrm.contacts.models import ContactIdentity, IdentityKind
from scrm.dialects import insert_ignore
from scrm.outbox import service as outbox
from scrm.outbox.commands import MarkTags
from scrm.outbox.models import CallState, OutboxCall
from scrm.tags.models import ContactTag, Tag, TagSource
from scrm.tags.pairs import came_at, new_row, tell, tell_once
from scrm.tags.rules import PairTags, difference
from scrm.timeline import service as timeline

UNSETTLED = (CallState.PENDING, CallState.SENDING, CallState.UNKNOWN)

Pair = tuple[str, str]  # contact id, staff id


def set_tags(  # noqa: PLR0913 - all by keyword
    session: Session,
    *,
    contact_id: str,
    staff_id: str,
    userid: str,
    external_userid: str,
    tag_ids: Collection[str],
    source: TagSource,
    unique: str,
    now: datetime,
    source_ref: str | None = None,
    actor: str = "system",
    caused_by: int | None = None,
    push: bool = True,
    afresh: bool = False,
) -> list[Tag]:
    """Give the pair these tags; returns those it did not have. WeCom is owed one call for them (with ``push``).

    ``afresh``: WeCom may have forgotten those it had (it does when a member deletes a contact) and is told of all.
    ``unique`` names the reason, as an event or a request does: a second call with it changes nothing, even if
    somebody took the tags away in between. Deleted tags are passed over; a tag WeCom has not confirmed yet is
    pushed when it is (``catalog``).
    """
    held = set(session.scalars(_TAG_IDS, {"of_contact": contact_id, "of_staff": staff_id}))
    live = _live(session, tag_ids)
    missing = [tag for tag in live if tag.id not in held]
    if not missing and not afresh:
        return []
    told = not missing or tell_once(
        session, contact_id, "tag.added", missing, staff_id=staff_id, userid=userid, source=source.value,
        source_ref=source_ref, at=now, actor=actor, key=f"tag.added:{contact_id}:{staff_id}:{unique}",
    )  # fmt: skip
    if not told:
        return []
    came = came_at(session, [contact_id] if missing else [])
    rows = [new_row(contact_id, staff_id, tag.id, source, source_ref, now, came) for tag in missing]
    for row in rows:
        batch.insert(session, ContactTag, row)
    wecom_ids = [tag.wecom_id for tag in (live if afresh else missing) if tag.wecom_id]
    if push and wecom_ids:
        mark = MarkTags(userid=userid, external_userid=external_userid, add=wecom_ids, unique=unique)
        outbox.owe(session, mark, now=now, contact_id=contact_id, caused_by=caused_by)
    return missing


@dataclass(frozen=True)
class Gift:
    """New tags for a contact that has them with nobody, in a member's name.

    ``external_userid`` is empty where WeCom knows no such connection: then the tags are with us only.
    """

    contact_id: str
    staff: Staff
    external_userid: str
    tag_ids: Collection[str]


def set_tags_of_many(
    session: Session, gifts: Sequence[Gift], *, source: TagSource, unique: str, now: datetime, actor: str
) -> None:
    """As ``set_tags`` for each of the gifts, in the same few statements however many."""
    tags = {tag.id: tag for tag in _live(session, {key for gift in gifts for key in gift.tag_ids})}
    keys = {gift.contact_id: f"tag.added:{gift.contact_id}:{gift.staff.id}:{unique}"[:160] for gift in gifts}
    told = timeline.told_of(session, keys.values())
    came = came_at(session, list(keys))
    with batch.collect(session):
        for gift in gifts:
            new = [tags[key] for key in sorted(gift.tag_ids) if key in tags]
            key = keys[gift.contact_id]
            if not new or key in told:
                continue
            tell(
                session, gift.contact_id, "tag.added", new, staff_id=gift.staff.id, userid=gift.staff.userid,
                source=source.value, at=now, actor=actor, key=key,
            )  # fmt: skip
            for tag in new:
                row = new_row(gift.contact_id, gift.staff.id, tag.id, source, None, now, came)
                batch.insert(session, ContactTag, row)
            wecom_ids = [tag.wecom_id for tag in new if tag.wecom_id]
            if gift.external_userid and wecom_ids:
                mark = MarkTags(
                    userid=gift.staff.userid,
                    external_userid=gift.external_userid,
                    add=wecom_ids,
                    unique=unique,
                )
                outbox.owe(session, mark, now=now, contact_id=gift.contact_id)


def remove_tags(  # noqa: PLR0913 - all by keyword
    session: Session,
    *,
    contact_id: str,
    staff_id: str,
    userid: str,
    external_userid: str,
    tag_ids: Collection[str],
    unique: str,
    now: datetime,
    actor: str = "system",
    caused_by: int | None = None,
    push: bool = True,
) -> list[Tag]:
    """Take these tags from the pair; returns those it had. Otherwise as ``set_tags``."""
    held = set(session.scalars(_TAG_IDS, {"of_contact": contact_id, "of_staff": staff_id}))
    there = [tag for tag in _by_id(session, tag_ids) if tag.id in held]
    if not there:
        return []
    told = tell_once(
        session, contact_id, "tag.removed", there, staff_id=staff_id, userid=userid, at=now, actor=actor,
        key=f"tag.removed:{contact_id}:{staff_id}:{unique}",
    )  # fmt: skip
    if not told:
        return []
    gone = delete(ContactTag).where(ContactTag.contact_id == contact_id, ContactTag.staff_id == staff_id)
    session.execute(gone.where(ContactTag.tag_id.in_([tag.id for tag in there])))
    wecom_ids = [tag.wecom_id for tag in there if tag.wecom_id and tag.deleted_at is None]
    if push and wecom_ids:
        mark = MarkTags(
            userid=userid, external_userid=external_userid, remove=wecom_ids, unique=f"{unique}:remove"
        )
        outbox.enqueue(session, mark, now=now, contact_id=contact_id, caused_by=caused_by)
    return there


@dataclass
class TagDiff:
    """What reconciling a pair changed. ``unknown`` are WeCom ids on it that we have no tag for."""

    added: list[Tag] = field(default_factory=list)
    removed: list[Tag] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


def reconcile_pair(
    session: Session,
    *,
    contact_id: str,
    staff_id: str,
    wecom_tag_ids: Collection[str],
    at: datetime,
    now: datetime,
    source: TagSource = TagSource.SYNC,
) -> TagDiff:
    """Make the pair's tags say what WeCom listed at ``at``, as ``reconcile_pairs`` does."""
    listed = PairTags(contact_id, staff_id, wecom_tag_ids)
    return reconcile_pairs(session, [listed], at=at, now=now, source=source)[listed.pair]


def reconcile_pairs(
    session: Session,
    pairs: Sequence[PairTags],
    *,
    at: datetime,
    now: datetime,  # noqa: ARG001 - as all of its kind
    source: TagSource = TagSource.SYNC,
) -> dict[Pair, TagDiff]:
    """Make each pair's tags say what WeCom listed at ``at``: it is the truth for what is settled.

    Not judged: tags we still owe WeCom a call for or asked about after ``at``, and tags set here since.
    ``source`` is who set the tags that are new: STAFF after an edit event, else SYNC.
    """
    tags = _by_wecom_id(session, {wecom_id for pair in pairs for wecom_id in pair.wecom_tag_ids})
    held = _held(session, pairs)
    open_calls = _unsettled(session, pairs, at)
    diffs: dict[Pair, TagDiff] = {}
    added: list[tuple[Pair, Tag]] = []
    gone: list[str] = []
    for pair in pairs:
        here = held.get(pair.pair, {})
        diff = diffs[pair.pair] = _judge(pair, tags, here, open_calls.get(pair.pair, set()), at)
        added += [(pair.pair, tag) for tag in diff.added]
        gone += [here[tag.id].row.id for tag in diff.removed]
    came = came_at(session, {contact_id for (contact_id, _), _ in added})
    rows = [new_row(*pair, tag.id, source, None, at, came) for pair, tag in added]
    insert_ignore(session, ContactTag, rows)
    if gone:
        session.execute(delete(ContactTag).where(ContactTag.id.in_(gone)))
    _tell_diffs(session, diffs, source=source, at=at)
    return diffs


@dataclass(frozen=True)
class _Held:
    row: ContactTag
    tag: Tag


def _judge(
    pair: PairTags, tags: dict[str, Tag], here: dict[str, _Held], open_calls: set[str], at: datetime
) -> TagDiff:
    listed = {tags[wecom_id].id: tags[wecom_id] for wecom_id in pair.wecom_tag_ids if wecom_id in tags}
    known = listed | {tag_id: held.tag for tag_id, held in here.items()}
    waiting = {tag_id for tag_id, tag in known.items() if tag.wecom_id is None or tag.wecom_id in open_calls}
    waiting |= {tag_id for tag_id, held in here.items() if held.row.set_at > at}
    add, remove = difference(listed, here, waiting)
    return TagDiff(
        added=[known[tag_id] for tag_id in sorted(add)],
        removed=[known[tag_id] for tag_id in sorted(remove)],
        unknown=sorted(set(pair.wecom_tag_ids) - tags.keys()),
    )


def _held(session: Session, pairs: Sequence[PairTags]) -> dict[Pair, dict[str, _Held]]:
    found: dict[Pair, dict[str, _Held]] = {}
    of_pairs = {
        "contact_ids": list({pair.contact_id for pair in pairs}),
        "staff_ids": list({pair.staff_id for pair in pairs}),
    }
    for row, tag in session.execute(_HELD, of_pairs):
        found.setdefault((row.contact_id, row.staff_id), {})[tag.id] = _Held(row, tag)
    return found


_HELD = (
    select(ContactTag, Tag)
    .join(Tag, Tag.id == ContactTag.tag_id)
    .where(ContactTag.contact_id.in_(bindparam("contact_ids", expanding=True)))
    .where(ContactTag.staff_id.in_(bindparam("staff_ids", expanding=True)))
)


def _unsettled(session: Session, pairs: Sequence[PairTags], at: datetime) -> dict[Pair, set[str]]:
    """WeCom tag ids, by pair, of calls that are open or ended after ``at``: the list may not show them yet."""
    contact_ids = {pair.contact_id for pair in pairs}
    staff = {row.userid: row.id for row in _staff(session, {pair.staff_id for pair in pairs})}
    calls = session.execute(_MARKS, {"contact_ids": list(contact_ids), "asked_at": at})
    found: dict[Pair, set[str]] = {}
    for contact_id, command in calls:
        if command["userid"] in staff and contact_id:
            ids = found.setdefault((contact_id, staff[command["userid"]]), set())
            ids.update(command.get("add") or (), command.get("remove") or ())
    return found


_MARKS = (
    select(OutboxCall.contact_id, OutboxCall.command)
    .where(OutboxCall.contact_id.in_(bindparam("contact_ids", expanding=True)))
    .where(OutboxCall.command_kind == MarkTags.__name__)
    .where(or_(OutboxCall.state.in_(UNSETTLED), OutboxCall.done_at >= bindparam("asked_at")))
)


def _staff(session: Session, staff_ids: Collection[str]) -> Iterable[Staff]:
    return session.scalars(_STAFF, {"staff_ids": list(staff_ids)})


_STAFF = select(Staff).where(Staff.id.in_(bindparam("staff_ids", expanding=True)))


def _tell_diffs(session: Session, diffs: dict[Pair, TagDiff], *, source: TagSource, at: datetime) -> None:
    changed = {pair: diff for pair, diff in diffs.items() if diff}
    if not changed:
        return
    userids = {staff.id: staff.userid for staff in _staff(session, {staff_id for _, staff_id in changed})}
    for (contact_id, staff_id), diff in changed.items():
        userid = userids[staff_id]
        actor = f"staff:{userid}" if source == TagSource.STAFF else "system"
        for kind, tags in (("tag.added", diff.added), ("tag.removed", diff.removed)):
            if tags:
                tell(
                    session, contact_id, kind, tags, staff_id=staff_id, userid=userid, source=source.value,
                    at=at, actor=actor, key=None,
                )  # fmt: skip


def push_waiting(session: Session, tags: Collection[Tag], *, now: datetime, caused_by: int | None) -> int:
    """Owe WeCom the marks of tags it has just given ids to; how many pairs had waited for them."""
    wecom_ids = {tag.id: tag.wecom_id for tag in tags if tag.wecom_id}
    if not wecom_ids:
        return 0
    waiting: dict[tuple[str, str, str], list[str]] = {}
    query = (
        select(ContactTag.contact_id, ContactTag.tag_id, Staff.userid, ContactIdentity.value)
        .join(Staff, Staff.id == ContactTag.staff_id)
        .join(ContactIdentity, ContactIdentity.contact_id == ContactTag.contact_id)
        .where(ContactTag.tag_id.in_(wecom_ids), ContactIdentity.kind == IdentityKind.WECOM)
        .order_by(ContactTag.id)
    )
    for contact_id, tag_id, userid, external_userid in session.execute(query):
        waiting.setdefault((contact_id, userid, external_userid), []).append(tag_id)
    for (contact_id, userid, external_userid), tag_ids in waiting.items():
        mark = MarkTags(
            userid=userid,
            external_userid=external_userid,
            add=[wecom_ids[tag_id] for tag_id in tag_ids],
            unique=f"created:{min(tag_ids)}",
        )
        outbox.enqueue(session, mark, now=now, contact_id=contact_id, caused_by=caused_by)
    return len(waiting)


_TAG_IDS = select(ContactTag.tag_id).where(
    ContactTag.contact_id == bindparam("of_contact"), ContactTag.staff_id == bindparam("of_staff")
)


def _by_id(session: Session, tag_ids: Collection[str]) -> list[Tag]:
    return list(session.scalars(_TAGS, {"tag_ids": list(tag_ids)})) if tag_ids else []


_TAGS = select(Tag).where(Tag.id.in_(bindparam("tag_ids", expanding=True))).order_by(Tag.id)


def _live(session: Session, tag_ids: Collection[str]) -> list[Tag]:
    tags = batch.lookup(session, (Tag, frozenset(tag_ids)), lambda: _by_id(session, tag_ids))
    return [tag for tag in tags if tag.deleted_at is None]


def _by_wecom_id(session: Session, wecom_ids: Collection[str]) -> dict[str, Tag]:
    if not wecom_ids:
        return {}
    return {str(tag.wecom_id): tag for tag in session.scalars(_LIVE_TAGS, {"wecom_ids": list(wecom_ids)})}


_LIVE_TAGS = select(Tag).where(
    Tag.wecom_id.in_(bindparam("wecom_ids", expanding=True)), Tag.deleted_at.is_(None)
)
