"""Reads of the library: folders, lists and searches, how often things are used, and messages ready to be sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.channels.media import media_ids
from scrm.channels.models import MediaFile
from scrm.contacts.models import Contact
from scrm.errors import NotFound
from scrm.library.folders import MODELS, Hand, access_folder
from scrm.library.models import Folder, FolderKind, LibraryUse, Material, MaterialKind, Reply
from scrm.library.rules import MOST_FOLDERS, UPLOADED, fill, material_message, text_message

LONGEST_QUERY = 64


@dataclass(frozen=True)
class FolderRow:
    """A folder and how many live things it holds."""

    folder: Folder
    count: int


@dataclass(frozen=True)
class Found:
    """A reply or material with the folder it lies in."""

    item: Any
    folder: Folder


@dataclass(frozen=True)
class Summary:
    """What a library comes to: how many, used how often, the most used one, how many nobody has used for long."""

    count: int
    uses: int
    most: tuple[str, int] | None  # its title and uses
    idle: int


def list_folders(session: Session, kind: FolderKind, hand: Hand) -> list[FolderRow]:
    """The folders a hand may open: the team's first, then its own, each in order."""
    model = MODELS[kind]
    query = (
        select(Folder, func.count(model.id))
        .outerjoin(model, and_(model.folder_id == Folder.id, model.deleted_at.is_(None)))
        .where(Folder.kind == kind, Folder.deleted_at.is_(None), hand.sees())
        .group_by(Folder.id)
        .order_by(Folder.owner_id.is_not(None), Folder.position, Folder.id)
        .limit(2 * MOST_FOLDERS)
    )
    return [FolderRow(folder, count) for folder, count in session.execute(query)]


def count_in(session: Session, folder: Folder) -> FolderRow:
    """One folder and how many live things it holds."""
    model = MODELS[folder.kind]
    inside = select(func.count(model.id)).where(model.folder_id == folder.id, model.deleted_at.is_(None))
    return FolderRow(folder, session.scalar(inside) or 0)


@dataclass(frozen=True)
class Which:
    """What is looked for. A folder without ``q`` is in its own order; all else is most used first.

    ``is_own`` leaves only the member's or only the team's, ``idle_since`` what nobody used since.
    """

    q: str = ""
    folder_id: str | None = None
    is_own: bool | None = None
    idle_since: datetime | None = None

    @property
    def is_in_order(self) -> bool:
        return self.folder_id is not None and not self.q.strip()

    def place_of(self, item: Any) -> tuple[int, str]:
        """Where an item stands in the list: the cursor of what comes after it."""
        return (item.position if self.is_in_order else item.used), item.id


def search(
    session: Session,
    which: Which,
    *,
    kind: FolderKind,
    hand: Hand,
    cursor: tuple[int, str] | None = None,
    limit: int = 50,
) -> list[Found]:
    """What the hand may see and ``which`` finds: in titles and texts, by pinyin or its initials, case aside."""
    model = MODELS[kind]
    query = select(model, Folder).join(Folder, Folder.id == model.folder_id)
    query = query.where(
        Folder.kind == kind, Folder.deleted_at.is_(None), model.deleted_at.is_(None), hand.sees()
    )
    if which.folder_id is not None:
        query = query.where(model.folder_id == access_folder(session, which.folder_id, hand).id)
    if which.is_own is not None:
        query = query.where(Folder.owner_id.is_not(None) if which.is_own else Folder.owner_id.is_(None))
    if which.idle_since is not None:
        query = query.where(or_(model.used_at.is_(None), model.used_at < which.idle_since))
    if which.q.strip():
        query = query.where(_matches(model, which.q))
    place = model.position if which.is_in_order else model.used
    if cursor is not None:
        at, item_id = cursor
        beyond = place > at if which.is_in_order else place < at
        query = query.where(or_(beyond, and_(place == at, model.id > item_id)))
    order = place if which.is_in_order else place.desc()
    found = session.execute(query.order_by(order, model.id).limit(limit))
    return [Found(item, folder) for item, folder in found]


def _matches(model: Any, q: str) -> ColumnElement[bool]:
    wanted = q.strip()[:LONGEST_QUERY].lower()
    letters = "".join(wanted.split())
    ways = [func.lower(model.title).contains(wanted, autoescape=True)]
    ways += [model.spelling.contains(letters, autoescape=True)]
    if model is Reply:
        ways.append(func.lower(model.text).contains(wanted, autoescape=True))
    return or_(*ways)


def uses_of(session: Session, item_ids: Collection[str], since: datetime) -> dict[str, int]:
    """Item → how often it was used since then; nothing for one that was not."""
    if not item_ids:
        return {}
    query = (
        select(LibraryUse.item_id, func.count(LibraryUse.id))
        .where(LibraryUse.item_id.in_(item_ids), LibraryUse.at >= since)
        .group_by(LibraryUse.item_id)
    )
    return {item_id: count for item_id, count in session.execute(query)}  # noqa: C416 - a Row is no plain pair


def summarize(
    session: Session, kind: FolderKind, hand: Hand, *, since: datetime, idle_since: datetime
) -> Summary:
    """The figures over all that the hand may see."""
    model = MODELS[kind]
    live = (
        select(model.id, model.title, model.used_at)
        .join(Folder, Folder.id == model.folder_id)
        .where(Folder.kind == kind, Folder.deleted_at.is_(None), model.deleted_at.is_(None), hand.sees())
    )
    titles, idle = {}, 0
    for item_id, title, used_at in session.execute(live):
        titles[item_id] = title
        idle += used_at is None or used_at < idle_since
    recent = select(LibraryUse.item_id, func.count(LibraryUse.id)).where(LibraryUse.at >= since)
    rows = session.execute(recent.group_by(LibraryUse.item_id))
    uses = {item_id: count for item_id, count in rows if item_id in titles}
    best = max(uses, key=lambda item_id: (uses[item_id], item_id), default=None)
    most = (titles[best], uses[best]) if best else None
    return Summary(len(titles), sum(uses.values()), most, idle)


def filled(text: str, contact: Contact | None, staff: Staff | None) -> str:
    """A reply's text as this customer gets it from this member."""
    return fill(
        text,
        customer=contact.name if contact else None,
        staff=staff.name if staff else None,
        company=contact.corp_name if contact else None,
    )


def messages_of(
    session: Session,
    items: Sequence[Reply | Material],
    *,
    contact: Contact | None,
    staff: Staff | None,
    cover_url: Callable[[str], str],
    now: datetime,
) -> dict[str, list[dict[str, Any]]]:
    """Item → what sendChatMessage is given, one after the other: a reply's text and what goes with it, or a material.

    ``cover_url`` makes the address of a material's cover from the material's id. An item whose file is still on its
    way to the platform has no messages yet.
    """
    parts = _materials(session, items, cover_url, now)
    made = {}
    for item in items:
        if isinstance(item, Material):
            messages = parts[item.id]
        else:
            text = [text_message(filled(item.text, contact, staff))]
            messages = text + parts[item.material_id] if item.material_id in parts else text
            if item.material_id in parts and not parts[item.material_id]:
                messages = []
        made[item.id] = messages
    return made


def _materials(
    session: Session, items: Sequence[Reply | Material], cover_url: Callable[[str], str], now: datetime
) -> dict[str, list[dict[str, Any]]]:
    """Live material → its message, none without the platform's id of its file: of these, and of what goes with them."""
    materials = [one for one in items if isinstance(one, Material)]
    wanted = {one.material_id for one in items if isinstance(one, Reply) and one.material_id}
    if wanted:
        live = select(Material).where(Material.id.in_(wanted), Material.deleted_at.is_(None))
        materials += session.scalars(live)
    ids = media_ids(session, [one.media_file_id for one in materials if one.media_file_id], now=now)
    made: dict[str, list[dict[str, Any]]] = {}
    for one in materials:
        media_id = ids.get(one.media_file_id or "")
        is_file = one.kind in UPLOADED
        cover = cover_url(one.id) if one.media_file_id and not is_file else None
        message = material_message(one.kind, one.title, one.detail, media_id=media_id, cover=cover)
        made[one.id] = [] if is_file and media_id is None else [message]
    return made


def files_of(session: Session, materials: Sequence[Material]) -> dict[str, MediaFile]:
    """Our file id → the file, without its content, in one query."""
    ids = {one.media_file_id for one in materials if one.media_file_id}
    if not ids:
        return {}
    return {file.id: file for file in session.scalars(select(MediaFile).where(MediaFile.id.in_(ids)))}


def find_file(session: Session, media_file_id: str | None) -> MediaFile | None:
    """A file by its id, without its content; None where there is none."""
    return session.get(MediaFile, media_file_id) if media_file_id else None


def get_cover(session: Session, material_id: str) -> MediaFile:
    """The cover of a live link or mini program: what anybody may see who got its card. Raises NotFound."""
    query = (
        select(MediaFile)
        .join(Material, Material.media_file_id == MediaFile.id)
        .join(Folder, Folder.id == Material.folder_id)
        .where(
            Material.id == material_id,
            Material.kind.in_([kind for kind in MaterialKind if kind not in UPLOADED]),
            Material.deleted_at.is_(None),
            Folder.deleted_at.is_(None),
            MediaFile.kind == "image",
        )
    )
    file = session.scalar(query)
    if file is None:
        raise NotFound("cover_not_found", "没有这张封面")
    return file
