"""The corp's logo in the middle of printed codes: one picture among the stored files, named by a setting.

It is never uploaded to WeCom: only codes that we draw carry it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from scrm.accounts.service import get_setting, set_setting
from scrm.channels.models import MediaFile
from scrm.dialects import insert_ignore
from scrm.ids import new_id

KEY = "code_logo"
KIND = "logo"  # beside image, video and file: nothing that is sent may name it
_NONE = ""


def has_logo(session: Session) -> bool:
    """Whether there is one, without reading it."""
    return bool(_file_id(session))


def find_logo(session: Session) -> bytes | None:
    """The logo as PNG; None where nobody set one."""
    file = session.get(MediaFile, _file_id(session)) if has_logo(session) else None
    return file.content if file is not None else None


def set_logo(session: Session, content: bytes, *, actor: str, now: datetime) -> None:
    """Keep this PNG as the logo in place of any before; the same again changes nothing."""
    before, digest = _file_id(session), hashlib.sha256(content).hexdigest()
    row = {
        "id": new_id(),
        "kind": KIND,
        "filename": "logo.png",
        "sha256": digest,
        "size": len(content),
        "content": content,
        "created_at": now,
    }
    insert_ignore(session, MediaFile, [row])
    kept = session.scalars(
        select(MediaFile.id).where(MediaFile.sha256 == digest, MediaFile.kind == KIND)
    ).one()
    if kept != before:
        set_setting(session, KEY, kept, actor=actor, now=now)
        _forget(session, before)


def drop_logo(session: Session, *, actor: str, now: datetime) -> bool:
    """Codes carry no logo from now on. Whether there was one."""
    before = _file_id(session)
    if before:
        set_setting(session, KEY, _NONE, actor=actor, now=now)
        _forget(session, before)
    return bool(before)


def _file_id(session: Session) -> str:
    return str(get_setting(session, KEY, _NONE))


def _forget(session: Session, file_id: str) -> None:
    session.execute(delete(MediaFile).where(MediaFile.id == file_id, MediaFile.kind == KIND))
