"""Decide who owns a contact and keep the reason; the open tasks of the owner before go with the contact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scrm import batch
from scrm.accounts.models import Staff, StaffStatus
from scrm.channels.models import Channel, ChannelStaff
from scrm.contacts.models import Contact, Relation
from scrm.contacts.service import LIVE, get_contact
from scrm.errors import Invalid, NotFound
from scrm.ids import new_id
from scrm.routing.models import Assignment
from scrm.routing.rules import Candidate, Strategy, choose
from scrm.tasks.handover import hand_over
from scrm.timeline import service as timeline

WINDOW = timedelta(days=30)  # weights are kept over this long


def _set_owner(
    session: Session,
    contact: Contact,
    staff: Staff,
    *,
    reason: str,
    detail: dict[str, Any],
    at: datetime,
    actor: str = "system",
) -> Assignment:
    if contact.owner_id is not None:
        hand_over(session, {contact.id: contact.owner_id}, staff, actor=actor, now=at)
    return _note_owner(session, contact, staff, reason=reason, detail=detail, at=at, actor=actor)


def _note_owner(
    session: Session,
    contact: Contact,
    staff: Staff,
    *,
    reason: str,
    detail: dict[str, Any],
    at: datetime,
    actor: str,
) -> Assignment:
    contact.owner_id = staff.id
    detail = {"staff": staff.name, **detail}
    assignment = Assignment(
        id=new_id(),
        contact_id=contact.id,
        staff_id=staff.id,
        at=at,
        reason=reason,
        detail=detail,
        actor=actor,
    )
    assignment.contact = contact
    session.add(assignment)
    timeline.append(
        session,
        contact.id,
        "owner.assigned",
        at=at,
        actor=actor,
        detail={"reason": reason, **detail},
        key=f"owner:{assignment.id}",
    )
    return assignment


def own_on_add(
    session: Session, contact: Contact, staff: Staff, *, channel_name: str | None, at: datetime
) -> Assignment | None:
    """A contact added ``staff``: the first rep owns the contact; a later one only when the owner is gone.

    None when the owner stays.
    """
    if contact.owner_id == staff.id:
        return None
    if contact.owner_id is None:
        reason = "scanned_code" if channel_name else "added_directly"
        detail = {"channel": channel_name} if channel_name else {}
        return _set_owner(session, contact, staff, reason=reason, detail=detail, at=at)
    still = select(Relation.id).where(
        Relation.contact_id == contact.id, Relation.staff_id == contact.owner_id, Relation.state.in_(LIVE)
    )
    if session.scalar(still) is not None:
        return None
    previous = session.get(Staff, contact.owner_id)
    detail = {"previous": previous.name if previous else ""}
    return _set_owner(session, contact, staff, reason="owner_gone", detail=detail, at=at)


def assign_manually(
    session: Session, contact_id: str, staff_id: str, *, actor: str, now: datetime, note: str = ""
) -> Assignment:
    """A person decides; ``note`` says why. Raises NotFound, and Invalid for a member who has left."""
    contact = get_contact(session, contact_id)
    staff = _active(session, staff_id)
    return _set_owner(
        session, contact, staff, reason="manual", detail=_by_hand(actor, note), at=now, actor=actor
    )


def assign_many(
    session: Session, contacts: Sequence[Contact], staff_id: str, *, actor: str, now: datetime, note: str = ""
) -> None:
    """As ``assign_manually`` for each, in a few statements however many."""
    staff = _active(session, staff_id)
    before = {contact.id: contact.owner_id for contact in contacts if contact.owner_id is not None}
    with batch.collect(session):
        hand_over(session, before, staff, actor=actor, now=now)
        for contact in contacts:
            _note_owner(
                session, contact, staff, reason="manual", detail=_by_hand(actor, note), at=now, actor=actor
            )


def _active(session: Session, staff_id: str) -> Staff:
    staff = session.get(Staff, staff_id)
    if staff is None:
        raise NotFound("staff_not_found", "没有这位员工")
    if staff.status is not StaffStatus.ACTIVE:
        raise Invalid("staff_not_active", f"{staff.name} 已离职或停用，请另选一位", {"staff": "不是在职员工"})
    return staff


def _by_hand(actor: str, note: str) -> dict[str, Any]:
    return {"actor": actor.removeprefix("account:"), **({"note": note} if note else {})}


def assign(
    session: Session,
    contact_id: str,
    *,
    strategy: Strategy = Strategy.ROUND_ROBIN,
    channel_id: str | None = None,
    pool: Sequence[str] | None = None,
    now: datetime,
) -> Assignment | None:
    """Give a contact that came without a rep an owner, from ``pool`` (staff ids), the channel's, or all who serve.

    None when there is nobody; the contact then stays without an owner and can be assigned by hand.
    """
    contact = get_contact(session, contact_id)
    candidates = _candidates(session, channel_id=channel_id, pool=pool, now=now)
    chosen = choose(strategy, candidates)
    if chosen is None:
        return None
    staff = session.get_one(Staff, chosen.staff_id)
    detail: dict[str, Any] = {"pool": len(candidates), "weight": chosen.weight, "load": chosen.load}
    if channel_id:
        detail["channel"] = session.scalar(select(Channel.name).where(Channel.id == channel_id))
    return _set_owner(session, contact, staff, reason=strategy.value, detail=detail, at=now)


def assign_in_turn(
    session: Session, contacts: Sequence[tuple[Contact, datetime]], *, channel_id: str | None, now: datetime
) -> int:
    """Give each contact an owner, at its instant, as ``assign`` would one after another; how many got one.

    Who can take contacts is read once: an import would ask as often as it has rows.
    """
    candidates = _candidates(session, channel_id=channel_id, pool=None, now=now)
    detail: dict[str, Any] = {"pool": len(candidates)}
    if channel_id:
        detail["channel"] = session.scalar(select(Channel.name).where(Channel.id == channel_id))
    staff = {
        row.id: row
        for row in session.scalars(select(Staff).where(Staff.id.in_([one.staff_id for one in candidates])))
    }
    for contact, at in contacts:
        chosen = choose(Strategy.ROUND_ROBIN, candidates)
        if chosen is None:
            return 0
        more = {**detail, "weight": chosen.weight, "load": chosen.load}
        _set_owner(session, contact, staff[chosen.staff_id], reason=Strategy.ROUND_ROBIN, detail=more, at=at)
        taken = replace(
            chosen, assigned=chosen.assigned + 1, load=chosen.load + 1, last_assigned=at.timestamp()
        )
        candidates = [taken if one is chosen else one for one in candidates]
    return len(contacts)


def _candidates(
    session: Session, *, channel_id: str | None, pool: Sequence[str] | None, now: datetime
) -> list[Candidate]:
    able = (Staff.status == StaffStatus.ACTIVE, Staff.serves.is_(True), Staff.on_leave.is_(False))
    weights: dict[str, int] = {}
    query = select(Staff.id, Staff.name).where(*able).order_by(Staff.id).limit(1000)
    if channel_id is not None:
        rows = session.execute(
            select(ChannelStaff.staff_id, ChannelStaff.weight).where(
                ChannelStaff.channel_id == channel_id, ChannelStaff.is_backup.is_(False)
            )
        )
        weights = {row[0]: row[1] for row in rows}
        query = query.where(Staff.id.in_(weights))
    elif pool is not None:
        query = query.where(Staff.id.in_(list(pool)))
    people = list(session.execute(query))
    ids = [staff_id for staff_id, _ in people]
    since = now - WINDOW
    given = session.execute(
        select(Assignment.staff_id, func.count(), func.max(Assignment.at))
        .where(Assignment.staff_id.in_(ids), Assignment.at >= since)
        .group_by(Assignment.staff_id)
    )
    history = {staff_id: (count, last) for staff_id, count, last in given}
    owned = session.execute(
        select(Contact.owner_id, func.count())
        .where(Contact.owner_id.in_(ids), Contact.lost_at.is_(None))
        .group_by(Contact.owner_id)
    )
    loads = {row[0]: row[1] for row in owned}
    return [
        Candidate(
            staff_id=staff_id,
            name=name,
            weight=weights.get(staff_id, 1),
            assigned=history.get(staff_id, (0, None))[0],
            load=loads.get(staff_id, 0),
            last_assigned=history[staff_id][1].timestamp() if staff_id in history else 0.0,
        )
        for staff_id, name in people
    ]
