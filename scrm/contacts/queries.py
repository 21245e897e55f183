"""Reads of contacts: a page, and everything a page shows, in a number of queries that no page size changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, or_, select, union
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from scrm import seal
from scrm.accounts.models import Staff
from scrm.channels.models import Channel
from scrm.contacts.models import Contact, ContactIdentity, Relation, RelationState, Stage
from scrm.contacts.service import LIVE
from scrm.dialects import begins_with, in_this_order
from scrm.tags.models import ContactTag
from scrm.tags.queries import ContactTagRow, tags_of_contacts

FEW = 5_000  # of these it is quicker to fetch all and sort; of more, some come soon on the way from the newest down


GONE = (RelationState.LOST, RelationState.REMOVED)


class Presence(StrEnum):
    """Whether anybody is still connected with the contact."""

    ACTIVE = "active"
    LOST = "lost"


@dataclass(frozen=True)
class Added:
    """By a connection with this member, made from ``since`` until before ``until``, in whatever state it is now.

    ``answered``: whether the rep has responded; those who left before that are no longer waited for.
    """

    staff_id: str
    since: datetime | None = None
    until: datetime | None = None
    answered: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What holds for such a relation; all states are named, so that the index finds the period in each."""
        waits = self.answered is False
        found = [
            Relation.staff_id == self.staff_id,
            Relation.state.in_(LIVE if waits else tuple(RelationState)),
        ]
        if self.since is not None:
            found.append(Relation.added_at >= self.since)
        if self.until is not None:
            found.append(Relation.added_at < self.until)
        if self.answered is not None:
            first = Relation.first_response_at
            found.append(first.is_(None) if waits else first.is_not(None))
        return found


@dataclass(frozen=True)
class ContactFilter:
    """Which contacts; None means any.

    ``q`` is the beginning of a name, of its pinyin or initials, or of a remark; or a whole phone number. ``waits``:
    somebody is connected with the contact, and no rep has responded yet. ``left_from``, ``left_to``: a connection ended
    in between and is over still.
    """

    owner_id: str | None = None
    channel_id: str | None = None
    tag_ids: Sequence[str] | None = None
    stage: Stage | None = None
    presence: Presence | None = None
    q: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    ids: Collection[str] | None = None
    waits: bool = False
    added: Added | None = None
    left_from: datetime | None = None
    left_to: datetime | None = None


@dataclass(frozen=True)
class ContactCard:
    """A contact with all that belongs to it."""

    contact: Contact
    owner: Staff | None
    channel: Channel | None
    identities: list[ContactIdentity] = field(default_factory=list)
    relations: list[tuple[Relation, Staff]] = field(default_factory=list)
    tags: list[ContactTagRow] = field(default_factory=list)


def list_contacts(
    session: Session,
    which: ContactFilter,
    *,
    before: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> list[Contact]:
    """Newest first, at most ``limit``; ``before`` is (created_at, id) of the last one of the page before."""
    walk = _walk_of(session, which)
    query = select(Contact).order_by(walk.at.desc(), walk.contact_id.desc()).limit(limit)
    if before is not None:
        at, contact_id = before
        # `<= at` alone can be sought in the index; without it each page would walk there from the newest row.
        query = query.where(walk.at <= at, or_(walk.at < at, walk.contact_id < contact_id))
    return list(session.scalars(walk.along(query, which)))


def count_contacts(session: Session, which: ContactFilter, *, most: int) -> int:
    """How many there are; counting stops at ``most``, so that it costs the same however many there are."""
    found = _walk_of(session, which).along(select(Contact.id), which).limit(most)
    return session.scalar(select(func.count()).select_from(found.subquery())) or 0


def contact_ids(session: Session, which: ContactFilter, *, limit: int) -> list[str]:
    """The ids of the newest ``limit``, in the list's order."""
    walk = _walk_of(session, which)
    query = select(Contact.id).order_by(walk.at.desc(), walk.contact_id.desc()).limit(limit)
    return list(session.scalars(walk.along(query, which)))


@dataclass(frozen=True)
class _Walk:
    """From the newest contact down: all of them, or those with one tag, which have an index of their own."""

    at: InstrumentedAttribute[Any]
    contact_id: InstrumentedAttribute[str]
    conditions: list[ColumnElement[bool]]
    tag_id: str | None = None

    def along(self, query: Select[Any], which: ContactFilter) -> Select[Any]:
        """``query``, a select of contacts, by this walk and what ``which`` asks for besides."""
        query = query.where(*self.conditions, *_conditions(which, self.at))
        if self.tag_id is None:
            return query
        again = aliased(ContactTag)  # set by several reps: the first of them stands for all
        same = and_(again.contact_id == ContactTag.contact_id, again.tag_id == self.tag_id)
        earlier = exists().where(same, again.staff_id < ContactTag.staff_id).correlate(ContactTag)
        # Not NOT EXISTS, which PostgreSQL would turn into a hash of all who have the tag; of IS NULL it expects few.
        is_first = case((earlier, None), else_=1).is_not(None)
        query = query.select_from(ContactTag).join(Contact, Contact.id == ContactTag.contact_id)
        return in_this_order(query.where(ContactTag.tag_id == self.tag_id, is_first))


def _walk_of(session: Session, which: ContactFilter) -> _Walk:
    """Along the index of its tag, where one is asked for; unless something else leaves few to be looked through."""
    conditions: list[ColumnElement[bool]] = []
    is_few = False
    if which.q:
        matching = _matching(session, which.q)
        is_few = _are_few(session, [way.ids for way in matching])
        conditions.append(_any_of(matching, is_few=is_few))
    tags = set(which.tag_ids or ())
    if len(tags) == 1:
        if not is_few and not _is_narrow(session, which):
            return _Walk(ContactTag.contact_at, ContactTag.contact_id, conditions, tags.pop())
        conditions.append(_tagged(tags).leads)
    elif which.tag_ids is not None:
        tagged = _tagged(tags)
        conditions.append(_any_of([tagged], is_few=_are_few(session, [tagged.ids])))
    return _Walk(Contact.created_at, Contact.id, conditions)


def _is_narrow(session: Session, which: ContactFilter) -> bool:
    """Whether one of the conditions that an index answers leaves few contacts."""
    found: list[Select[Any]] = []
    if which.owner_id is not None:
        found.append(select(Contact.id).where(Contact.owner_id == which.owner_id))
    if which.channel_id is not None:
        found.append(select(Contact.id).where(Contact.first_channel_id == which.channel_id))
    if which.added is not None:
        found.append(select(Relation.contact_id).where(*which.added.conditions()))
    return which.ids is not None or any(_are_few(session, [ids]) for ids in found)


def _conditions(which: ContactFilter, created_at: InstrumentedAttribute[Any]) -> list[ColumnElement[bool]]:
    """What a contact must be; ``created_at`` is the column of the walk that says when it came."""
    found: list[ColumnElement[bool]] = []
    if which.owner_id is not None:
        found.append(Contact.owner_id == which.owner_id)
    if which.channel_id is not None:
        found.append(Contact.first_channel_id == which.channel_id)
    if which.stage is not None:
        found.append(Contact.stage == which.stage)
    if which.presence is not None:
        lost = which.presence is Presence.LOST
        found.append(Contact.lost_at.is_not(None) if lost else Contact.lost_at.is_(None))
    if which.created_from is not None:
        found.append(created_at >= which.created_from)
    if which.created_to is not None:
        found.append(created_at < which.created_to)
    if which.ids is not None:
        found.append(Contact.id.in_(which.ids))
    if which.waits:
        found.append(_waits())
    if which.left_from is not None or which.left_to is not None:
        found.append(Contact.id.in_(select(Relation.contact_id).where(*left(which.left_from, which.left_to))))
    if which.added is not None:
        found.append(Contact.id.in_(select(Relation.contact_id).where(*which.added.conditions())))
    return found


def left(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    """What holds for a relation that ended from ``since`` until before ``until`` and is over still."""
    found: list[ColumnElement[bool]] = [Relation.state.in_(GONE)]
    if since is not None:
        found.append(Relation.lost_at >= since)
    if until is not None:
        found.append(Relation.lost_at < until)
    return found


def _waits() -> ColumnElement[bool]:
    mine = Relation.contact_id == Contact.id
    answered = exists().where(mine, Relation.first_response_at.is_not(None)).correlate(Contact)
    return and_(exists().where(mine, Relation.state.in_(LIVE)).correlate(Contact), ~answered)


@dataclass(frozen=True)
class _Way:
    """A way to find contacts: the ids of all, read from an index, and whether it leads to one contact at hand."""

    ids: Select[Any]
    leads: ColumnElement[bool]


def _tagged(tag_ids: Collection[str]) -> _Way:
    return _linked(ContactTag.contact_id, ContactTag.tag_id.in_(tag_ids))


def _matching(session: Session, q: str) -> list[_Way]:
    own = [begins_with(session, Contact.name, q)]
    letters = typed_letters(q)
    if letters:
        own += [
            begins_with(session, Contact.pinyin, letters),
            begins_with(session, Contact.initials, letters),
        ]
    phone = phone_digits(q)
    if phone:
        own.append(Contact.phone_index == seal.ring().blind_index(phone))
    remarked = _linked(Relation.contact_id, begins_with(session, Relation.remark, q))
    return [*(_Way(select(Contact.id).where(each), each) for each in own), remarked]


def _linked(contact_id: InstrumentedAttribute[str], condition: ColumnElement[bool]) -> _Way:
    """By rows of another table; a contact may have several."""
    # Not EXISTS, which PostgreSQL would turn into a hash of all these rows.
    one = select(literal(1)).where(contact_id == Contact.id, condition).correlate(Contact).limit(1)
    return _Way(select(contact_id.label("id")).where(condition), one.scalar_subquery().is_not(None))


def _any_of(ways: Sequence[_Way], *, is_few: bool) -> ColumnElement[bool]:
    """What any of the ways leads to. Few are fetched by their ids; many are met on the way from the newest down."""
    if not is_few:
        return or_(*(way.leads for way in ways))
    # A table of its own: MySQL would run a union within IN once for each contact.
    return Contact.id.in_(select(union(*(way.ids for way in ways)).subquery().c.id))


def _are_few(session: Session, found: Sequence[Select[Any]]) -> bool:
    """Whether these lead to few contacts. Counting stops at FEW, so that it costs the same however many there are."""
    counts = [select(func.count()).select_from(ids.limit(FEW + 1).subquery()) for ids in found]
    return sum(session.execute(select(*(count.scalar_subquery() for count in counts))).one()) <= FEW


def phone_digits(text: str) -> str | None:
    """The form in which phone numbers are kept: digits only, mainland numbers without 86. None if it is none."""
    digits = "".join(c for c in text if c not in " -()（）+")
    if not (digits.isascii() and digits.isdigit()):
        return None
    if len(digits) == 13 and digits.startswith("86"):  # noqa: PLR2004 - 86 and a mobile number
        digits = digits[2:]
    return digits if 7 <= len(digits) <= 15 else None  # noqa: PLR2004 - ITU-T E.164


def typed_letters(text: str) -> str | None:
    """The form in which pinyin is kept: small letters without blanks. None if it cannot be pinyin."""
    letters = "".join(text.split()).lower()
    return letters if letters.isascii() and letters.isalpha() else None


def load_cards(session: Session, contacts: Sequence[Contact]) -> list[ContactCard]:
    """The contacts with owner, channel, identities, relations and tags: five queries, however many contacts."""
    ids = [contact.id for contact in contacts]
    if not ids:
        return []
    identities = _identities(session, ids)
    relations = _relations(session, ids)
    people = _people(session, contacts, relations)
    channels = _channels(session, contacts)
    tags = tags_of_contacts(session, ids)
    return [
        ContactCard(
            contact,
            people.get(contact.owner_id or ""),
            channels.get(contact.first_channel_id or ""),
            identities.get(contact.id, []),
            [(relation, people[relation.staff_id]) for relation in relations.get(contact.id, [])],
            tags[contact.id],
        )
        for contact in contacts
    ]


def _identities(session: Session, ids: Sequence[str]) -> dict[str, list[ContactIdentity]]:
    found: dict[str, list[ContactIdentity]] = {}
    query = select(ContactIdentity).where(ContactIdentity.contact_id.in_(ids))
    for row in session.scalars(query.order_by(ContactIdentity.created_at, ContactIdentity.id)):
        found.setdefault(row.contact_id, []).append(row)
    return found


def _relations(session: Session, ids: Sequence[str]) -> dict[str, list[Relation]]:
    found: dict[str, list[Relation]] = {}
    query = select(Relation).where(Relation.contact_id.in_(ids))
    for row in session.scalars(query.order_by(Relation.added_at, Relation.id)):
        found.setdefault(row.contact_id, []).append(row)
    return found


def _people(
    session: Session, contacts: Sequence[Contact], relations: dict[str, list[Relation]]
) -> dict[str, Staff]:
    wanted = {contact.owner_id for contact in contacts if contact.owner_id}
    wanted |= {relation.staff_id for rows in relations.values() for relation in rows}
    if not wanted:
        return {}
    return {row.id: row for row in session.scalars(select(Staff).where(Staff.id.in_(wanted)))}


def _channels(session: Session, contacts: Sequence[Contact]) -> dict[str, Channel]:
    wanted = {contact.first_channel_id for contact in contacts if contact.first_channel_id}
    if not wanted:
        return {}
    return {row.id: row for row in session.scalars(select(Channel).where(Channel.id.in_(wanted)))}
