"""/folders and /replies: what reps send as text, the team's and each member's own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field
from sqlalchemy.orm import Session

from bot.api import paging
from bot.api.people import StaffRef, get_staff, staff_by_id, staff_ref
from bot.api.routes import Call, Routes
from bot.api.types import Answer, Body, Id, Line, Page, PageQuery, Query, Text
from scrm.accounts.roles import LIBRARY_OWN, LIBRARY_READ, LIBRARY_WRITE
from scrm.errors import NotFound
from scrm.library import folders, queries, rules, service
from scrm.library.folders import Hand, Item, access_folder
from scrm.library.models import Folder, FolderKind, Reply
from scrm.library.queries import Found, Which
from scrm.library.service import ReplySpec

routes = Routes("话术与素材")
WEEK, MONTH = timedelta(days=7), timedelta(days=30)
Title = Annotated[Line, Field(min_length=1, max_length=rules.TITLE_MAX)]


class FolderOut(Answer):
    """A folder; ``owner`` is null for the team's. ``count`` is how many live things it holds."""

    id: str
    kind: FolderKind
    name: str
    owner: StaffRef | None
    count: int


class FolderPage(Page[FolderOut]):
    """All folders of a kind, in order."""


class FolderQuery(Query):
    """Which folders."""

    kind: FolderKind
    staff: Id | None = Field(None, description="连同这位员工自己的文件夹（userid）")


class FolderBody(Body):
    """A new folder."""

    kind: FolderKind = Field(strict=False)
    name: Annotated[Line, Field(min_length=1, max_length=rules.FOLDER_NAME_MAX)]
    owner: Id | None = Field(None, description="员工的 userid；不填则为团队文件夹")


class FolderPatch(Body):
    """What to change; what is left out stays."""

    name: Annotated[Line, Field(min_length=1, max_length=rules.FOLDER_NAME_MAX)] | None = None
    move: Annotated[int, Field(ge=-100, le=100)] | None = Field(None, description="下移几位，负数为上移")


class UsesOut(Answer):
    """How often something was used."""

    total: int
    last_7_days: int
    last_30_days: int
    last_at: datetime | None


class ReplyOut(Answer):
    """A quick reply. ``material_id``: sent after the text."""

    id: str
    folder_id: str
    title: str
    text: str
    material_id: str | None
    uses: UsesOut
    created_at: datetime
    created_by: str
    updated_at: datetime


class ReplyPage(Page[ReplyOut]):
    """A page of replies."""


class ItemQuery(PageQuery):
    """Which replies or materials."""

    q: Annotated[Text, Field(max_length=64)] = Field("", description="标题、正文、拼音或首字母")
    folder: Id | None = Field(None, description="文件夹编号")
    staff: Id | None = Field(None, description="连同这位员工自己的（userid）")


class ReplyBody(Body):
    """A new reply. Placeholders: {customer}, {staff}, {company}."""

    folder: Id = Field(description="文件夹编号")
    title: Title
    text: Annotated[Line, Field(min_length=1, max_length=rules.TEXT_MAX)]
    material: Id | None = Field(None, description="附带的素材编号")


class ReplyPatch(Body):
    """What to change; what is left out stays."""

    folder: Id | None = Field(None, description="移到这个文件夹的末尾")
    title: Title | None = None
    text: Annotated[Line, Field(min_length=1, max_length=rules.TEXT_MAX)] | None = None
    material: Id | None = Field(None, description="附带的素材编号；null 为不附带")
    move: Annotated[int, Field(ge=-500, le=500)] | None = Field(None, description="下移几位，负数为上移")


def hand_of(call: Call, staff: str | None = None) -> Hand:
    """Whose hand a token is: its person's where it has one, else nobody's, with ``staff`` that member's too."""
    member = get_staff(call.session, staff) if staff else None
    person = call.program.person
    if person is not None:
        own = person.staff_id if person.may(LIBRARY_OWN) else None
        return Hand(own, keeps_team=call.may(LIBRARY_WRITE), name=call.actor)
    return Hand(member.id if member else None, keeps_team=True, is_program=True, name=call.actor)


@routes.get("/folders", "话术或素材的文件夹", scope=LIBRARY_READ)
def list_folders(call: Call, query: FolderQuery) -> FolderPage:
    """The team's folders, then the member's."""
    rows = queries.list_folders(call.session, query.kind, hand_of(call, query.staff))
    return FolderPage(items=_folders(call.session, rows))


@routes.post("/folders", "创建文件夹", scope=LIBRARY_WRITE, status=201)
def create_folder(call: Call, body: FolderBody) -> FolderOut:
    """A folder of the team, or of one member."""
    owner = get_staff(call.session, body.owner, "owner").id if body.owner else None
    made = folders.create_folder(
        call.session, body.kind, body.name, owner_id=owner, hand=hand_of(call), now=call.now
    )
    return _folder(call.session, made)


@routes.patch("/folders/<folder_id>", "重命名或移动文件夹", scope=LIBRARY_WRITE)
def change_folder(call: Call, folder_id: str, body: FolderPatch) -> FolderOut:
    """Only the fields that are sent change."""
    hand = hand_of(call)
    folder = folders.access_folder(call.session, folder_id, hand)
    if body.name is not None:
        folders.rename_folder(call.session, folder_id, body.name, hand=hand)
    if body.move:
        folders.move_folder(call.session, folder_id, by=body.move, hand=hand)
    return _folder(call.session, folder)


@routes.delete(
    "/folders/<folder_id>", "删除文件夹", scope=LIBRARY_WRITE, status=204, note="里面的内容一并隐藏，可恢复。"
)
def delete_folder(call: Call, folder_id: str) -> None:
    """The folder and what it holds are hidden."""
    folders.delete_folder(call.session, folder_id, hand=hand_of(call), now=call.now)


@routes.post("/folders/<folder_id>/restore", "恢复删除的文件夹", scope=LIBRARY_WRITE)
def restore_folder(call: Call, folder_id: str) -> FolderOut:
    """The folder is back with what it held."""
    return _folder(call.session, folders.restore_folder(call.session, folder_id, hand=hand_of(call)))


@routes.get(
    "/replies", "话术", scope=LIBRARY_READ, note="给出文件夹且不搜索时按文件夹内的顺序，否则最常用的在前。"
)
def list_replies(call: Call, query: ItemQuery) -> ReplyPage:
    """A page of replies."""
    found, following = find(call, query, FolderKind.REPLIES)
    return ReplyPage(items=_replies(call, [row.item for row in found]), next_cursor=following)


@routes.post("/replies", "创建话术", scope=LIBRARY_WRITE, status=201)
def create_reply(call: Call, body: ReplyBody) -> ReplyOut:
    """A reply at the end of its folder."""
    spec = ReplySpec(body.title, body.text, body.material)
    made = service.create_reply(call.session, body.folder, spec, hand=hand_of(call), now=call.now)
    return _replies(call, [made])[0]


@routes.get("/replies/<reply_id>", "一条话术", scope=LIBRARY_READ)
def get_reply(call: Call, reply_id: str) -> ReplyOut:
    """One reply."""
    item, _ = service.access_item(call.session, FolderKind.REPLIES, reply_id, hand_of(call))
    return _replies(call, [item])[0]


@routes.patch("/replies/<reply_id>", "修改或移动话术", scope=LIBRARY_WRITE)
def change_reply(call: Call, reply_id: str, body: ReplyPatch) -> ReplyOut:
    """Only the fields that are sent change."""
    hand, kind = hand_of(call), FolderKind.REPLIES
    item, _ = service.access_item(call.session, kind, reply_id, hand)
    sent = body.model_fields_set
    if sent & {"title", "text", "material"}:
        material = body.material if "material" in sent else item.material_id
        spec = ReplySpec(body.title or item.title, body.text or item.text, material)
        service.update_reply(call.session, reply_id, spec, hand=hand, now=call.now)
    if body.folder is not None:
        service.move_item(call.session, kind, reply_id, body.folder, hand=hand)
    if body.move:
        service.shift_item(call.session, kind, reply_id, by=body.move, hand=hand)
    return _replies(call, [item])[0]


@routes.delete("/replies/<reply_id>", "删除话术", scope=LIBRARY_WRITE, status=204, note="可恢复。")
def delete_reply(call: Call, reply_id: str) -> None:
    """The reply is hidden."""
    service.delete_item(call.session, FolderKind.REPLIES, reply_id, hand=hand_of(call), now=call.now)


@routes.post("/replies/<reply_id>/restore", "恢复删除的话术", scope=LIBRARY_WRITE)
def restore_reply(call: Call, reply_id: str) -> ReplyOut:
    """The reply is back at the end of its folder."""
    hand = hand_of(call)
    made = service.restore_item(call.session, FolderKind.REPLIES, reply_id, hand=hand, now=call.now)
    return _replies(call, [made])[0]  # type: ignore[list-item]


def find(call: Call, query: ItemQuery, kind: FolderKind) -> tuple[list[Found], str | None]:
    """A page of what the query asks for, and the cursor of the next one; of an unknown folder nothing."""
    which = Which(query.q, query.folder)
    cursor = paging.decode(query.cursor, int, str) if query.cursor else None
    hand = hand_of(call, query.staff)
    if query.folder:
        try:
            folder = access_folder(call.session, query.folder, hand)
        except NotFound:
            return [], None
        if hand.is_program:
            hand = Hand(folder.owner_id or hand.staff_id, is_program=True)
    rows = queries.search(call.session, which, kind=kind, hand=hand, cursor=cursor, limit=query.limit + 1)
    return paging.cut(rows, query.limit, lambda row: which.place_of(row.item))


def uses(call: Call, items: Sequence[Item]) -> dict[str, UsesOut]:
    """Item → how often it was used, in two queries."""
    ids = [item.id for item in items]
    week, month = (queries.uses_of(call.session, ids, call.now - span) for span in (WEEK, MONTH))
    return {
        item.id: UsesOut(
            total=item.used,
            last_7_days=week.get(item.id, 0),
            last_30_days=month.get(item.id, 0),
            last_at=item.used_at,
        )
        for item in items
    }


def _replies(call: Call, items: Sequence[Reply]) -> list[ReplyOut]:
    used = uses(call, items)
    return [
        ReplyOut(
            id=item.id,
            folder_id=item.folder_id,
            title=item.title,
            text=item.text,
            material_id=item.material_id,
            uses=used[item.id],
            created_at=item.created_at,
            created_by=item.created_by,
            updated_at=item.updated_at,
        )
        for item in items
    ]


def _folder(session: Session, folder: Folder) -> FolderOut:
    return _folders(session, [queries.count_in(session, folder)])[0]


def _folders(session: Session, rows: Sequence[queries.FolderRow]) -> list[FolderOut]:
    owners = staff_by_id(session, {row.folder.owner_id for row in rows if row.folder.owner_id})
    return [
        FolderOut(
            id=row.folder.id,
            kind=row.folder.kind,
            name=row.folder.name,
            owner=staff_ref(owners[row.folder.owner_id]) if row.folder.owner_id else None,
            count=row.count,
        )
        for row in rows
    ]
