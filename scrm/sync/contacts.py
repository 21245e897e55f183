"""Apply pages of contacts: missed adds, regained relations, profiles and tags; and relations that are gone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.accounts import service as accounts
from scrm.accounts.models import Staff
from scrm.channels import rules as channel_rules
from scrm.channels.attribution import attribute_scan
from scrm.channels.models import Channel, ChannelCode, ChannelTag
from scrm.channels.service import get_default_welcomes
from scrm.contacts import service as contacts
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind, Relation, RelationState
from scrm.inbox.models import InboxEvent
from scrm.jobs import service as jobs
from scrm.outbox import service as outbox
from scrm.outbox.commands import FetchContact
from scrm.routing import service as routing
from scrm.sync import rules
from scrm.sync.rules import FollowSeen
from scrm.sync.service import MISSED
from scrm.tags import service as tags
from scrm.tags.models import TagSource
from scrm.tags.rules import PairTags

CHUNK = 500  # ids per IN list


@dataclass(frozen=True)
class Run:
    """The circumstances of a page: when it was read, since when adds are missed, and what a call is caused by."""

    job_id: int | None
    at: datetime
    now: datetime
    since: datetime | None
    caused_by: int
    tz: tzinfo


@dataclass
class _Known:
    """What we have of the people on a page, loaded at once."""

    staff: dict[str, Staff]
    contacts: dict[str, Contact]
    relations: dict[tuple[str, str], Relation]
    unionids: set[str]
    channels: dict[str, Channel]
    channel_tags: dict[str, list[str]]
    default_welcomes: Any


@dataclass
class _Found:
    """What a page healed, for the report."""

    added: list[str] = field(default_factory=list)
    related: list[str] = field(default_factory=list)
    regained: list[str] = field(default_factory=list)
    missed: list[dict[str, Any]] = field(default_factory=list)


def apply_page(session: Session, answer: Mapping[str, Any], run: Run) -> None:
    """Take over one page of batch/get_by_user."""
    seen = rules.parse_page(answer)
    if not seen:
        return
    known = _load(session, seen, run)
    found = _Found()
    live: list[PairTags] = []
    for item in seen:
        relation = _connect(session, item, known, found, run)
        if relation is None:
            continue
        contact = known.contacts[item.external_userid]
        _take_over(session, item, contact, relation, known, run)
        if relation.state == RelationState.ACTIVE:
            live.append(PairTags(contact.id, relation.staff_id, item.tag_ids))
    session.flush()
    diffs = tags.reconcile_pairs(session, live, at=run.at, now=run.now)
    report: dict[str, int | list[Any]] = {
        "contacts_added": found.added,
        "relations_added": found.related,
        "relations_regained": found.regained,
        "tags_fixed": sum(1 for diff in diffs.values() if diff),
        "tags_unknown": sum(len(diff.unknown) for diff in diffs.values()),
        MISSED: found.missed,
    }
    jobs.add_to_report(session, run.job_id, report)


def _load(session: Session, seen: Sequence[FollowSeen], run: Run) -> _Known:
    staff = accounts.ensure_staff_rows(session, {item.userid for item in seen}, now=run.now)
    people = _by_identity(session, IdentityKind.WECOM, {item.external_userid for item in seen})
    pairs = select(Relation).where(
        Relation.contact_id.in_({contact.id for contact in people.values()}),
        Relation.staff_id.in_({row.id for row in staff.values()}),
    )
    unionids = {str(item.profile["unionid"]) for item in seen if item.profile.get("unionid")}
    by_state = (
        select(ChannelCode.state, Channel)
        .join(Channel, Channel.id == ChannelCode.channel_id)
        .where(ChannelCode.state.in_({item.state for item in seen if item.state}))
    )
    channels = {str(state): channel for state, channel in session.execute(by_state)}
    links = select(ChannelTag).where(ChannelTag.channel_id.in_({channel.id for channel in channels.values()}))
    channel_tags: dict[str, list[str]] = {}
    for link in session.scalars(links):
        channel_tags.setdefault(link.channel_id, []).append(link.tag_id)
    return _Known(
        staff=staff,
        contacts=people,
        relations={(row.contact_id, row.staff_id): row for row in session.scalars(pairs)},
        unionids=set(_by_identity(session, IdentityKind.UNIONID, unionids)),
        channels=channels,
        channel_tags=channel_tags,
        default_welcomes=get_default_welcomes(session),
    )


def _by_identity(session: Session, kind: IdentityKind, values: Collection[str]) -> dict[str, Contact]:
    query = (
        select(ContactIdentity.value, Contact)
        .join(Contact, Contact.id == ContactIdentity.contact_id)
        .where(ContactIdentity.kind == kind, ContactIdentity.value.in_(values))
    )
    return {str(value): contact for value, contact in session.execute(query)}


def _connect(session: Session, item: FollowSeen, known: _Known, found: _Found, run: Run) -> Relation | None:
    """The pair's relation, made or made live where the platform knows more; None when we know better."""
    staff = known.staff[item.userid]
    contact = known.contacts.get(item.external_userid)
    relation = known.relations.get((contact.id, staff.id)) if contact else None
    if relation is not None and not rules.connects(relation.state, relation.event_at, item.since):
        return relation
    at = max(item.since, relation.event_at) if relation else item.since
    added = contacts.record_added(session, item.external_userid, staff, at=at)
    known.contacts[item.external_userid] = added.contact
    known.relations[added.contact.id, staff.id] = added.relation
    text = rules.names([(str(item.profile.get("name") or ""), staff.name)])
    if added.is_new_contact:
        found.added += text
    elif added.is_new_relation:
        found.related += text
    elif added.regained:
        found.regained += text
    _catch_up(session, item, known, found, run, added)
    return added.relation


def _catch_up(
    session: Session, item: FollowSeen, known: _Known, found: _Found, run: Run, added: contacts.Added
) -> None:
    """What an add we did not hear of still gets: source, owner, tags, a notice to the rep; never a late welcome."""
    staff = known.staff[item.userid]
    channel = known.channels.get(item.state or "")
    stamp = int(item.since.timestamp())
    attribute_scan(
        session,
        contact=added.contact,
        relation=added.relation,
        staff=staff,
        state=item.state,
        at=item.since,
        is_new_contact=added.is_new_contact,
        key=f"{item.external_userid}:{item.userid}:{stamp}",
    )
    name = channel.name if channel else None
    routing.own_on_add(session, added.contact, staff, channel_name=name, at=item.since)
    if channel is not None:
        tags.set_tags(
            session,
            contact_id=added.contact.id,
            staff_id=staff.id,
            userid=staff.userid,
            external_userid=item.external_userid,
            tag_ids=known.channel_tags.get(channel.id, []),
            source=TagSource.CHANNEL,
            source_ref=channel.id,
            now=run.now,
            caused_by=run.caused_by,
            unique=f"channel:{channel.id}:{stamp}",
        )
    connected = added.is_new_contact or added.is_new_relation or added.regained
    if connected and run.since is not None and item.since >= run.since:
        added.relation.notice_owed = True
        fetch = FetchContact(external_userid=item.external_userid, unique=f"add:{item.userid}:{stamp}")
        outbox.enqueue(session, fetch, now=run.now, contact_id=added.contact.id, caused_by=run.caused_by)
        found.missed += _missed_welcome(item, added.contact, staff, channel, known, run)


def _missed_welcome(
    item: FollowSeen, contact: Contact, staff: Staff, channel: Channel | None, known: _Known, run: Run
) -> list[dict[str, Any]]:
    """What the report says about a welcome that can no longer be sent; nothing where none was configured."""
    local = item.since.astimezone(run.tz)
    welcomes = (channel.welcomes if channel else None) or known.default_welcomes
    if channel_rules.choose_welcome(welcomes, local) is None:
        return []
    (text,) = rules.names([(str(item.profile.get("name") or ""), staff.name)])
    entry = {"contact_id": contact.id, "userid": staff.userid, "since": int(item.since.timestamp())}
    return [{**entry, "text": f"{text} {local:%m-%d %H:%M}"}]


def _take_over(
    session: Session, item: FollowSeen, contact: Contact, relation: Relation, known: _Known, run: Run
) -> None:
    profile = dict(item.profile)
    if profile.get("unionid") in known.unionids:
        profile.pop("unionid")  # known: spares a query for each contact
    contacts.update_profile(session, contact, profile, at=run.at)
    if profile.get("unionid"):
        known.unionids.add(str(profile["unionid"]))
    contacts.update_follow(relation, dict(item.follow))


# --- relations that are gone


def apply_batch_end(
    session: Session,
    userids: Collection[str],
    pages: Sequence[Mapping[str, Any]],
    *,
    started_at: datetime,
    job_id: int | None,
) -> None:
    """All contacts of these members were read: active relations that were on no page were ended by the member.

    Spared: pairs of which an event came in since the reading began, and members who would lose so many that more
    likely we were not shown them.
    """
    seen = {item.pair for answer in pages for item in rules.parse_page(answer)}
    hidden = {userid for answer in pages for userid in rules.unlicensed(answer)}
    if hidden:
        jobs.add_to_report(session, job_id, {"unreadable_staff": sorted(hidden & set(userids))})
    read = select(Staff).where(Staff.userid.in_(set(userids) - hidden))
    for staff in session.scalars(read):
        _end_gone(session, staff, seen, started_at=started_at, job_id=job_id)


def _end_gone(
    session: Session,
    staff: Staff,
    seen: Collection[tuple[str, str]],
    *,
    started_at: datetime,
    job_id: int | None,
) -> None:
    active = _active(session, staff)
    gone = [
        (external, name, event_at)
        for external, name, event_at in active
        if (staff.userid, external) not in seen
    ]
    if not rules.is_plausible_loss(len(active), len(gone)):
        counted = f"{staff.name} 的 {len(active)} 位客户中有 {len(gone)} 位在企业微信中看不到"
        jobs.add_to_report(session, job_id, {"warnings": [f"{counted}，未作处理：请核实应用的可见范围"]})
        return
    fresh = _touched_since(session, [external for external, _, _ in gone], started_at)
    ended = []
    for external, name, event_at in gone:
        if external not in fresh:
            at = max(event_at, started_at - rules.CLOCKS_APART)  # a newer add must count
            contacts.record_ended(session, external, staff, at=at, state=RelationState.REMOVED)
            ended.append((name, staff.name))
    jobs.add_to_report(session, job_id, {"relations_gone": rules.names(ended)})


def _active(session: Session, staff: Staff) -> list[tuple[str, str, datetime]]:
    query = (
        select(ContactIdentity.value, Contact.name, Relation.event_at)
        .join(Contact, Contact.id == ContactIdentity.contact_id)
        .join(Relation, Relation.contact_id == Contact.id)
        .where(
            Relation.staff_id == staff.id,
            Relation.state == RelationState.ACTIVE,
            ContactIdentity.kind == IdentityKind.WECOM,
        )
    )
    return [(external, name, event_at) for external, name, event_at in session.execute(query)]


def _touched_since(session: Session, externals: Sequence[str], since: datetime) -> set[str]:
    """Contacts of whom an event came in at or after ``since``: what it says is newer than what was read."""
    found: set[str] = set()
    for start in range(0, len(externals), CHUNK):
        lanes = {f"contact:{external}": external for external in externals[start : start + CHUNK]}
        query = select(InboxEvent.lane).where(InboxEvent.lane.in_(lanes), InboxEvent.received_at >= since)
        found |= {lanes[lane] for lane in session.scalars(query) if lane}
    return found


def read_pages(session: Session, keys: Sequence[str]) -> Iterator[str]:
    """The payloads of these pages as they were recorded, a few at a time."""
    for start in range(0, len(keys), 20):
        hashed = [rules.dedupe_key(key) for key in keys[start : start + 20]]
        query = select(InboxEvent.payload).where(
            InboxEvent.source == "answer", InboxEvent.dedupe_key.in_(hashed)
        )
        yield from (payload for payload in session.scalars(query) if payload)
