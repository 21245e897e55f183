"""/media: files for welcomes and materials."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePath

from bot.api.routes import Call, Routes, Upload
from bot.api.types import Answer
from scrm.channels import media
from scrm.errors import Invalid

routes = Routes("素材")
IMAGES, VIDEOS = {".jpg", ".jpeg", ".png"}, {".mp4"}


class MediaOut(Answer):
    """A stored file; its ``id`` is what attachments name as ``media``."""

    id: str
    kind: str
    filename: str
    size: int
    created_at: datetime


@routes.post(
    "/media",
    "上传素材",
    scope="channels.write",
    status=201,
    note="multipart/form-data：file 为文件；kind 可填 image、video、file，不填按扩展名判断。相同内容只保存一份。",
)
def upload_media(call: Call, upload: Upload) -> MediaOut:
    """A file of ours; the same content is kept once."""
    extra = set(upload.fields) - {"kind"}
    if extra:
        fields = dict.fromkeys(sorted(extra)[:20], "没有这个字段，请删除")
        raise Invalid("invalid", "请求内容有误：有不认识的字段", fields)
    kind = upload.fields.get("kind") or guess_kind(upload.filename)
    row = media.store_media(
        call.session, kind=kind, filename=upload.filename, content=upload.content, now=call.now
    )
    return MediaOut(id=row.id, kind=row.kind, filename=row.filename, size=row.size, created_at=row.created_at)


def guess_kind(filename: str) -> str:
    """What a file is by its name, where nobody said."""
    suffix = PurePath(filename).suffix.lower()
    return "image" if suffix in IMAGES else "video" if suffix in VIDEOS else "file"
