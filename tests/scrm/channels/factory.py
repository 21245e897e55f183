"""Rows that tests of channels need: staff, tags, contacts, relations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.channels import codes
from scrm.channels import service as channels
from scrm.channels.models import Channel, ChannelCode
from scrm.channels.spec import ChannelSpec
from scrm.contacts.models import Contact, Relation, RelationState
from scrm.outbox.models import CallState, OutboxCall
from scrm.tags.models import Tag, TagGroup


def make_staff(session: Session, *userids: str, now: datetime, **changes: Any) -> list[Staff]:
    made = [Staff(userid=userid, name=f"员工{userid}", updated_at=now, **changes) for userid in userids]
    session.add_all(made)
    session.flush()
    return made


def make_tag(session: Session, name: str, *, group: str = "来源", **changes: Any) -> Tag:
    found = session.scalar(select(TagGroup).where(TagGroup.name == group))
    if found is None:
        found = TagGroup(name=group)
        session.add(found)
        session.flush()
    tag = Tag(group_id=found.id, name=name, **changes)
    session.add(tag)
    session.flush()
    return tag


def make_channel(session: Session, *, now: datetime, **changes: Any) -> Channel:
    """A channel whose code stands, staffed by ``lisi`` and ``zhangsan`` unless said otherwise."""
    spec = ChannelSpec(**{"name": "展会", "staff": ["zhangsan", "lisi"], **changes})
    known = set(session.scalars(select(Staff.userid)))
    missing = [userid for userid in (*spec.staff, *spec.backup_staff) if userid not in known]
    make_staff(session, *missing, now=now)
    channel = channels.create_channel(session, spec, actor="token:test", now=now)
    code = code_of(session, channel)
    command = {"state": code.state, "users": code.wanted}
    answer = {"errcode": 0, "config_id": f"cfg-{code.state}", "qr_code": "https://qr.example/1"}
    codes.on_way_created(session, command, "sent", 0, answer, None, now=now)
    calls(session, "externalcontact/add_contact_way")[-1].state = CallState.SENT
    session.flush()
    return channel


def code_of(session: Session, channel: Channel) -> ChannelCode:
    return session.scalars(select(ChannelCode).where(ChannelCode.channel_id == channel.id)).one()


def make_contact(session: Session, *, now: datetime, name: str = "王五") -> Contact:
    contact = Contact(name=name, created_at=now)
    session.add(contact)
    session.flush()
    return contact


def make_relation(
    session: Session, contact: Contact, staff: Staff, *, at: datetime, **changes: Any
) -> Relation:
    values: dict[str, Any] = {"state": RelationState.ACTIVE, "event_at": at, "added_at": at, **changes}
    relation = Relation(contact_id=contact.id, staff_id=staff.id, **values)
    session.add(relation)
    session.flush()
    return relation


def calls(session: Session, api: str | None = None) -> list[OutboxCall]:
    query = select(OutboxCall).order_by(OutboxCall.id)
    return list(session.scalars(query.where(OutboxCall.api == api) if api else query))
