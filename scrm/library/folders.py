"""Folders, and who may change what lies in them: the team's by those who keep it, a member's by that member alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.errors import Conflict, Invalid, NotFound, Refused
from scrm.ids import new_id
from scrm.library.models import Folder, FolderKind, Material, Reply
from scrm.library.rules import MOST_FOLDERS, check_folder_name

Item = Reply | Material
MODELS: dict[FolderKind, type[Reply | Material]] = {
    FolderKind.REPLIES: Reply,
    FolderKind.MATERIALS: Material,
}


@dataclass(frozen=True)
class Hand:
    """Who asks: a member sees the team's folders and their own. ``keeps_team``: may change the team's.

    ``is_program``: a token, which belongs to nobody and reaches every folder.
    """

    staff_id: str | None
    keeps_team: bool = False
    is_program: bool = False
    name: str = "system"

    def sees(self) -> ColumnElement[bool]:
        """What holds for a folder this hand may open."""
        own = Folder.owner_id == self.staff_id if self.staff_id else Folder.owner_id.is_(None)
        return or_(Folder.owner_id.is_(None), own)

    def may_change(self, folder: Folder) -> bool:
        """Whether this hand may change the folder and what lies in it."""
        if folder.owner_id is None:
            return self.keeps_team
        return self.is_program or folder.owner_id == self.staff_id


def access_folder(session: Session, folder_id: str, hand: Hand, *, is_deleted: bool = False) -> Folder:
    """A folder the hand may open. Raises NotFound, for another member's folder too."""
    folder = session.get(Folder, folder_id)
    visible = folder is not None and (hand.is_program or folder.owner_id in (None, hand.staff_id))
    if folder is None or not visible or (folder.deleted_at is not None) != is_deleted:
        raise NotFound("folder_not_found", "没有这个文件夹，或您无权查看")
    return folder


def change_folder(
    session: Session, folder_id: str, hand: Hand, kind: FolderKind | None = None, *, is_deleted: bool = False
) -> Folder:
    """A folder the hand may change. Raises NotFound, and Refused for the team's where the hand only reads."""
    folder = access_folder(session, folder_id, hand, is_deleted=is_deleted)
    if kind is not None and folder.kind is not kind:
        raise NotFound("folder_not_found", "没有这个文件夹，或您无权查看")
    if not hand.may_change(folder):
        raise Refused("library_team", "团队的内容由管理员、市场或销售主管维护；可以存一份到自己的文件夹")
    return folder


def create_folder(
    session: Session, kind: FolderKind, name: str, *, owner_id: str | None, hand: Hand, now: datetime
) -> Folder:
    """A folder behind the others of the team (``owner_id`` None) or of that member.

    Raises Invalid for its name, Refused where the hand may not, Conflict when there are too many or one so named.
    """
    name = check_folder_name(name)
    folder = Folder(id=new_id(), kind=kind, name=name, owner_id=owner_id, created_at=now)
    if not hand.may_change(folder):
        raise Refused("library_team", "团队的文件夹由管理员、市场或销售主管维护")
    if owner_id is not None and session.get(Staff, owner_id) is None:
        raise Invalid("staff_unknown", "没有这位员工，请核对", {"owner": "没有这位员工"})
    others = shelf(session, kind, owner_id)
    _check_free(others, name)
    if len(others) >= MOST_FOLDERS:
        raise Conflict("folders_full", f"最多 {MOST_FOLDERS} 个文件夹，请先删除不用的")
    folder.position = others[-1].position + 1 if others else 0
    session.add(folder)
    session.flush()
    return folder


def rename_folder(session: Session, folder_id: str, name: str, *, hand: Hand) -> Folder:
    """The folder under its new name; the same name changes nothing."""
    folder = change_folder(session, folder_id, hand)
    name = check_folder_name(name)
    _check_free([one for one in shelf(session, folder.kind, folder.owner_id) if one is not folder], name)
    folder.name = name
    session.flush()
    return folder


def move_folder(session: Session, folder_id: str, *, by: int, hand: Hand) -> Folder:
    """The folder so many places further down (up, where ``by`` is negative); at the end it stays."""
    folder = change_folder(session, folder_id, hand)
    shift(shelf(session, folder.kind, folder.owner_id), folder, by)
    session.flush()
    return folder


def delete_folder(session: Session, folder_id: str, *, hand: Hand, now: datetime) -> Folder:
    """The folder is hidden with what it holds, until it is restored."""
    folder = change_folder(session, folder_id, hand)
    folder.deleted_at = now
    session.flush()
    return folder


def restore_folder(session: Session, folder_id: str, *, hand: Hand) -> Folder:
    """A deleted folder is back with what it held. Raises Conflict where another took its name."""
    folder = change_folder(session, folder_id, hand, is_deleted=True)
    _check_free(shelf(session, folder.kind, folder.owner_id), folder.name)
    folder.deleted_at = None
    session.flush()
    return folder


def own_folder(session: Session, kind: FolderKind, hand: Hand, *, name: str, now: datetime) -> Folder:
    """The member's first folder; made under ``name`` where there is none yet. Raises Refused without a member."""
    if hand.staff_id is None:
        raise Refused("library_nobody", "只有员工才有自己的文件夹")
    owned = shelf(session, kind, hand.staff_id)
    return (
        owned[0] if owned else create_folder(session, kind, name, owner_id=hand.staff_id, hand=hand, now=now)
    )


def shelf(session: Session, kind: FolderKind, owner_id: str | None) -> list[Folder]:
    """All live folders of the team or of one member, in order."""
    owner = Folder.owner_id.is_(None) if owner_id is None else Folder.owner_id == owner_id
    query = select(Folder).where(Folder.kind == kind, owner, Folder.deleted_at.is_(None))
    return list(session.scalars(query.order_by(Folder.position, Folder.id).limit(MOST_FOLDERS)))


def shift(rows: Sequence[Any], moved: Any, by: int) -> None:
    """Move one of the ordered rows and number them; rows that keep their place are not written."""
    order = list(rows)
    at = order.index(moved)
    order.insert(max(0, min(len(order) - 1, at + by)), order.pop(at))
    for position, row in enumerate(order):
        if row.position != position:
            row.position = position


def _check_free(others: Sequence[Folder], name: str) -> None:
    if any(folder.name == name for folder in others):
        told = f"已有名为「{name}」的文件夹"
        raise Conflict("folder_exists", f"{told}，请换一个名称", {"name": told})
