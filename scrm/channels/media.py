"""Files for welcome messages: kept by us, uploaded ahead of time, renewed before the platform forgets them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from scrm import clock
from scrm.accounts import service as accounts
from scrm.channels.models import Channel, MediaFile
from scrm.channels.rules import media_of
from scrm.dialects import insert_ignore
from scrm.errors import Invalid
from scrm.ids import new_id
from scrm.outbox import service as outbox
from scrm.outbox.commands import UploadMedia
from scrm.outbox.models import CallState

MEDIA_LIFE = timedelta(days=3)  # media/upload (path/90253)
RENEW_AFTER = timedelta(days=2, hours=12)
SAFETY = timedelta(minutes=5)  # a media id this near its end is not used any more
MIN_BYTES = 6  # the platform refuses 5 bytes and less
MB = 1024 * 1024
MAX_BYTES = {"image": 10 * MB, "video": 10 * MB, "file": 20 * MB}
DEFAULT_WELCOME = "default_welcome"
FILENAME_MAX = 120
BATCH = 500

_MAGIC = {"jpg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n"}
_UNSAFE = re.compile(r"[\"'<>:|?*;%&`$\\/]+")


def store_media(session: Session, *, kind: str, filename: str, content: bytes, now: datetime) -> MediaFile:
    """Keep a file and owe its upload. The same content is kept once per kind: a second call returns the first row.

    Raises Invalid when the platform would not take it: the content decides, not the name.
    """
    suffix = _check(kind, content)
    digest = hashlib.sha256(content).hexdigest()
    row = {
        "id": new_id(),
        "kind": kind,
        "filename": safe_filename(filename, kind=kind, suffix=suffix),
        "sha256": digest,
        "size": len(content),
        "content": content,
        "created_at": now,
    }
    insert_ignore(session, MediaFile, [row])
    kept = session.scalars(select(MediaFile).where(MediaFile.sha256 == digest, MediaFile.kind == kind)).one()
    _owe([kept], session, now=now)
    return kept


def _check(kind: str, content: bytes) -> str | None:
    """The suffix that suits the content; None for plain files."""
    most = MAX_BYTES.get(kind)
    if most is None:
        raise Invalid(
            "invalid_media", "素材类型应为 image、video 或 file", {"kind": "应为 image、video 或 file"}
        )
    if len(content) < MIN_BYTES:
        raise Invalid("invalid_media", "文件是空的或太小（至少 6 字节）", {"content": "文件太小"})
    if len(content) > most:
        text = f"文件太大：最多 {most // MB} MB，当前 {len(content) / MB:.1f} MB"
        raise Invalid("invalid_media", text, {"content": text})
    if kind == "file":
        return None
    found = _sniff(content)
    wanted = ("jpg", "png") if kind == "image" else ("mp4",)
    if found not in wanted:
        text = "图片应为 JPG 或 PNG 格式" if kind == "image" else "视频应为 MP4 格式"
        raise Invalid("invalid_media", f"{text}（按文件内容判断，与扩展名无关）", {"content": text})
    return found


def _sniff(content: bytes) -> str | None:
    for suffix, magic in _MAGIC.items():
        if content.startswith(magic):
            return suffix
    return "mp4" if content[4:8] == b"ftyp" else None


def safe_filename(filename: str, *, kind: str, suffix: str | None) -> str:
    """A name without path, control or shell characters, short, with the suffix that suits the content."""
    name = unicodedata.normalize("NFC", filename.replace("\\", "/").rsplit("/", 1)[-1])
    name = "".join(char for char in name if unicodedata.category(char)[0] != "C")
    path = PurePosixPath(_UNSAFE.sub("_", name).strip(" ._") or kind)
    ending = f".{suffix}" if suffix else path.suffix[:16]
    if suffix == "jpg" and path.suffix.lower() == ".jpeg":
        ending = path.suffix.lower()
    return path.stem[: FILENAME_MAX - len(ending)] + ending


def renew_media(session: Session, *, now: datetime) -> int:
    """Owe an upload for every file some welcome uses whose media id is missing or nears its end. How many.

    At most one upload a day and file, so a file that the platform refuses is not sent over and over.
    """
    return owe_uploads(session, _used(session), now=now)


def owe_uploads(session: Session, media_file_ids: Iterable[str], *, now: datetime) -> int:
    """As ``renew_media``, for the files named. How many uploads are newly owed."""
    owed = 0
    due = or_(MediaFile.media_id.is_(None), MediaFile.uploaded_at <= now - RENEW_AFTER)
    for ids in _batches(media_file_ids):
        owed += _owe(session.scalars(select(MediaFile).where(MediaFile.id.in_(ids), due)), session, now=now)
    return owed


def _owe(files: Iterable[MediaFile], session: Session, *, now: datetime) -> int:
    day = now.date().isoformat()
    owed = 0
    for file in files:
        if file.media_id and file.uploaded_at and file.uploaded_at > now - RENEW_AFTER:
            continue
        command = UploadMedia(media_file_id=file.id, kind=file.kind, filename=file.filename, unique=day)
        owed += outbox.enqueue(session, command, now=now)
    return owed


def _used(session: Session) -> set[str]:
    """Ids of all files that a channel's or the default welcome uses."""
    welcomes: list[Mapping[str, Any]] = list(get_default_welcomes(session))
    for of_channel in session.scalars(select(Channel.welcomes)):
        welcomes.extend(of_channel)
    return {ref for welcome in welcomes for ref in media_of(welcome.get("attachments") or [])}


def get_default_welcomes(session: Session) -> list[dict[str, Any]]:
    """The welcomes for contacts who came without a channel; none when nobody set any."""
    value = accounts.get_setting(session, DEFAULT_WELCOME, {}) or {}
    return list(value.get("welcomes", []))


def media_ids(
    session: Session, media_file_ids: Collection[str], *, now: datetime | None = None
) -> dict[str, str]:
    """Our file id → the platform's media id, only those that are still good for a send now."""
    oldest = (now or clock.now()) - MEDIA_LIFE + SAFETY
    found: dict[str, str] = {}
    for ids in _batches(media_file_ids):
        good = select(MediaFile.id, MediaFile.media_id).where(
            MediaFile.id.in_(ids), MediaFile.media_id.is_not(None), MediaFile.uploaded_at > oldest
        )
        found |= {file_id: media_id for file_id, media_id in session.execute(good) if media_id}
    return found


def on_media_uploaded(
    session: Session,
    command: Mapping[str, Any],
    state: str,
    answer: Mapping[str, Any] | None,
    *,
    now: datetime,
) -> None:
    """Keep the media id an upload brought. A late answer never replaces a newer id; a failure changes nothing."""
    media_id = (answer or {}).get("media_id")
    if state != CallState.SENT or not media_id:
        return
    file = session.get(MediaFile, command["media_file_id"])
    if file is None:
        return
    made = _unix((answer or {}).get("created_at"))
    uploaded_at = min(made, now) if made else now
    if file.uploaded_at is None or uploaded_at >= file.uploaded_at:
        file.media_id, file.uploaded_at = media_id, uploaded_at


def _unix(value: Any) -> datetime | None:
    return clock.from_unix(value) if str(value or "").isdigit() else None


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(sorted(set(ids)))
    while batch := list(islice(remaining, BATCH)):
        yield batch
