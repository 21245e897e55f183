"""What the platform knows of the company, read from our database, as ``POST /sandbox/load`` takes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.accounts.models import Department, Staff, StaffDepartment, StaffStatus
from scrm.channels.models import Channel, ChannelCode
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind, Relation, RelationState
from scrm.groups.models import GroupChat, GroupMember, MemberKind
from scrm.tags.models import ContactTag, Tag, TagGroup

Section = list[dict[str, Any]]
WORKS, LEFT = 1, 5  # staff.status (path/90196)
KNOWN_BY_REP = (
    RelationState.ACTIVE,
    RelationState.HALF,
    RelationState.LOST,
)  # the platform keeps these pairs


def describe(
    session: Session, platform_only: Sequence[dict[str, Any]], *, now: datetime
) -> dict[str, Section]:
    """The whole corp. ``platform_only``: customers we have not heard of, and deletions that did not reach us."""
    return {
        "departments": _departments(session),
        "staff": _staff(session),
        "tag_groups": _tag_groups(session),
        "ways": _ways(session),
        "customers": [*_with_secrets(_customers(session, now), platform_only), *_strangers(session)],
        "groups": _groups(session),
    }


def _departments(session: Session) -> Section:
    return [
        {"id": row.id, "name": row.name, "parentid": row.parent_id, "order": row.position}
        for row in session.scalars(select(Department).order_by(Department.id))
    ]


def _staff(session: Session) -> Section:
    inside: dict[str, list[int]] = defaultdict(list)
    for link in session.scalars(select(StaffDepartment).order_by(StaffDepartment.department_id)):
        inside[link.staff_id].append(link.department_id)
    return [
        {
            "userid": row.userid,
            "name": row.name,
            "department": inside[row.id],
            "position": row.position,
            "status": LEFT if row.status == StaffStatus.LEFT else WORKS,
            "follow_user": row.serves,
        }
        for row in session.scalars(select(Staff).order_by(Staff.id))
    ]


def _tag_groups(session: Session) -> Section:
    inside: dict[str, Section] = defaultdict(list)
    for tag in session.scalars(select(Tag).where(Tag.deleted_at.is_(None), Tag.wecom_id.is_not(None))):
        inside[tag.group_id].append({"id": tag.wecom_id, "name": tag.name, "order": tag.position})
    live = select(TagGroup).where(TagGroup.deleted_at.is_(None), TagGroup.wecom_id.is_not(None))
    return [
        {"group_id": row.wecom_id, "name": row.name, "order": row.position, "tags": inside[row.id]}
        for row in session.scalars(live.order_by(TagGroup.position.desc()))
    ]


def _ways(session: Session) -> Section:
    rows = session.execute(
        select(ChannelCode, Channel)
        .join(Channel, Channel.id == ChannelCode.channel_id)
        .where(ChannelCode.config_id.is_not(None))
        .order_by(Channel.created_at)
    )
    return [
        {
            "config_id": code.config_id,
            "state": code.state,
            "remark": channel.name[:30],
            "user": code.users,
            "skip_verify": channel.skip_verify,
        }
        for code, channel in rows
    ]


def _customers(session: Session, now: datetime) -> Section:
    tags: dict[tuple[str, str], list[str]] = defaultdict(list)
    held = select(ContactTag.contact_id, ContactTag.staff_id, Tag.wecom_id).join(
        Tag, Tag.id == ContactTag.tag_id
    )
    for contact_id, staff_id, wecom_id in session.execute(
        held.where(Tag.deleted_at.is_(None), Tag.wecom_id.is_not(None))
    ):
        tags[contact_id, staff_id].append(str(wecom_id))
    relations: dict[str, Section] = defaultdict(list)
    pairs = (
        select(Relation, Staff.userid, Contact.corp_name, Contact.phone)
        .join(Staff, Staff.id == Relation.staff_id)
        .join(Contact, Contact.id == Relation.contact_id)
        .where(Relation.state.in_(KNOWN_BY_REP))
    )
    for row, userid, corp_name, phone in session.execute(pairs):
        pair = _relation(row, userid, now)
        if row.description:
            pair |= {"remark_corp_name": corp_name or "", "remark_mobiles": [phone] if phone else []}
        relations[row.contact_id].append(pair | {"tag_ids": tags[row.contact_id, row.staff_id]})
    people = (
        select(Contact, ContactIdentity.value)
        .join(ContactIdentity, ContactIdentity.contact_id == Contact.id)
        .where(ContactIdentity.kind == IdentityKind.WECOM)
        .order_by(Contact.created_at)
    )
    return [_customer(row, external, relations[row.id]) for row, external in session.execute(people)]


def _relation(row: Relation, userid: str, now: datetime) -> dict[str, Any]:
    return {
        "userid": userid,
        "half": row.state == RelationState.HALF,
        "deleted_by_customer": row.state == RelationState.LOST,
        "createtime": int((row.added_at or now).timestamp()),
        "state": row.way_state or "",
        "add_way": row.add_way or 0,
        "remark": row.remark or "",
        "description": row.description or "",
    }


def _customer(row: Contact, external: str, relations: Section) -> dict[str, Any]:
    return {
        "external_userid": external,
        "name": row.name,
        "type": row.wechat_type,
        "gender": row.gender,
        "corp_name": (row.corp_name or "") if row.wechat_type == 2 else "",  # noqa: PLR2004 - WeCom user (path/92114)
        "relations": relations,
    }


def _with_secrets(customers: Section, platform_only: Sequence[dict[str, Any]]) -> Section:
    """The customers with what only the platform knows."""
    known = {customer["external_userid"]: customer for customer in customers}
    for secret in platform_only:
        customer = known.get(secret["external_userid"])
        if "deleted" in secret:
            for relation in customer["relations"] if customer else ():
                relation["deleted_by_customer"] |= relation["userid"] == secret["deleted"]
        elif customer is None:
            customers.append(secret)
    return customers


def _strangers(session: Session) -> Section:
    """People in groups who are no contacts of ours."""
    unknown = select(GroupMember.userid, GroupMember.name).where(
        GroupMember.kind == MemberKind.CONTACT, GroupMember.contact_id.is_(None)
    )
    return [{"external_userid": external, "name": name} for external, name in session.execute(unknown)]


def _groups(session: Session) -> Section:
    """The groups that are not over, with who is in them."""
    inside: dict[str, Section] = defaultdict(list)
    for row in session.scalars(
        select(GroupMember).where(GroupMember.left_at.is_(None)).order_by(GroupMember.joined_at)
    ):
        inside[row.group_id].append(
            {
                "userid": row.userid,
                "join_time": int(row.joined_at.timestamp()),
                "join_scene": row.join_scene,
                "invitor": row.invitor or "",
                "state": row.state or "",
            }
        )
    live = (
        select(GroupChat, Staff.userid)
        .join(Staff, Staff.id == GroupChat.owner_id)
        .where(GroupChat.dismissed_at.is_(None))
        .order_by(GroupChat.opened_at)
    )
    return [
        {
            "chat_id": row.chat_id,
            "name": row.name,
            "owner": owner,
            "notice": row.notice or "",
            "create_time": int(row.opened_at.timestamp()),
            "members": inside[row.id],
        }
        for row, owner in session.execute(live)
    ]
