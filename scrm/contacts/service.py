"""Write contacts and relations. Every function is safe to call twice, late, or in another order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, bindparam, select
from sqlalchemy.orm import Session

from scrm import batch, seal
from scrm.accounts.models import Staff
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind, Relation, RelationState
from scrm.errors import NotFound
from scrm.ids import new_id
from scrm.timeline import service as timeline

MAX_RELATIONS = 500
LIVE = (RelationState.HALF, RelationState.ACTIVE)


@dataclass(frozen=True)
class Added:
    """What recording an add came to. ``current`` is False when a newer event had been seen already."""

    contact: Contact
    relation: Relation
    is_new_contact: bool
    is_new_relation: bool
    regained: bool
    current: bool


def find_by_identity(session: Session, kind: IdentityKind, value: str) -> Contact | None:
    """The contact an identity belongs to."""
    wanted = {"of_kind": kind, "of_value": value}
    return batch.lookup(session, (kind, value), lambda: session.scalar(_BY_IDENTITY, wanted))


_BY_IDENTITY = (
    select(Contact)
    .join(ContactIdentity, ContactIdentity.contact_id == Contact.id)
    .where(ContactIdentity.kind == bindparam("of_kind"), ContactIdentity.value == bindparam("of_value"))
)


def find_ahead(session: Session, external_userids: Collection[str]) -> None:
    """In a batch: look these contacts and their relations up with one query each."""
    known = dict(session.execute(_WITH_VALUE, {"of_values": list(external_userids)}).all())
    for external_userid in external_userids:
        batch.remember(session, (IdentityKind.WECOM, external_userid), known.get(external_userid))
    relations: dict[str, list[Relation]] = {contact.id: [] for contact in known.values()}
    if relations:
        asked = {"of_contacts": list(relations), "at_most": MAX_RELATIONS * len(relations)}
        for relation in session.scalars(_RELATIONS_OF, asked):
            relations[relation.contact_id].append(relation)
            batch.remember(session, (Relation, relation.contact_id, relation.staff_id), relation)
    for contact_id, of_contact in relations.items():
        batch.remember(session, (Relation, contact_id), of_contact)


_WITH_VALUE = (
    select(ContactIdentity.value, Contact)
    .join(Contact, ContactIdentity.contact_id == Contact.id)
    .where(
        ContactIdentity.kind == IdentityKind.WECOM,
        ContactIdentity.value.in_(bindparam("of_values", expanding=True)),
    )
)


def find_by_external_userid(session: Session, external_userid: str) -> Contact | None:
    """The contact behind a WeCom id."""
    return find_by_identity(session, IdentityKind.WECOM, external_userid)


def get_contact(session: Session, contact_id: str) -> Contact:
    """The contact; raises NotFound."""
    contact = session.get(Contact, contact_id)
    if contact is None:
        raise NotFound("contact_not_found", "没有这位客户，或您无权查看")
    return contact


def external_userid_of(session: Session, contact_id: str) -> str | None:
    """The WeCom id of a contact; None for one who never added anybody."""
    query = select(ContactIdentity.value).where(
        ContactIdentity.contact_id == contact_id, ContactIdentity.kind == IdentityKind.WECOM
    )
    return session.scalar(query.limit(1))


def find_relation(session: Session, contact_id: str, staff_id: str) -> Relation | None:
    """The pair, whatever its state."""
    pair = {"of_contact": contact_id, "of_staff": staff_id}
    return batch.lookup(session, (Relation, contact_id, staff_id), lambda: session.scalar(_OF_PAIR, pair))


_OF_PAIR = select(Relation).where(
    Relation.contact_id == bindparam("of_contact"), Relation.staff_id == bindparam("of_staff")
)


def ensure_contact(session: Session, external_userid: str, *, at: datetime) -> tuple[Contact, bool]:
    """The contact behind a WeCom id, made if we never heard of it; and whether it was made."""
    contact = find_by_external_userid(session, external_userid)
    if contact is not None:
        return contact, False
    contact = Contact(id=new_id(), created_at=at)
    identity = ContactIdentity(kind=IdentityKind.WECOM, value=external_userid, created_at=at)
    identity.contact = contact
    session.add(identity)
    batch.remember(session, (IdentityKind.WECOM, external_userid), contact)
    return contact, True


def record_added(
    session: Session, external_userid: str, staff: Staff, *, at: datetime, half: bool = False
) -> Added:
    """The contact and ``staff`` are connected since ``at`` (``half``: the member has not confirmed yet).

    A second event of the same add changes nothing; one older than what the relation knows keeps its state and only
    fills in what is missing.
    """
    contact, new_contact = ensure_contact(session, external_userid, at=at)
    relation = None if new_contact else find_relation(session, contact.id, staff.id)
    wanted = RelationState.HALF if half else RelationState.ACTIVE
    if relation is None:
        relation = Relation(
            id=new_id(), contact_id=contact.id, staff_id=staff.id, state=wanted, event_at=at, added_at=at
        )
        relation.contact = contact
        session.add(relation)
        if not new_contact:
            contact.lost_at = None
        _added_entry(session, contact, staff, at=at, half=half, regained=False)
        return Added(contact, relation, new_contact, is_new_relation=True, regained=False, current=True)
    if at < relation.event_at:
        new_relation = relation.added_at is None
        if new_relation:
            relation.added_at = at
            _added_entry(session, contact, staff, at=at, half=half, regained=False)
        if (
            relation.lost_at is not None and relation.lost_at < at
        ):  # so the end we know of is of this connection
            relation.added_at, relation.lost_at = at, relation.event_at
            contact.lost_at = _lost_since(session, contact.id)
        return Added(contact, relation, new_contact, new_relation, regained=False, current=False)
    regained = relation.state not in LIVE
    if regained:
        relation.regained += 1
        relation.added_at, relation.lost_at = at, None
    elif half or relation.state == RelationState.ACTIVE:
        relation.event_at = at  # a loss before this one has been made good, though we hear of it later
        return Added(contact, relation, new_contact, is_new_relation=False, regained=False, current=True)
    relation.state, relation.event_at = wanted, at
    contact.lost_at = None
    _added_entry(session, contact, staff, at=at, half=half, regained=regained)
    return Added(contact, relation, new_contact, is_new_relation=False, regained=regained, current=True)


def _added_entry(
    session: Session, contact: Contact, staff: Staff, *, at: datetime, half: bool, regained: bool
) -> None:
    kind = "contact.half_added" if half else "contact.regained" if regained else "contact.added"
    timeline.append(
        session,
        contact.id,
        kind,
        at=at,
        actor="customer",
        detail={"staff": staff.name, "userid": staff.userid},
        key=f"{kind}:{contact.id}:{staff.id}:{int(at.timestamp())}",
    )


ENDED_KIND = {
    RelationState.LOST: ("contact.lost", "customer"),
    RelationState.REMOVED: ("contact.removed", "staff"),
    RelationState.TRANSFERRED: ("contact.transferred", "system"),
}


def record_ended(
    session: Session, external_userid: str, staff: Staff, *, at: datetime, state: RelationState
) -> Relation:
    """The relation ended at ``at``: lost, removed or transferred. Older events than the last one change nothing."""
    contact, _ = ensure_contact(session, external_userid, at=at)
    relation = find_relation(session, contact.id, staff.id)
    if relation is None:
        relation = Relation(contact_id=contact.id, staff_id=staff.id, state=state, event_at=at, lost_at=at)
        session.add(relation)
    elif at < relation.event_at:
        return relation
    else:
        first_end = relation.state in LIVE or relation.lost_at is None
        relation.state, relation.event_at = state, at
        if first_end:
            relation.lost_at = at
    kind, actor = ENDED_KIND[state]
    timeline.append(
        session,
        contact.id,
        kind,
        at=at,
        actor=f"staff:{staff.userid}" if actor == "staff" else actor,
        detail={"staff": staff.name, "userid": staff.userid},
        key=f"{kind}:{contact.id}:{staff.id}:{int(at.timestamp())}",
    )
    session.flush()
    contact.lost_at = _lost_since(session, contact.id)
    return relation


def _lost_since(session: Session, contact_id: str) -> datetime | None:
    """Since when nobody is connected with the contact; None while somebody is."""
    session.flush()
    relations = list_relations(session, contact_id)
    if any(relation.state in LIVE for relation in relations):
        return None
    return max((relation.lost_at for relation in relations if relation.lost_at), default=None)


def update_profile(session: Session, contact: Contact, profile: dict[str, Any], *, at: datetime) -> None:
    """Take over what the platform says about the person (``external_contact`` of externalcontact/get).

    A profile read earlier than the one we have is ignored.
    """
    if contact.profile_at is not None and at < contact.profile_at:
        return
    contact.profile_at = at
    contact.name = str(profile.get("name") or contact.name)[:128]
    contact.avatar = (profile.get("avatar") or None) and str(profile["avatar"])[:512]
    contact.gender = int(profile.get("gender") or 0)
    contact.wechat_type = int(profile.get("type") or 1)
    contact.corp_name = profile.get("corp_full_name") or profile.get("corp_name") or contact.corp_name
    unionid = profile.get("unionid")
    if unionid and find_by_identity(session, IdentityKind.UNIONID, unionid) is None:
        session.add(
            ContactIdentity(contact_id=contact.id, kind=IdentityKind.UNIONID, value=unionid, created_at=at)
        )
        batch.remember(session, (IdentityKind.UNIONID, unionid), contact)


def update_follow(relation: Relation, follow: dict[str, Any]) -> None:
    """Take over what the platform says about one pair (an item of ``follow_user``)."""
    relation.remark = str(follow.get("remark") or "")[:128] or None
    relation.description = follow.get("description") or None
    if follow.get("add_way") is not None:
        relation.add_way = int(follow["add_way"])
    if follow.get("state") and relation.way_state is None:
        relation.way_state = str(follow["state"])[:64]


def set_phone(contact: Contact, phone: str | None) -> None:
    """Keep the number encrypted, with a keyed hash to look it up by."""
    contact.phone = phone
    contact.phone_index = seal.ring().blind_index(phone) if phone else None


def list_relations(session: Session, contact_id: str) -> list[Relation]:
    """All pairs of a contact, oldest first, at most 500."""
    asked = {"of_contacts": [contact_id], "at_most": MAX_RELATIONS}
    return batch.lookup(session, (Relation, contact_id), lambda: list(session.scalars(_RELATIONS_OF, asked)))


_RELATIONS_OF = (
    select(Relation)
    .where(Relation.contact_id.in_(bindparam("of_contacts", expanding=True)))
    .order_by(Relation.added_at)
    .limit(bindparam("at_most", type_=Integer))
)
