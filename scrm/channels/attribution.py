"""Which channel brought a contact: every scan is kept, the first source stays the first."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from scrm import batch
from scrm.accounts.models import Staff
from scrm.channels.models import Channel, Scan
from scrm.channels.queries import find_by_state
from scrm.contacts.models import Contact, Relation
from scrm.dialects import insert_ignore
from scrm.ids import new_id
from scrm.timeline import service as timeline


def attribute_scan(  # noqa: PLR0913 - all by keyword
    session: Session,
    *,
    contact: Contact,
    relation: Relation,
    staff: Staff,
    state: str | None,
    at: datetime,
    is_new_contact: bool,
    key: str,
    counts: bool = True,
) -> Channel | None:
    """Keep that the contact came through the channel of ``state``; None when the state is no channel's.

    The contact's first source is the earliest by time, whatever order events arrive in; one who was there before
    any scan (``first_source_at`` without a channel) keeps having come without one. The relation shows the latest
    scan by time. A second call with the same ``key`` changes nothing. ``counts=False``: an old event of a connection
    whose scan is counted, a replay or a half-add after its add; it may still tell the first source.
    """
    channel = find_by_state(session, state)
    if channel is None:
        return None
    if contact.first_source_at is None or at < contact.first_source_at:
        contact.first_channel_id, contact.first_source_at = channel.id, at
    if not counts:
        return channel
    scan = {
        "id": new_id(),
        "channel_id": channel.id,
        "contact_id": contact.id,
        "staff_id": staff.id,
        "at": at,
        "is_new": is_new_contact,
        "effect_key": key[:128],
    }
    if is_new_contact:
        batch.insert(session, Scan, scan)
    elif not insert_ignore(session, Scan, [scan]):
        return channel
    timeline.append(
        session,
        contact.id,
        "scan.recorded",
        at=at,
        actor="customer",
        detail={"channel": channel.name, "staff": staff.name, "userid": staff.userid},
        key=f"scan:{key}",
    )
    if is_new_contact or not _scanned_later(session, contact, staff, at):
        relation.channel_id, relation.way_state = channel.id, state
    return channel


def _scanned_later(session: Session, contact: Contact, staff: Staff, at: datetime) -> bool:
    pair = {"of_contact": contact.id, "of_staff": staff.id, "after": at}
    return session.scalar(_LATER_SCAN, pair) is not None


_LATER_SCAN = (
    select(Scan.id)
    .where(
        Scan.contact_id == bindparam("of_contact"),
        Scan.staff_id == bindparam("of_staff"),
        Scan.at > bindparam("after"),
    )
    .limit(1)
)
