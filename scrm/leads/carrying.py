"""Tags that were chosen for an import: who gets them, and in which rep's name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind, Relation, RelationState
from scrm.tags.marking import Gift, set_tags_of_many
from scrm.tags.models import ContactTag, TagSource


@dataclass(frozen=True)
class Wanted:
    """Which tags, for what reason (``unique``: put once for it), by whom."""

    tag_ids: Collection[str]
    unique: str
    actor: str
    now: datetime


@dataclass(frozen=True)
class Tagged:
    """How many contacts got tags, of them with us only (``local``), and how many have ``nobody`` to carry them."""

    count: int = 0
    local: int = 0
    nobody: int = 0

    def __add__(self, other: Tagged) -> Tagged:
        return Tagged(self.count + other.count, self.local + other.local, self.nobody + other.nobody)


@dataclass(frozen=True)
class Carrier:
    """In whose name. ``external_userid`` is empty where WeCom knows no such connection."""

    staff: Staff
    external_userid: str = ""


def tag_contacts(session: Session, contacts: Sequence[Contact], wanted: Wanted) -> Tagged:
    """Put the tags on those who have them with no rep yet, and owe WeCom the marks where there is a connection.

    In the name of the owner, or of whoever is connected longest where the owner is not; a contact whom nobody is
    connected with has them in the owner's name with us only. In the same few statements however many.
    """
    missing = _missing(session, contacts, wanted.tag_ids)
    carriers = _carriers(session, [one for one in contacts if one.id in missing])
    gifts = [
        Gift(contact_id, carrier.staff, carrier.external_userid, missing[contact_id])
        for contact_id, carrier in carriers.items()
    ]
    if gifts:
        set_tags_of_many(
            session, gifts, source=TagSource.STAFF, unique=wanted.unique, now=wanted.now, actor=wanted.actor
        )
    local = sum(not gift.external_userid for gift in gifts)
    return Tagged(len(carriers), local, len(missing) - len(carriers))


def _missing(session: Session, contacts: Sequence[Contact], tag_ids: Collection[str]) -> dict[str, list[str]]:
    """Contact id → those of the tags it has with nobody; without contacts that have them all."""
    if not tag_ids:
        return {}
    held: dict[str, set[str]] = {}
    query = select(ContactTag.contact_id, ContactTag.tag_id).where(
        ContactTag.contact_id.in_([one.id for one in contacts]), ContactTag.tag_id.in_(tag_ids)
    )
    for contact_id, tag_id in session.execute(query):
        held.setdefault(contact_id, set()).add(tag_id)
    missing = {one.id: [key for key in tag_ids if key not in held.get(one.id, ())] for one in contacts}
    return {contact_id: keys for contact_id, keys in missing.items() if keys}


def _carriers(session: Session, contacts: Sequence[Contact]) -> dict[str, Carrier]:
    """Contact id → in whose name its tags are put; without those whom nobody owns or is connected with."""
    ids = [one.id for one in contacts]
    known = select(ContactIdentity.contact_id, ContactIdentity.value).where(
        ContactIdentity.contact_id.in_(ids), ContactIdentity.kind == IdentityKind.WECOM
    )
    external: dict[str, str] = {row.contact_id: row.value for row in session.execute(known)}
    connected: dict[str, list[str]] = {}
    live = select(Relation.contact_id, Relation.staff_id).where(
        Relation.contact_id.in_(external), Relation.state == RelationState.ACTIVE
    )
    for contact_id, staff_id in session.execute(live.order_by(Relation.added_at, Relation.id)):
        connected.setdefault(contact_id, []).append(staff_id)
    wanted = {one.owner_id for one in contacts} | {key for keys in connected.values() for key in keys}
    staff = {row.id: row for row in session.scalars(select(Staff).where(Staff.id.in_(wanted - {None})))}
    found = {}
    for one in contacts:
        reps = connected.get(one.id, [])
        if reps:
            name = one.owner_id if one.owner_id in reps else reps[0]
            found[one.id] = Carrier(staff[str(name)], external[one.id])
        elif one.owner_id is not None:
            found[one.id] = Carrier(staff[one.owner_id])
    return found
