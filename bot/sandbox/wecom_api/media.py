"""Temporary media, three days (path/90253), and permanent image URLs (path/90256)."""

from __future__ import annotations

from typing import Any

from bot.sandbox.errors import ApiError
from bot.sandbox.registry import Call, RawAnswer, Upload, endpoint
from bot.sandbox.state import new_id

MEGABYTE = 1024 * 1024
MOST_BYTES = {"image": 10 * MEGABYTE, "voice": 2 * MEGABYTE, "video": 10 * MEGABYTE, "file": 20 * MEGABYTE}
LEAST_BYTES = 5  # "larger than 5 bytes"
MOST_URL_IMAGE = 2 * MEGABYTE
MEDIA_ID_LENGTH = 64


def looks_like(kind: str, data: bytes) -> bool:
    """Whether the first bytes are of the kind: JPG or PNG, AMR, MP4; a file may be anything."""
    if kind == "image":
        return data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))
    if kind == "voice":
        return data.startswith(b"#!AMR")
    if kind == "video":
        return data[4:8] == b"ftyp"
    return True


def checked_upload(call: Call, kind: str, most: int) -> Upload:
    """The uploaded file. Raises 44001 none, 40006 too small, 45001 too big, 40004 wrong kind."""
    upload = call.upload
    if upload is None or not upload.data:
        raise ApiError(44001)
    if len(upload.data) <= LEAST_BYTES:
        raise ApiError(40006)
    if len(upload.data) > most:
        raise ApiError(45001)
    if not looks_like(kind, upload.data):
        raise ApiError(40004)
    call.body = {"type": kind, "filename": upload.filename, "size": len(upload.data)}
    return upload


def keep(call: Call, kind: str, upload: Upload) -> str:
    """Store an upload; answers its media_id."""
    media_id = new_id("3", MEDIA_ID_LENGTH)
    call.state.insert(
        "media", id=media_id, kind=kind, filename=upload.filename, content_type=upload.content_type, data=upload.data,
        at=call.now,
    )  # fmt: skip
    return media_id


def check_media(call: Call, media_id: Any, kinds: tuple[str, ...]) -> None:
    """Raises 40007 for an id that is unknown, expired or of another kind."""
    row = call.state.one(
        "SELECT kind, at FROM media WHERE id = ?", media_id if isinstance(media_id, str) else ""
    )
    if row is None or row["kind"] not in kinds or row["at"] + call.settings.media_ttl_s <= call.now:
        raise ApiError(40007)


@endpoint("media/upload", write=True)
def media_upload(call: Call) -> dict[str, Any]:
    """Keep a file for three days."""
    kind = call.query.get("type", "")
    if kind not in MOST_BYTES:
        raise ApiError(40005)
    media_id = keep(call, kind, checked_upload(call, kind, MOST_BYTES[kind]))
    return {"type": kind, "media_id": media_id, "created_at": str(int(call.now))}


@endpoint("media/uploadimg", write=True)
def media_uploadimg(call: Call) -> dict[str, Any]:
    """Keep an image under a permanent URL."""
    media_id = keep(call, "url_image", checked_upload(call, "image", MOST_URL_IMAGE))
    return {"url": f"{call.settings.base_url}/sandbox/media/{media_id}"}


@endpoint("media/get", method="GET")
def media_get(call: Call) -> RawAnswer:
    """The bytes; an error is JSON."""
    media_id = call.param("media_id", 41006)
    check_media(call, media_id, tuple(MOST_BYTES))
    (row,) = call.state.all("SELECT * FROM media WHERE id = ?", media_id)
    return RawAnswer(row["data"], row["content_type"], row["filename"])
