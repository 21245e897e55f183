"""/materials: files, links and mini programs that reps send."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import Field

from bot.api.library import ItemQuery, Title, UsesOut, find, hand_of, uses
from bot.api.media import guess_kind
from bot.api.routes import Call, Routes, Upload
from bot.api.types import Answer, Body, Id, Page, Text
from scrm.accounts.roles import LIBRARY_READ, LIBRARY_WRITE
from scrm.channels import media
from scrm.errors import Invalid
from scrm.library import service
from scrm.library.models import FolderKind, Material, MaterialKind
from scrm.library.rules import TITLE_MAX
from scrm.library.service import MaterialSpec

routes = Routes("话术与素材")
KIND = FolderKind.MATERIALS
Address = Annotated[Text, Field(max_length=2048)]
FIELDS = ("url", "desc", "appid", "page")


class MaterialOut(Answer):
    """A material. ``media``: the file, or a card's cover, as POST /media names it."""

    id: str
    folder_id: str
    kind: MaterialKind
    title: str
    media: str | None
    url: str | None
    desc: str | None
    appid: str | None
    page: str | None
    uses: UsesOut
    created_at: datetime
    created_by: str
    updated_at: datetime


class MaterialPage(Page[MaterialOut]):
    """A page of materials."""


class MaterialPatch(Body):
    """What to change; what is left out stays."""

    folder: Id | None = Field(None, description="文件夹编号；移到它的末尾")
    title: Title | None = None
    media: Id | None = Field(None, description="POST /media 给出的编号：文件，或链接、小程序的封面")
    url: Address | None = Field(None, description="链接地址（news）")
    desc: Annotated[Text, Field(max_length=512)] | None = Field(None, description="链接摘要（news）")
    appid: Annotated[Text, Field(max_length=64)] | None = Field(None, description="小程序 AppID")
    page: Annotated[Text, Field(max_length=1024)] | None = Field(
        None, description="小程序页面，以 .html 结尾"
    )
    move: Annotated[int, Field(ge=-500, le=500)] | None = Field(None, description="下移几位，负数为上移")


class MaterialBody(Body):
    """A new material."""

    kind: MaterialKind = Field(strict=False)
    folder: Id = Field(description="文件夹编号")
    title: Title
    media: Id | None = Field(None, description="POST /media 给出的编号：文件，或链接、小程序的封面")
    url: Address | None = Field(None, description="链接地址（news）")
    desc: Annotated[Text, Field(max_length=512)] | None = Field(None, description="链接摘要（news）")
    appid: Annotated[Text, Field(max_length=64)] | None = Field(None, description="小程序 AppID")
    page: Annotated[Text, Field(max_length=1024)] | None = Field(
        None, description="小程序页面，以 .html 结尾"
    )


@routes.get("/materials", "素材", scope=LIBRARY_READ, note="顺序同话术。")
def list_materials(call: Call, query: ItemQuery) -> MaterialPage:
    """A page of materials."""
    found, following = find(call, query, KIND)
    return MaterialPage(items=_out(call, [row.item for row in found]), next_cursor=following)


@routes.post("/materials", "创建素材", scope=LIBRARY_WRITE, status=201)
def create_material(call: Call, body: MaterialBody) -> MaterialOut:
    """A material from a file that is kept already, or a card."""
    spec = MaterialSpec(body.kind, body.title, _detail(body), body.media)
    made = service.create_material(call.session, body.folder, spec, hand=hand_of(call), now=call.now)
    return _out(call, [made])[0]


@routes.post(
    "/materials/files",
    "上传文件为素材",
    scope=LIBRARY_WRITE,
    status=201,
    note="multipart/form-data：file 为文件，folder 为文件夹编号；title 不填用文件名，kind 不填按扩展名判断。",
)
def upload_material(call: Call, upload: Upload) -> MaterialOut:
    """An image, video or file as a material."""
    extra = set(upload.fields) - {"folder", "title", "kind"}
    if extra or not upload.fields.get("folder"):
        fields = dict.fromkeys(sorted(extra)[:20], "没有这个字段，请删除") or {"folder": "必填"}
        raise Invalid("invalid", "请求内容有误，请核对表单字段", fields)
    kind = upload.fields.get("kind") or guess_kind(upload.filename)
    file = media.store_media(
        call.session, kind=kind, filename=upload.filename, content=upload.content, now=call.now
    )
    title = upload.fields.get("title") or PurePath(file.filename).stem[:TITLE_MAX]
    spec = MaterialSpec(MaterialKind(file.kind), title, {}, file.id)
    made = service.create_material(
        call.session, upload.fields["folder"], spec, hand=hand_of(call), now=call.now
    )
    return _out(call, [made])[0]


@routes.get("/materials/<material_id>", "一个素材", scope=LIBRARY_READ)
def get_material(call: Call, material_id: str) -> MaterialOut:
    """One material."""
    item, _ = service.access_item(call.session, KIND, material_id, hand_of(call))
    return _out(call, [item])[0]


@routes.patch("/materials/<material_id>", "修改或移动素材", scope=LIBRARY_WRITE, note="类型不能改变。")
def change_material(call: Call, material_id: str, body: MaterialPatch) -> MaterialOut:
    """Only the fields that are sent change."""
    hand = hand_of(call)
    item, _ = service.access_item(call.session, KIND, material_id, hand)
    sent = body.model_fields_set
    if sent & {"title", "media", *FIELDS}:
        spec = MaterialSpec(
            item.kind,
            body.title or item.title,
            {**item.detail, **{name: getattr(body, name) for name in sent.intersection(FIELDS)}},
            body.media if "media" in sent else item.media_file_id,
        )
        service.update_material(call.session, material_id, spec, hand=hand, now=call.now)
    if body.folder is not None:
        service.move_item(call.session, KIND, material_id, body.folder, hand=hand)
    if body.move:
        service.shift_item(call.session, KIND, material_id, by=body.move, hand=hand)
    return _out(call, [item])[0]


@routes.delete("/materials/<material_id>", "删除素材", scope=LIBRARY_WRITE, status=204, note="可恢复。")
def delete_material(call: Call, material_id: str) -> None:
    """The material is hidden; its file is renewed at WeCom no more."""
    service.delete_item(call.session, KIND, material_id, hand=hand_of(call), now=call.now)


@routes.post("/materials/<material_id>/restore", "恢复删除的素材", scope=LIBRARY_WRITE)
def restore_material(call: Call, material_id: str) -> MaterialOut:
    """The material is back at the end of its folder."""
    made = service.restore_item(call.session, KIND, material_id, hand=hand_of(call), now=call.now)
    return _out(call, [made])[0]  # type: ignore[list-item]


def _detail(body: MaterialBody) -> dict[str, Any]:
    return {name: getattr(body, name) for name in FIELDS if getattr(body, name) is not None}


def _out(call: Call, items: Sequence[Material]) -> list[MaterialOut]:
    used = uses(call, items)
    return [
        MaterialOut(
            id=item.id,
            folder_id=item.folder_id,
            kind=item.kind,
            title=item.title,
            media=item.media_file_id,
            **{name: item.detail.get(name) for name in FIELDS},
            uses=used[item.id],
            created_at=item.created_at,
            created_by=item.created_by,
            updated_at=item.updated_at,
        )
        for item in items
    ]
