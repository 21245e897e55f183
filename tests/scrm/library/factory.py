"""Folders, replies and materials as tests need them."""

from __future__ import annotations

from scrm.accounts.models import Staff
from scrm.channels import media
from scrm.library import folders, service
from scrm.library.folders import Hand
from scrm.library.models import FolderKind, MaterialKind
from scrm.library.service import MaterialSpec, ReplySpec

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 32
TEAM = Hand(None, keeps_team=True, name="account:boss")


def member(session, now, userid="wangmin", name="王敏") -> Hand:
    """A member who has no more than their own folders to change."""
    staff = Staff(userid=userid, name=name, updated_at=now)
    session.add(staff)
    session.flush()
    return Hand(staff.id, name=f"staff:{userid}")


def folder(session, now, name="报价", *, hand=TEAM, kind=FolderKind.REPLIES):
    return folders.create_folder(session, kind, name, owner_id=hand.staff_id, hand=hand, now=now)


def reply(session, now, place, title="报价流程", text="您好", *, hand=TEAM, material_id=None):
    return service.create_reply(session, place.id, ReplySpec(title, text, material_id), hand=hand, now=now)


def link(session, now, place, title="官网", *, hand=TEAM, url="https://example.com/a", **detail):
    spec = MaterialSpec(MaterialKind.LINK, title, {"url": url, **detail})
    return service.create_material(session, place.id, spec, hand=hand, now=now)


def picture(session, now, place, title="海报", *, hand=TEAM, content=PNG):
    file = media.store_media(session, kind="image", filename="a.png", content=content, now=now)
    spec = MaterialSpec(MaterialKind.IMAGE, title, {}, file.id)
    return service.create_material(session, place.id, spec, hand=hand, now=now)
