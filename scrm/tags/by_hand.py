"""A person tags a customer: in whose name, and what WeCom allows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.contacts.models import RelationState
from scrm.contacts.service import external_userid_of, get_contact, list_relations
from scrm.errors import Invalid, Refused
from scrm.tags.marking import remove_tags, set_tags
from scrm.tags.models import Tag, TagSource


def change_tags(  # noqa: PLR0913 - all by keyword
    session: Session,
    contact_id: str,
    *,
    add: Collection[Tag],
    remove: Collection[Tag],
    source: TagSource,
    unique: str,
    actor: str,
    now: datetime,
    staff: Staff | None = None,
    rather: str | None = None,
) -> tuple[list[Tag], list[Tag]]:
    """Set and clear tags; what was new and what was there. WeCom is told by the outbox.

    With ``staff``, in that rep's name. Without: added in that of ``rather`` (a staff id), else the owner, else whoever
    is connected longest, and taken away everywhere. Raises NotFound, Refused where nobody is connected, Invalid for a
    rep who is not.
    """
    contact = get_contact(session, contact_id)
    live = _live(session, contact_id)
    external_userid = external_userid_of(session, contact_id)
    if not live or external_userid is None:
        raise Refused(
            "contact_without_relation", "该客户没有好友关系，企业微信中无法打标签；请先让员工添加客户"
        )
    if staff is not None and staff.id not in live:
        raise Invalid(
            "staff_not_related", f"{staff.name} 不是该客户的好友，请换一位员工", {"staff": "不是该客户的好友"}
        )
    setter = staff or live.get(rather or "") or live.get(contact.owner_id or "") or next(iter(live.values()))
    gone = []
    for one in (staff,) if staff else live.values():
        gone += remove_tags(
            session,
            contact_id=contact_id,
            staff_id=one.id,
            userid=one.userid,
            external_userid=external_userid,
            tag_ids=[tag.id for tag in remove],
            unique=unique,
            now=now,
            actor=actor,
        )
    made = set_tags(
        session,
        contact_id=contact_id,
        staff_id=setter.id,
        userid=setter.userid,
        external_userid=external_userid,
        tag_ids=[tag.id for tag in add],
        source=source,
        unique=unique,
        now=now,
        actor=actor,
    )
    return made, gone


def _live(session: Session, contact_id: str) -> dict[str, Staff]:
    """Staff id → member, of those the contact is connected with, longest first."""
    ids = [row.staff_id for row in list_relations(session, contact_id) if row.state is RelationState.ACTIVE]
    people = {row.id: row for row in session.scalars(select(Staff).where(Staff.id.in_(ids)))}
    return {staff_id: people[staff_id] for staff_id in ids}
