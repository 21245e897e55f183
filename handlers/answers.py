"""Answers of our own calls, coming back through the inbox: a contact's profile, a contact way, an uploaded file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from handlers.context import Context
from handlers.events import Answer
from scrm.accounts.models import Staff
from scrm.accounts.service import ensure_staff
from scrm.channels import media, rules
from scrm.channels import service as channels
from scrm.channels.models import Channel
from scrm.contacts import service as contacts
from scrm.contacts.models import Contact, Relation, RelationState
from scrm.groups import service as groups
from scrm.outbox import service as outbox
from scrm.outbox.commands import NotifyStaff, SetRemark
from scrm.routing.models import Assignment
from scrm.routing.rules import sentence
from scrm.tags import service as tags
from scrm.tags.models import TagSource

CLOCKS_DIFFER = timedelta(minutes=5)  # ours and the platform's: an end we only infer must not outrun a re-add


def look_ahead(session: Session, events: Sequence[Answer]) -> None:
    """In a batch: ask for what these profiles need with a query or two for all."""
    external_userids = {event.command["external_userid"] for event in events}
    contacts.find_ahead(session, external_userids)
    groups.find_strangers_ahead(session, external_userids)


def on_contact_read(session: Session, event: Answer, context: Context) -> None:
    """A profile was read, or could not be: take it over, then remark the contact and tell the rep."""
    contact = contacts.find_by_external_userid(session, event.command["external_userid"])
    if contact is None:
        return
    body = event.answer or {}
    groups.link_contact(session, event.command["external_userid"], contact.id)
    relations = {relation.staff_id: relation for relation in contacts.list_relations(session, contact.id)}
    if event.state == "sent" and body.get("external_contact"):
        stale = contact.profile_at is not None and event.at < contact.profile_at
        contacts.update_profile(session, contact, body["external_contact"], at=event.at)
        if not stale:
            _take_over_pairs(session, event, context, contact, relations, body)
    for relation in relations.values():
        if relation.notice_owed and relation.state == RelationState.ACTIVE:
            relation.notice_owed = False
            _remark_and_tell(session, event, context, contact, relation)


def _take_over_pairs(
    session: Session,
    event: Answer,
    context: Context,
    contact: Contact,
    relations: Mapping[str, Relation],
    body: dict[str, Any],
) -> None:
    """Remarks, tags and states of each pair; a pair the platform no longer lists was ended by the member."""
    editor = _editor(event)
    follows: Sequence[dict[str, Any]] = body.get("follow_user") or []
    listed = set()
    for follow in follows:
        staff = ensure_staff(session, follow["userid"], now=context.now)
        listed.add(staff.id)
        relation = relations.get(staff.id)
        if relation is None:
            continue  # its own add event is on the way, or the nightly sweep finds it
        contacts.update_follow(relation, follow)
        corp_tags = [tag["tag_id"] for tag in follow.get("tags") or [] if tag.get("tag_id")]
        if relation.state == RelationState.ACTIVE:
            tags.reconcile_pair(
                session,
                contact_id=contact.id,
                staff_id=staff.id,
                wecom_tag_ids=corp_tags,
                at=event.at,
                now=context.now,
                source=TagSource.STAFF if follow["userid"] == editor else TagSource.SYNC,
            )
    if body.get("next_cursor"):
        return
    ended = event.at - CLOCKS_DIFFER
    for staff_id, relation in relations.items():
        if staff_id not in listed and relation.state == RelationState.ACTIVE and relation.event_at < ended:
            staff = session.get_one(Staff, staff_id)
            external = contacts.external_userid_of(session, contact.id)
            if external:
                contacts.record_ended(session, external, staff, at=ended, state=RelationState.REMOVED)


def _editor(event: Answer) -> str | None:
    """Who edited, when the profile was read because of an edit: the new tags are his."""
    cause, _, rest = str(event.command.get("unique", "")).partition(":")
    return rest.rpartition(":")[0] if cause == "edit" else None


def _remark_and_tell(
    session: Session, event: Answer, context: Context, contact: Contact, relation: Relation
) -> None:
    staff = session.get_one(Staff, relation.staff_id)
    channel = session.get(Channel, relation.channel_id) if relation.channel_id else None
    stamp = int((relation.added_at or event.at).timestamp())
    external_userid = event.command["external_userid"]
    if channel is not None and channel.remark_template and not relation.remark and contact.name:
        date = (relation.added_at or event.at).astimezone(context.corp.tz).strftime("%m%d")
        remark = rules.render_remark(
            channel.remark_template, customer=contact.name, channel=channel.name, date=date
        )
        command = SetRemark(
            userid=staff.userid, external_userid=external_userid, remark=remark, unique=f"add:{stamp}"
        )
        outbox.owe(session, command, now=context.now, contact_id=contact.id, caused_by=context.caused_by)
    outbox.owe(
        session,
        _notice(session, context, contact, relation, staff, channel, stamp),
        now=context.now,
        contact_id=contact.id,
        caused_by=context.caused_by,
    )


def _notice(
    session: Session,
    context: Context,
    contact: Contact,
    relation: Relation,
    staff: Staff,
    channel: Channel | None,
    stamp: int,
) -> NotifyStaff:
    name = contact.name or "一位微信客户"
    latest = session.scalar(_LATEST_ASSIGNMENT, {"of_contact": contact.id})
    why = sentence(latest.reason, latest.detail) if latest else ""
    source = f"来源：{channel.name}" if channel else "来源：直接添加"
    again = "（再次添加）" if relation.regained else ""
    at = (relation.added_at or context.now).astimezone(context.corp.tz).strftime("%m-%d %H:%M")
    owner = why if contact.owner_id == staff.id else f"负责人不是您；{why}"
    return NotifyStaff(
        userid=staff.userid,
        staff=staff.name,
        agent_id=context.corp.agent_id,
        title=f"新客户：{name}{again}"[:40],
        description=f"{source}\n{owner}\n添加时间：{at}"[:170],
        url=context.corp.profile_url(contact.id, staff.userid, now=context.now),
        unique=f"{contact.id}:{stamp}",
    )


_LATEST_ASSIGNMENT = (
    select(Assignment)
    .where(Assignment.contact_id == bindparam("of_contact"))
    .order_by(Assignment.at.desc())
    .limit(1)
)


def on_way_added(session: Session, event: Answer, context: Context) -> None:
    """A contact way was created, or refused."""
    channels.on_way_created(
        session, event.command, event.state, event.errcode, event.answer, event.reason, now=context.now
    )


def on_way_updated(session: Session, event: Answer, context: Context) -> None:
    """The user list of a contact way was replaced, or not."""
    channels.on_way_updated(
        session, event.command, event.state, event.errcode, event.answer, event.reason, now=context.now
    )


def on_media_uploaded(session: Session, event: Answer, context: Context) -> None:
    """A media file has a new id on the platform, or could not be uploaded."""
    media.on_media_uploaded(session, event.command, event.state, event.answer, now=context.now)
