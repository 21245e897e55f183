"""Contacts come, change and go: every variant of ``change_external_contact``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from handlers.context import Context
from handlers.events import ContactChanged
from scrm import batch
from scrm.accounts.models import Staff
from scrm.accounts.service import ensure_staff
from scrm.channels import rules as channel_rules
from scrm.channels.attribution import attribute_scan
from scrm.channels.models import Channel, ChannelTag
from scrm.channels.service import get_default_welcomes
from scrm.contacts import service as contacts
from scrm.contacts.models import Contact, RelationState
from scrm.contacts.service import Added
from scrm.outbox import service as outbox
from scrm.outbox.commands import WELCOME_DEADLINE, FetchContact, SendWelcome
from scrm.routing import service as routing
from scrm.tags import service as tags
from scrm.tags.models import TagSource
from scrm.timeline import service as timeline

LET_WELCOME_READ = timedelta(
    seconds=4
)  # a welcome that names the customer reads the profile itself, in ≤ 3 s


@dataclass(frozen=True)
class Arrival:
    """A contact who has been met and is owed a greeting, if any; the rest can wait."""

    staff: Staff
    added: Added
    channel: Channel | None
    reads_profile: bool  # sending the greeting reads the profile


def look_ahead(session: Session, events: Sequence[ContactChanged]) -> None:
    """In a batch: ask for what these need with a query or two for all."""
    contacts.find_ahead(session, {event.external_userid for event in events})


def greet_first(session: Session, event: ContactChanged, context: Context) -> None:
    """``on_contact_added`` as far as the greeting, which has seconds. All of it must follow, and repeats nothing."""
    _meet(session, event, context)


def on_contact_added(session: Session, event: ContactChanged, context: Context) -> None:
    """A contact added a member: greet, tag, own, read the profile. The half-add only greets.

    Twice, late, or before its half-add: the same rows and calls, once.
    """
    met = _meet(session, event, context)
    if met is None or event.change == "add_half_external_contact":
        return
    contact, relation, staff, channel = met.added.contact, met.added.relation, met.staff, met.channel
    read = FetchContact(
        external_userid=event.external_userid, unique=f"add:{event.userid}:{int(event.at.timestamp())}"
    )
    is_first_time = outbox.enqueue(
        session,
        read,
        now=context.now,
        contact_id=contact.id,
        caused_by=context.caused_by,
        not_before=context.now + LET_WELCOME_READ if met.reads_profile else None,
    )
    if not is_first_time:  # a replay decides nothing anew: the owner then was right then, the rep was told
        return
    if _profile_waits(session, met, context, lane=read.lane):
        reason = "欢迎语发送时已读取客户资料"
        outbox.skip_pending(
            session, contact.id, FetchContact, reason, owed_before=context.now, now=context.now
        )
    relation.notice_owed = True
    routing.own_on_add(session, contact, staff, channel_name=channel.name if channel else None, at=event.at)
    if channel is not None:
        _tag_by_channel(session, event, context, met.added, staff, channel)


def _profile_waits(session: Session, met: Arrival, context: Context, *, lane: str) -> bool:
    """Whether the greeting went out before all of this event was done, and its reading is still to be taken over."""
    return not met.added.is_new_relation and outbox.greeting_brought_profile(
        session, context.caused_by, lane=lane
    )


def _meet(session: Session, event: ContactChanged, context: Context) -> Arrival | None:
    """Contact, relation and source as of this event, and the greeting owed; None when newer events are known."""
    staff = ensure_staff(session, event.userid, now=context.now)
    half = event.change == "add_half_external_contact"
    added = contacts.record_added(session, event.external_userid, staff, at=event.at, half=half)
    channel = attribute_scan(
        session,
        contact=added.contact,
        relation=added.relation,
        staff=staff,
        state=event.state or None,
        at=event.at,
        is_new_contact=added.is_new_contact,
        key=_scan_key(added, event),
        counts=added.current or added.is_new_relation,
    )
    if channel is None:
        _came_without_channel(added.contact, event.at)
    if not added.current:
        return None
    return Arrival(staff, added, channel, _owe_welcome(session, event, context, added, staff, channel))


def _came_without_channel(contact: Contact, at: datetime) -> None:
    """A later scan is not the source of somebody who was there before; whichever event arrives first."""
    if contact.first_source_at is None or at < contact.first_source_at:
        contact.first_channel_id, contact.first_source_at = None, at


def _scan_key(added: Added, event: ContactChanged) -> str:
    """One scan per connection: the half-add and the add of the same scan share it."""
    since = added.relation.added_at or event.at
    moment = since if added.current else event.at
    return f"{event.external_userid}:{event.userid}:{int(moment.timestamp())}"[:128]


def _owe_welcome(
    session: Session,
    event: ContactChanged,
    context: Context,
    added: Added,
    staff: Staff,
    channel: Channel | None,
) -> bool:
    """Enqueue the greeting, or say on the timeline why there is none. Whether sending it reads the profile."""
    local = event.at.astimezone(context.corp.tz)
    welcomes = channel.welcomes if channel and channel.welcomes else get_default_welcomes(session)
    welcome = channel_rules.choose_welcome(welcomes, local)
    if not event.welcome_code or welcome is None:
        half_greeted = not event.welcome_code and not added.is_new_relation and not added.regained
        if not half_greeted:
            reason = "no_code" if not event.welcome_code else "no_welcome_configured"
            _no_welcome(session, event, added, reason)
        return False
    command = SendWelcome(
        welcome_code=event.welcome_code,
        userid=event.userid,
        external_userid=event.external_userid,
        text=welcome.text,
        attachments=list(welcome.attachments),
        rep_name=staff.name,
        customer_name=added.contact.name or None,
    )
    outbox.owe(
        session,
        command,
        now=context.now,
        contact_id=added.contact.id,
        caused_by=context.caused_by,
        deadline=min(event.at, context.received_at) + WELCOME_DEADLINE,
    )
    return command.customer_name is None and channel_rules.names_customer(welcome.text)


def _no_welcome(session: Session, event: ContactChanged, added: Added, reason: str) -> None:
    timeline.append(
        session,
        added.contact.id,
        "welcome.not_owed",
        at=event.at,
        detail={"reason": reason, "userid": event.userid},
        key=f"welcome.not_owed:{added.relation.id}:{int(event.at.timestamp())}",
    )


def _tag_by_channel(
    session: Session,
    event: ContactChanged,
    context: Context,
    added: Added,
    staff: Staff,
    channel: Channel,
) -> None:
    asked = {"of_channel": channel.id}
    tag_ids = batch.lookup(
        session, (ChannelTag, channel.id), lambda: list(session.scalars(_CHANNEL_TAGS, asked))
    )
    if not tag_ids:
        return
    tags.set_tags(
        session,
        contact_id=added.contact.id,
        staff_id=staff.id,
        userid=event.userid,
        external_userid=event.external_userid,
        tag_ids=tag_ids,
        source=TagSource.CHANNEL,
        source_ref=channel.id,
        actor="system",
        now=context.now,
        caused_by=context.caused_by,
        unique=f"channel:{channel.id}:{int(event.at.timestamp())}",
        afresh=not added.is_new_relation,
    )


_CHANNEL_TAGS = select(ChannelTag.tag_id).where(ChannelTag.channel_id == bindparam("of_channel"))


def on_contact_edited(session: Session, event: ContactChanged, context: Context) -> None:
    """A rep changed the remark or tags in the client: read what they are now."""
    contact, made = contacts.ensure_contact(session, event.external_userid, at=event.at)
    staff = ensure_staff(session, event.userid, now=context.now)
    stamp = int(event.at.timestamp())
    if not made:
        timeline.append(
            session,
            contact.id,
            "contact.edited",
            at=event.at,
            actor=f"staff:{event.userid}",
            detail={"staff": staff.name, "userid": event.userid},
            key=f"contact.edited:{contact.id}:{event.userid}:{stamp}",
        )
    outbox.enqueue(
        session,
        FetchContact(external_userid=event.external_userid, unique=f"edit:{event.userid}:{stamp}"),
        now=context.now,
        contact_id=contact.id,
        caused_by=context.caused_by,
    )


def on_contact_deleted(session: Session, event: ContactChanged, context: Context) -> None:
    """A member deleted the contact, or a transfer took it away (which is no churn)."""
    staff = ensure_staff(session, event.userid, now=context.now)
    transferred = event.source == "DELETE_BY_TRANSFER"
    state = RelationState.TRANSFERRED if transferred else RelationState.REMOVED
    contacts.record_ended(session, event.external_userid, staff, at=event.at, state=state)


def on_member_deleted(session: Session, event: ContactChanged, context: Context) -> None:
    """The contact deleted the member: lost."""
    staff = ensure_staff(session, event.userid, now=context.now)
    contacts.record_ended(session, event.external_userid, staff, at=event.at, state=RelationState.LOST)


def on_transfer_failed(session: Session, event: ContactChanged, context: Context) -> None:
    """A hand-over failed: ``userid`` is who would have taken over; the contact stays where it is."""
    contact, _ = contacts.ensure_contact(session, event.external_userid, at=event.at)
    staff = ensure_staff(session, event.userid, now=context.now)
    timeline.append(
        session,
        contact.id,
        "contact.transfer_failed",
        at=event.at,
        detail={"staff": staff.name, "userid": event.userid, "reason": event.fail_reason},
        key=f"contact.transfer_failed:{contact.id}:{staff.id}:{int(event.at.timestamp())}",
    )


def on_archive_agreed(session: Session, event: ContactChanged, context: Context) -> None:
    """The contact agreed to the conversation archive; a code that comes with it may greet."""
    staff = ensure_staff(session, event.userid, now=context.now)
    contact, _ = contacts.ensure_contact(session, event.external_userid, at=event.at)
    relation = contacts.find_relation(session, contact.id, staff.id)
    timeline.append(
        session,
        contact.id,
        "archive.agreed",
        at=event.at,
        actor="customer",
        detail={"staff": staff.name, "userid": event.userid},
        key=f"archive.agreed:{contact.id}:{staff.id}:{int(event.at.timestamp())}",
    )
    if relation is None or not event.welcome_code:
        return
    channel = session.get(Channel, relation.channel_id) if relation.channel_id else None
    added = Added(
        contact, relation, is_new_contact=False, is_new_relation=False, regained=False, current=True
    )
    _owe_welcome(session, event, context, added, staff, channel)
