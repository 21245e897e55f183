"""Contacts that people enter and change by hand or through REST, as opposed to those WeCom tells us of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Table, delete, select
from sqlalchemy.orm import Session

from scrm import seal
from scrm.channels.models import Channel
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind, Stage
from scrm.contacts.queries import phone_digits
from scrm.contacts.service import get_contact, set_phone
from scrm.dialects import insert_ignore
from scrm.errors import Conflict, Invalid
from scrm.ids import new_id
from scrm.timeline import service as timeline

UNCHANGED = "\0unchanged"
_contacts = cast("Table", Contact.__table__)  # not narrowed: a number is one person's, whoever may see them


@dataclass(frozen=True)
class ContactChange:
    """What to change; a field left at ``UNCHANGED`` stays, None clears it."""

    stage: Stage | None = None
    corp_name: str | None = UNCHANGED
    phone: str | None = UNCHANGED


def create_lead(
    session: Session,
    *,
    name: str,
    phone: str | None,
    corp_name: str | None,
    channel: Channel | None,
    actor: str,
    now: datetime,
) -> Contact:
    """A person nobody is connected with yet. Raises Invalid for a phone number that is none, Conflict for a known one.

    The owner is ``routing.service``'s to choose.
    """
    contact = Contact(
        id=new_id(),
        name=name,
        corp_name=corp_name,
        first_channel_id=channel.id if channel else None,
        first_source_at=now if channel else None,
        created_at=now,
    )
    session.add(contact)
    session.flush()
    if phone is not None:
        _take_phone(session, contact, phone, now=now)
    detail = {"channel": channel.name} if channel else {}
    timeline.append(
        session,
        contact.id,
        "contact.created",
        at=now,
        actor=actor,
        detail=detail,
        key=f"created:{contact.id}",
    )
    return contact


def change_contact(
    session: Session, contact_id: str, change: ContactChange, *, actor: str, now: datetime
) -> Contact:
    """Change stage, company or phone; the timeline tells what. What is so already is left alone.

    Raises NotFound, Invalid for a phone number that is none, Conflict for somebody else's.
    """
    contact = get_contact(session, contact_id)
    changed = []
    if change.corp_name not in (UNCHANGED, contact.corp_name):
        contact.corp_name = change.corp_name
        changed.append("公司")
    if change.phone != UNCHANGED and _change_phone(session, contact, change.phone, now=now):
        changed.append("电话")
    if changed:
        timeline.append(
            session, contact.id, "contact.changed", at=now, actor=actor, detail={"names": changed}
        )
    if change.stage is not None and change.stage != contact.stage:
        detail = {"before": contact.stage.value, "after": change.stage.value}
        contact.stage = change.stage
        timeline.append(session, contact.id, "contact.stage_changed", at=now, actor=actor, detail=detail)
    session.flush()
    return contact


def _change_phone(session: Session, contact: Contact, phone: str | None, *, now: datetime) -> bool:
    wanted = _read_phone(phone) if phone is not None else None
    if wanted == contact.phone:
        return False
    mine = delete(ContactIdentity).where(
        ContactIdentity.contact_id == contact.id, ContactIdentity.kind == IdentityKind.PHONE
    )
    session.execute(mine)
    if wanted is None:
        set_phone(contact, None)
    else:
        _take_phone(session, contact, wanted, now=now)
    return True


def _read_phone(phone: str) -> str:
    digits = phone_digits(phone)
    if digits is None:
        raise Invalid("phone_invalid", "电话号码不正确，请填写 7-15 位数字", {"phone": "应为 7-15 位数字"})
    return digits


def _take_phone(session: Session, contact: Contact, phone: str, *, now: datetime) -> None:
    """The number becomes this contact's. The unique identity decides between two who enter it at once."""
    digits = _read_phone(phone)
    index = seal.ring().blind_index(digits)
    others = select(_contacts.c.id).where(_contacts.c.phone_index == index, _contacts.c.id != contact.id)
    holder = session.scalar(others.limit(1))
    row = {
        "id": new_id(),
        "contact_id": contact.id,
        "kind": IdentityKind.PHONE,
        "value": index,  # the number itself is kept sealed, in contact.phone only
        "created_at": now,
    }
    if holder is not None or insert_ignore(session, ContactIdentity, [row]) == 0:
        told = "已有客户使用这个电话号码，请先搜索该号码；搜不到就是您无权查看，请联系管理员"
        raise Conflict("phone_taken", told, {"phone": "已属于另一位客户"})
    set_phone(contact, digits)
