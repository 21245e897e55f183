"""Write replies and materials, and count how often each is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from scrm.channels import media
from scrm.channels.models import MediaFile
from scrm.errors import Conflict, Invalid, NotFound
from scrm.ids import new_id
from scrm.library.folders import MODELS, Hand, Item, access_folder, change_folder, shift
from scrm.library.models import (
    Folder,
    FolderKind,
    LibraryUse,
    Material,
    MaterialKind,
    Reply,
    UseWay,
)
from scrm.library.rules import MOST_ITEMS, UPLOADED, check_material, check_reply
from scrm.spelling import spelling


@dataclass(frozen=True)
class ReplySpec:
    """A reply as somebody wrote it. ``material_id``: sent after the text."""

    title: str
    text: str
    material_id: str | None = None


@dataclass(frozen=True)
class MaterialSpec:
    """A material as somebody wrote it. ``media_file_id``: the file itself, or a link's or mini program's cover."""

    kind: MaterialKind
    title: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    media_file_id: str | None = None


def access_item(
    session: Session, kind: FolderKind, item_id: str, hand: Hand, *, is_deleted: bool = False
) -> tuple[Any, Folder]:
    """A reply or material the hand may see, and its folder. Raises NotFound."""
    item: Any = session.get(MODELS[kind], item_id)
    if item is None or (item.deleted_at is not None) != is_deleted:
        raise _missing(kind)
    try:
        return item, access_folder(session, item.folder_id, hand)
    except NotFound:
        raise _missing(kind) from None


def create_reply(session: Session, folder_id: str, spec: ReplySpec, *, hand: Hand, now: datetime) -> Reply:
    """A reply at the end of a folder. Raises NotFound, Refused, Invalid; Conflict where the folder is full."""
    check_reply(spec.title, spec.text)
    folder = change_folder(session, folder_id, hand, FolderKind.REPLIES)
    _check_goes_with(session, spec.material_id, folder, hand)
    reply = Reply(
        id=new_id(), folder_id=folder.id, created_at=now, created_by=hand.name[:128], updated_at=now
    )
    _write_reply(reply, spec)
    _append(session, reply)
    return reply


def update_reply(session: Session, reply_id: str, spec: ReplySpec, *, hand: Hand, now: datetime) -> Reply:
    """The reply as it is written now; its uses go on counting."""
    check_reply(spec.title, spec.text)
    reply: Reply
    reply, folder = _change(session, FolderKind.REPLIES, reply_id, hand)
    if spec.material_id != reply.material_id:
        _check_goes_with(session, spec.material_id, folder, hand)
    _write_reply(reply, spec)
    reply.updated_at = now
    session.flush()
    return reply


def copy_reply(session: Session, reply_id: str, folder_id: str, *, hand: Hand, now: datetime) -> Reply:
    """A second reply with the same words in another folder, as when a member's good one is given to the team.

    A material of the member's own is left behind. Raises Conflict where the folder has the same one already.
    """
    reply, _ = access_item(session, FolderKind.REPLIES, reply_id, hand)
    folder = change_folder(session, folder_id, hand, FolderKind.REPLIES)
    same = select(Reply.id).where(
        Reply.folder_id == folder.id, Reply.deleted_at.is_(None), Reply.title == reply.title
    )
    if session.scalars(same.limit(1)).first():
        raise Conflict("reply_exists", f"「{folder.name}」里已有同名的话术", {"title": "已有同名的话术"})
    goes_with = reply.material_id if is_shared(session, reply.material_id) else None
    return create_reply(session, folder_id, ReplySpec(reply.title, reply.text, goes_with), hand=hand, now=now)


def create_material(
    session: Session, folder_id: str, spec: MaterialSpec, *, hand: Hand, now: datetime
) -> Material:
    """A material at the end of a folder; the upload of its file is owed. Raises as ``create_reply``."""
    folder = change_folder(session, folder_id, hand, FolderKind.MATERIALS)
    material = Material(
        id=new_id(), folder_id=folder.id, created_at=now, created_by=hand.name[:128], updated_at=now
    )
    _write_material(session, material, spec, now=now)
    _append(session, material)
    return material


def update_material(
    session: Session, material_id: str, spec: MaterialSpec, *, hand: Hand, now: datetime
) -> Material:
    """The material as it is written now. Its kind stays. Raises Invalid for another one."""
    material: Material
    material, _ = _change(session, FolderKind.MATERIALS, material_id, hand)
    if spec.kind is not material.kind:
        raise Invalid("material_kind", "素材的类型不能改变，请新建一个", {"kind": "不能改变"})
    _write_material(session, material, spec, now=now)
    material.updated_at = now
    session.flush()
    return material


def move_item(session: Session, kind: FolderKind, item_id: str, folder_id: str, *, hand: Hand) -> Item:
    """The item at the end of another folder of its kind; its own folder changes nothing."""
    item: Item
    item, folder = _change(session, kind, item_id, hand)
    target = change_folder(session, folder_id, hand, kind)
    if target.id != folder.id:
        item.folder_id = target.id
        _append(session, item)
    return item


def shift_item(session: Session, kind: FolderKind, item_id: str, *, by: int, hand: Hand) -> Item:
    """The item so many places further down in its folder (up, where ``by`` is negative); at the end it stays."""
    item: Item
    item, folder = _change(session, kind, item_id, hand)
    model = MODELS[kind]
    inside = select(model).where(model.folder_id == folder.id, model.deleted_at.is_(None))
    shift(session.scalars(inside.order_by(model.position, model.id).limit(MOST_ITEMS)).all(), item, by)
    session.flush()
    return item


def delete_item(session: Session, kind: FolderKind, item_id: str, *, hand: Hand, now: datetime) -> Item:
    """The item is hidden, until it is restored; what was used stays counted."""
    item: Item
    item, _ = _change(session, kind, item_id, hand)
    item.deleted_at = now
    session.flush()
    return item


def restore_item(session: Session, kind: FolderKind, item_id: str, *, hand: Hand, now: datetime) -> Item:
    """A deleted item is back at the end of its folder; its file is uploaded again where that is due."""
    item: Item
    item, _ = _change(session, kind, item_id, hand, is_deleted=True)
    item.deleted_at = None
    if isinstance(item, Material) and item.kind in UPLOADED and item.media_file_id:
        media.owe_uploads(session, [item.media_file_id], now=now)
    _append(session, item)
    return item


def record_use(
    session: Session,
    item_id: str,
    *,
    staff_id: str,
    contact_id: str | None,
    way: UseWay,
    now: datetime,
) -> LibraryUse:
    """Count one use of a reply or material. Raises NotFound for an id that is neither, or not for this member."""
    hand = Hand(staff_id)
    kind = FolderKind.REPLIES if session.get(Reply, item_id) else FolderKind.MATERIALS
    access_item(session, kind, item_id, hand)
    model = MODELS[kind]
    counted = update(model).where(model.id == item_id).values(used=model.used + 1, used_at=now)
    session.execute(counted.execution_options(synchronize_session=False))
    use = LibraryUse(id=new_id(), item_id=item_id, staff_id=staff_id, contact_id=contact_id, way=way, at=now)
    session.add(use)
    session.flush()
    return use


def renew_media(session: Session, *, now: datetime) -> int:
    """Owe an upload for the file of every live material whose media id is missing or nears its end. How many."""
    live = (
        select(Material.media_file_id)
        .join(Folder, Folder.id == Material.folder_id)
        .where(Material.deleted_at.is_(None), Folder.deleted_at.is_(None), Material.kind.in_(UPLOADED))
    )
    return media.owe_uploads(session, [one for one in session.scalars(live) if one], now=now)


def _missing(kind: FolderKind) -> NotFound:
    name = "话术" if kind is FolderKind.REPLIES else "素材"
    return NotFound(
        f"{'reply' if kind is FolderKind.REPLIES else 'material'}_not_found", f"没有这条{name}，或您无权查看"
    )


def _change(
    session: Session, kind: FolderKind, item_id: str, hand: Hand, *, is_deleted: bool = False
) -> tuple[Any, Folder]:
    item, folder = access_item(session, kind, item_id, hand, is_deleted=is_deleted)
    return item, change_folder(session, folder.id, hand)


def _append(session: Session, item: Item) -> None:
    """Put the item behind the others of its folder."""
    model = type(item)
    inside = select(func.count(model.id), func.max(model.position)).where(
        model.folder_id == item.folder_id, model.deleted_at.is_(None), model.id != item.id
    )
    with session.no_autoflush:
        count, last = session.execute(inside).one()
    if count >= MOST_ITEMS:
        raise Conflict("folder_full", f"一个文件夹最多 {MOST_ITEMS} 条，请换一个文件夹")
    item.position = (last or 0) + 1 if count else 0
    session.add(item)
    session.flush()


def _write_reply(reply: Reply, spec: ReplySpec) -> None:
    reply.title, reply.text = spec.title.strip(), spec.text.strip()
    reply.spelling, reply.material_id = spelling(reply.title), spec.material_id


def _write_material(session: Session, material: Material, spec: MaterialSpec, *, now: datetime) -> None:
    file = session.get(MediaFile, spec.media_file_id) if spec.media_file_id else None
    if spec.media_file_id and file is None:
        raise Invalid("media_unknown", "没有这个文件，请重新上传", {"file": "没有这个文件"})
    material.detail = check_material(spec.kind, spec.title, spec.detail, file.kind if file else None)
    material.kind, material.title = spec.kind, spec.title.strip()
    material.spelling, material.media_file_id = spelling(material.title), file.id if file else None
    if spec.kind in UPLOADED and file is not None:
        media.owe_uploads(session, [file.id], now=now)


def _check_goes_with(session: Session, material_id: str | None, folder: Folder, hand: Hand) -> None:
    """Whoever uses the reply must see its material: a team's reply goes with a team's material."""
    if material_id is None:
        return
    _, where = access_item(session, FolderKind.MATERIALS, material_id, hand)
    if where.owner_id is not None and where.owner_id != folder.owner_id:
        told = "团队话术只能附带团队素材"
        raise Invalid("material_personal", told, {"material": told})


def is_shared(session: Session, material_id: str | None) -> bool:
    """Whether a live material lies in a folder of the team."""
    material = session.get(Material, material_id) if material_id else None
    folder = session.get(Folder, material.folder_id) if material else None
    return bool(material and folder and folder.owner_id is None and material.deleted_at is None)
