"""A rep corrects what is noted of a customer: with us, and in WeCom for the rep's own connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.contacts.models import Contact, Relation, RelationState
from scrm.contacts.service import external_userid_of, find_relation, get_contact
from scrm.errors import Invalid
from scrm.leads.service import UNCHANGED, ContactChange, change_contact
from scrm.outbox import service as outbox
from scrm.outbox.commands import SetRemark
from scrm.timeline import service as timeline

LONGEST = {"remark": 20, "description": 150, "company": 20}  # path/92115
NAMES = {"remark": "备注", "description": "描述", "company": "公司", "phone": "电话"}
WECHAT_USER = 1


@dataclass(frozen=True)
class Details:
    """What is noted of a customer, as a form says it; None: not said, empty: cleared."""

    remark: str | None = None
    description: str | None = None
    company: str | None = None
    phone: str | None = None


def change_details(
    session: Session,
    contact_id: str,
    said: Details,
    *,
    staff: Staff,
    unique: str,
    actor: str,
    now: datetime,
) -> list[str]:
    """Take over what differs; which fields did. The timeline tells them, and WeCom is owed one call.

    Remark and description are of the rep's own connection. Raises NotFound; Invalid for what is too long, for a
    number that is none, and for a rep who is not connected; Conflict for the number of another contact.
    """
    contact = get_contact(session, contact_id)
    relation = find_relation(session, contact_id, staff.id)
    if relation is not None and relation.state is not RelationState.ACTIVE:
        relation = None
    wanted = _differing(contact, relation, said)
    _check(wanted, relation)
    if not wanted:
        return []
    phone_before = contact.phone
    person = ContactChange(
        corp_name=wanted["company"] or None if "company" in wanted else UNCHANGED,
        phone=wanted["phone"] or None if "phone" in wanted else UNCHANGED,
    )
    change_contact(session, contact_id, person, actor=actor, now=now)
    if contact.phone == phone_before:
        wanted.pop("phone", None)  # the same number, written in another way
    if relation is not None:
        _note(session, relation, wanted, actor=actor, now=now)
        _tell(session, contact, staff, wanted, unique=unique, now=now)
    return list(wanted)


def noted(session: Session, contact_id: str, staff: Staff) -> dict[str, str]:
    """Field → what is noted now; remark and description of the rep's own connection. Raises NotFound."""
    relation = find_relation(session, contact_id, staff.id)
    return _noted(get_contact(session, contact_id), relation)


def _noted(contact: Contact, relation: Relation | None) -> dict[str, str]:
    values = {
        "remark": relation.remark if relation else None,
        "description": relation.description if relation else None,
        "company": contact.corp_name,
        "phone": contact.phone,
    }
    return {name: value or "" for name, value in values.items()}


def _differing(contact: Contact, relation: Relation | None, said: Details) -> dict[str, str]:
    """Field → value, of what was said and is not so already."""
    now = _noted(contact, relation)
    values = {name: value.strip() for name, value in vars(said).items() if value is not None}
    return {name: value for name, value in values.items() if value != now[name]}


def _check(wanted: dict[str, str], relation: Relation | None) -> None:
    fields = {name: f"最多 {most} 个字" for name, most in LONGEST.items() if len(wanted.get(name, "")) > most}
    if relation is None:
        fields |= {name: "您不是该客户的好友" for name in ("remark", "description") if name in wanted}
    if fields:
        told = "；".join(f"{NAMES[name]}{text}" for name, text in fields.items())
        raise Invalid("details_invalid", f"资料没有保存：{told}", fields)


def _note(session: Session, relation: Relation, wanted: dict[str, str], *, actor: str, now: datetime) -> None:
    names = [NAMES[name] for name in ("remark", "description") if name in wanted]
    if not names:
        return
    if "remark" in wanted:
        relation.remark = wanted["remark"] or None
    if "description" in wanted:
        relation.description = wanted["description"] or None
    timeline.append(
        session, relation.contact_id, "contact.changed", at=now, actor=actor, detail={"names": names}
    )


def _tell(
    session: Session, contact: Contact, staff: Staff, wanted: dict[str, str], *, unique: str, now: datetime
) -> None:
    """Owe WeCom the change, as far as WeCom keeps such things."""
    external_userid = external_userid_of(session, contact.id)
    company = wanted.get("company") if contact.wechat_type == WECHAT_USER else None
    mobiles = [contact.phone] if contact.phone else []
    command = SetRemark(
        userid=staff.userid,
        external_userid=external_userid or "",
        remark=wanted.get("remark"),
        description=wanted.get("description"),
        company=company,
        mobiles=mobiles if "phone" in wanted else None,
        unique=unique,
    )
    said = (command.remark, command.description, command.company, command.mobiles)
    if external_userid is not None and any(value is not None for value in said):
        outbox.enqueue(session, command, now=now, contact_id=contact.id)
