"""/tags, the corp's catalogue; /contacts/{id}/tags, what one customer has."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy.orm import Session

from bot.api import paging
from bot.api.people import StaffRef, get_staff, staff_by_id, staff_ref
from bot.api.routes import Call, Routes
from bot.api.types import Answer, Body, Id, Line, Page, PageQuery
from scrm.contacts import service as contacts
from scrm.errors import Invalid
from scrm.ids import new_id
from scrm.tags import by_hand, queries, service
from scrm.tags.models import Tag, TagGroup, TagSource
from scrm.tags.queries import TagRow

routes = Routes("标签")
TagName = Annotated[Line, Field(min_length=1, max_length=64)]


class TagOut(Answer):
    """A corp tag. ``wecom_id`` is null until WeCom has confirmed it."""

    id: str
    name: str
    group: str
    group_id: str
    wecom_id: str | None


class TagPage(Page[TagOut]):
    """A page of tags."""


class SetTagOut(Answer):
    """A tag on a customer: with which rep, and who or what set it."""

    id: str
    name: str
    group: str
    staff: StaffRef
    source: TagSource
    set_at: datetime


class SetTagPage(Page[SetTagOut]):
    """All tags of a customer."""


class TagQuery(PageQuery):
    """Which tags."""

    group: Id | None = Field(None, description="标签组编号")


class TagsBody(Body):
    """New tags in a group; the group is made if it is not there. Names that exist are kept as they are."""

    group: TagName
    names: list[TagName] = Field(min_length=1, max_length=100)


class TagPatch(Body):
    """The tag's new name."""

    name: TagName


class SetTagsBody(Body):
    """Tags by name (``名`` or ``组/名``) to set and to take away. Without ``staff``: with the owner."""

    add: list[TagName] = Field(default_factory=list, max_length=50)
    remove: list[TagName] = Field(default_factory=list, max_length=50)
    staff: Id | None = Field(None, description="以哪位员工的名义（userid）；不填则用负责人")


@routes.get("/tags", "企业标签", scope="contacts.read")
def list_tags(call: Call, query: TagQuery) -> TagPage:
    """A page of live tags."""
    page = queries.list_tags(
        call.session,
        cursor=paging.decode(query.cursor, str)[0] if query.cursor else None,
        limit=query.limit,
        group_id=query.group,
    )
    cursor = paging.encode(page.next_cursor) if page.next_cursor else None
    return TagPage(items=[_out(row) for row in page.items], next_cursor=cursor)


@routes.post(
    "/tags", "创建标签", scope="tags.write", status=201, note="标签组不存在时一并创建；已有的同名标签不变。"
)
def create_tags(call: Call, body: TagsBody) -> TagPage:
    """The named tags of the group, old and new."""
    made = service.create_tags(call.session, body.group, body.names, actor=call.actor, now=call.now)
    return TagPage(items=[_out(TagRow(tag, body.group)) for tag in made])


@routes.patch("/tags/<tag_id>", "重命名标签", scope="tags.write")
def rename_tag(call: Call, tag_id: str, body: TagPatch) -> TagOut:
    """The tag under its new name, here and at WeCom."""
    tag = service.rename_tag(call.session, tag_id, body.name, actor=call.actor, now=call.now)
    return _out(TagRow(tag, _group_name(call.session, tag)))


@routes.delete("/tags/<tag_id>", "删除标签", scope="tags.write", status=204, note="同时从所有客户身上去掉。")
def delete_tag(call: Call, tag_id: str) -> None:
    """The tag is gone, here and at WeCom."""
    service.delete_tag(call.session, tag_id, actor=call.actor, now=call.now)


@routes.get("/contacts/<contact_id>/tags", "客户的标签", scope="contacts.read")
def list_contact_tags(call: Call, contact_id: str) -> SetTagPage:
    """Every tag of the contact, by rep."""
    contacts.get_contact(call.session, contact_id)
    return _of_contact(call.session, contact_id)


@routes.post("/contacts/<contact_id>/tags", "给客户打标签或去掉标签", scope="tags.write")
def change_contact_tags(call: Call, contact_id: str, body: SetTagsBody) -> SetTagPage:
    """Set and clear tags; WeCom is told by the outbox."""
    both = set(body.add) & set(body.remove)
    if both:
        text = f"不能同时添加和去掉：{'、'.join(sorted(both))}"
        raise Invalid("tags_contradict", text, {"remove": text})
    by_hand.change_tags(
        call.session,
        contact_id,
        add=service.resolve_tags(call.session, body.add),
        remove=service.resolve_tags(call.session, body.remove),
        staff=get_staff(call.session, body.staff) if body.staff else None,
        source=TagSource.API,
        unique=f"api:{new_id()}",
        actor=call.actor,
        now=call.now,
    )
    return _of_contact(call.session, contact_id)


def _of_contact(session: Session, contact_id: str) -> SetTagPage:
    rows = queries.tags_of_contacts(session, [contact_id])[contact_id]
    people = staff_by_id(session, {row.link.staff_id for row in rows})
    items = [
        SetTagOut(
            id=row.tag.id,
            name=row.tag.name,
            group=row.group,
            staff=staff_ref(people[row.link.staff_id]),
            source=row.link.source,
            set_at=row.link.set_at,
        )
        for row in rows
    ]
    return SetTagPage(items=items)


def _group_name(session: Session, tag: Tag) -> str:
    return session.get_one(TagGroup, tag.group_id).name


def _out(row: TagRow) -> TagOut:
    tag = row.tag
    return TagOut(id=tag.id, name=tag.name, group=row.group, group_id=tag.group_id, wecom_id=tag.wecom_id)
