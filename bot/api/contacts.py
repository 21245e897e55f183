"""/contacts: the customers, what is known of them, and entering leads."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.api import paging
from bot.api.people import Ref, StaffRef, find_staff, get_channel, get_staff, staff_ref
from bot.api.routes import Call, Routes
from bot.api.types import Answer, Body, Boundary, Id, Line, Page, PageQuery, Text, end_of, start_of
from scrm.accounts.roles import ASSIGN
from scrm.contacts import queries, service
from scrm.contacts.models import Contact, IdentityKind, RelationState, Stage
from scrm.contacts.queries import ContactCard, ContactFilter, Presence, load_cards
from scrm.leads import service as leads
from scrm.leads.service import UNCHANGED, ContactChange
from scrm.routing import service as routing
from scrm.tags.models import Tag, TagGroup

routes = Routes("客户")


class ContactTagOut(Answer):
    """A tag the contact has with at least one rep."""

    id: str
    name: str
    group: str


class IdentityOut(Answer):
    """A name the outside knows the contact by; a phone number is masked without ``pii.read``."""

    kind: IdentityKind
    value: str


class RelationOut(Answer):
    """The contact's connection with one rep."""

    staff: StaffRef
    state: RelationState
    added_at: datetime | None
    lost_at: datetime | None
    first_response_at: datetime | None
    remark: str | None
    add_way: int | None
    channel_id: str | None
    regained: int


class ContactOut(Answer):
    """A customer."""

    id: str
    name: str
    stage: Stage
    owner: Ref | None
    channel: Ref | None
    tags: list[ContactTagOut]
    identities: list[IdentityOut]
    relations: list[RelationOut]
    created_at: datetime
    lost_at: datetime | None
    phone: str | None = Field(description="没有 pii.read 权限时显示为 138****0000")
    corp_name: str | None
    gender: int = Field(description="0 未知，1 男，2 女")
    avatar: str | None


class ContactPage(Page[ContactOut]):
    """A page of customers."""


class ContactQuery(PageQuery):
    """Which customers; filters are combined with AND."""

    owner: Id | None = Field(None, description="负责人的 userid 或编号")
    channel: Id | None = Field(None, description="首次来源渠道的编号")
    tag: Id | None = Field(None, description="标签的编号或名称")
    stage: Stage | None = None
    state: Presence | None = Field(None, description="active 仍有好友关系，lost 已全部流失")
    q: Annotated[Line, Field(max_length=64)] | None = Field(
        None, description="姓名（或其拼音、首字母）或备注的开头，或完整的电话号码"
    )
    created_from: Boundary | None = Field(None, description="从这一天（或时刻）起")
    created_to: Boundary | None = Field(None, description="到这一天为止（含），或到这一时刻之前")


class LeadBody(Body):
    """A lead: a person nobody has added on WeCom yet. Without ``owner`` one is assigned by round robin."""

    name: Annotated[Line, Field(min_length=1, max_length=128)]
    phone: Annotated[Text, Field(max_length=32)] | None = None
    corp_name: Annotated[Line, Field(max_length=128)] | None = None
    channel: Id | None = Field(None, description="来源渠道的编号")
    owner: Id | None = Field(None, description="负责人的 userid；不填则在渠道成员（或全部员工）中轮询")


class ContactPatch(Body):
    """What to change; null clears ``corp_name`` and ``phone``."""

    stage: Stage = Stage.LEAD
    corp_name: Annotated[Line, Field(max_length=128)] | None = None
    phone: Annotated[Text, Field(max_length=32)] | None = None


@routes.get("/contacts", "客户列表，最新的在前", scope="contacts.read")
def list_contacts(call: Call, query: ContactQuery) -> ContactPage:
    """A page of contacts in a fixed number of queries."""
    before = paging.decode(query.cursor, datetime, str) if query.cursor else None
    which = _filter(call, query)
    rows = queries.list_contacts(call.session, which, before=before, limit=query.limit + 1) if which else []
    page, cursor = paging.cut(rows, query.limit, lambda row: (row.created_at, row.id))
    cards = load_cards(call.session, page)
    return ContactPage(items=[contact_out(card, call) for card in cards], next_cursor=cursor)


def _filter(call: Call, query: ContactQuery) -> ContactFilter | None:
    """None when a filter names somebody or something that is not there: nobody fits then."""
    owner = find_staff(call.session, query.owner) if query.owner else None
    tag_ids = _tag_ids(call.session, query.tag) if query.tag else None
    if (query.owner and owner is None) or tag_ids == []:
        return None
    return ContactFilter(
        owner_id=owner.id if owner else None,
        channel_id=query.channel,
        tag_ids=tag_ids,
        stage=query.stage,
        presence=query.state,
        q=query.q,
        created_from=start_of(query.created_from, call.tz),
        created_to=end_of(query.created_to, call.tz),
    )


def _tag_ids(session: Session, named: str) -> list[str]:
    group, _, name = named.partition("/")
    grouped = (TagGroup.name == group) & (Tag.name == name)
    query = (
        select(Tag.id)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(or_(Tag.id == named, Tag.name == named, grouped), Tag.deleted_at.is_(None))
    )
    return list(session.scalars(query.limit(100)))


@routes.post("/contacts", "录入线索", scope="contacts.write", status=201)
def create_contact(call: Call, body: LeadBody) -> ContactOut:
    """A lead with an owner, at once."""
    channel = get_channel(call.session, body.channel) if body.channel else None
    owner = get_staff(call.session, body.owner, "owner") if body.owner else None
    person = call.program.person
    if owner is not None and person is not None and owner.id != person.staff_id:
        call.require(ASSIGN)
    contact = leads.create_lead(
        call.session,
        name=body.name,
        phone=body.phone,
        corp_name=body.corp_name,
        channel=channel,
        actor=call.actor,
        now=call.now,
    )
    if owner is not None:
        routing.assign_manually(call.session, contact.id, owner.id, actor=call.actor, now=call.now)
    else:
        channel_id = channel.id if channel else None
        routing.assign(call.session, contact.id, channel_id=channel_id, now=call.now)
    return _one(call, contact)


@routes.get("/contacts/<contact_id>", "一位客户", scope="contacts.read")
def get_contact(call: Call, contact_id: str) -> ContactOut:
    """One contact."""
    return _one(call, service.get_contact(call.session, contact_id))


@routes.patch("/contacts/<contact_id>", "修改阶段、公司或电话", scope="contacts.write")
def change_contact(call: Call, contact_id: str, body: ContactPatch) -> ContactOut:
    """Only the fields that are sent change."""
    sent = body.model_fields_set
    wanted = ContactChange(
        stage=body.stage if "stage" in sent else None,
        corp_name=body.corp_name if "corp_name" in sent else UNCHANGED,
        phone=body.phone if "phone" in sent else UNCHANGED,
    )
    return _one(call, leads.change_contact(call.session, contact_id, wanted, actor=call.actor, now=call.now))


def _one(call: Call, contact: Contact) -> ContactOut:
    return contact_out(load_cards(call.session, [contact])[0], call)


def contact_out(card: ContactCard, call: Call) -> ContactOut:
    """A contact as this token may see it."""
    contact = card.contact
    phone = contact.phone if call.may("pii.read") else mask_phone(contact.phone)
    return ContactOut(
        id=contact.id,
        name=contact.name,
        stage=contact.stage,
        owner=Ref(id=card.owner.id, name=card.owner.name) if card.owner else None,
        channel=Ref(id=card.channel.id, name=card.channel.name) if card.channel else None,
        tags=_tags(card),
        identities=[
            IdentityOut(kind=row.kind, value=(phone or "") if row.kind is IdentityKind.PHONE else row.value)
            for row in card.identities
        ],
        relations=_relations(card),
        created_at=contact.created_at,
        lost_at=contact.lost_at,
        phone=phone,
        corp_name=contact.corp_name,
        gender=contact.gender,
        avatar=contact.avatar,
    )


def _tags(card: ContactCard) -> list[ContactTagOut]:
    """Each tag once, however many reps set it."""
    found = {
        row.tag.id: ContactTagOut(id=row.tag.id, name=row.tag.name, group=row.group) for row in card.tags
    }
    return list(found.values())


def _relations(card: ContactCard) -> list[RelationOut]:
    return [
        RelationOut(
            staff=staff_ref(staff),
            state=relation.state,
            added_at=relation.added_at,
            lost_at=relation.lost_at,
            first_response_at=relation.first_response_at,
            remark=relation.remark,
            add_way=relation.add_way,
            channel_id=relation.channel_id,
            regained=relation.regained,
        )
        for relation, staff in card.relations
    ]


def mask_phone(phone: str | None) -> str | None:
    """138****0000: enough to recognise a number one knows."""
    if not phone:
        return None
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 11 else f"{'*' * (len(phone) - 2)}{phone[-2:]}"  # noqa: PLR2004
