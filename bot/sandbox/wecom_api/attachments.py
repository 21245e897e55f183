"""Attachments of welcomes (and, later, of mass messages): the same nine at most (path/92137, 92135)."""

from __future__ import annotations

from typing import Any

from bot.sandbox.errors import ApiError
from bot.sandbox.registry import Call
from bot.sandbox.wecom_api.media import check_media

MOST_ATTACHMENTS = 9
MOST_TEXT_BYTES = 4000
LONGEST_URL = 2048
KINDS = ("image", "link", "miniprogram", "video", "file")


def text_field(part: dict[str, Any], name: str, most_bytes: int, *, needed: bool = False) -> str:
    """A field of an attachment, length in UTF-8 bytes. Raises 40058."""
    value = part.get(name, "")
    if not isinstance(value, str) or len(value.encode()) > most_bytes or (needed and not value):
        raise ApiError(40058, name)
    return value


def check_attachment(call: Call, attachment: dict[str, Any]) -> None:
    """Raises 41065, 40058 or 40007 for what the platform would not send."""
    kind = attachment.get("msgtype")
    if kind not in KINDS:
        raise ApiError(41065)
    part = attachment.get(kind)
    if not isinstance(part, dict):
        raise ApiError(40058, str(kind))
    if kind == "image":
        if part.get("media_id") or not text_field(part, "pic_url", LONGEST_URL):
            check_media(call, part.get("media_id"), ("image",))
    elif kind in ("video", "file"):
        check_media(call, part.get("media_id"), (kind,))
    elif kind == "link":
        text_field(part, "title", 128, needed=True)
        text_field(part, "picurl", LONGEST_URL)
        text_field(part, "desc", 512)
        text_field(part, "url", LONGEST_URL, needed=True)
    else:
        text_field(part, "title", 64, needed=True)
        for name in ("appid", "page"):
            text_field(part, name, LONGEST_URL, needed=True)
        check_media(call, part.get("pic_media_id"), ("image",))


def checked_content(call: Call) -> tuple[str, list[dict[str, Any]]]:
    """The call's text and attachments. Raises 41064 too many, 41065 kind, 40007 media, 40058 the rest."""
    text = text_field(call.mapping("text"), "content", MOST_TEXT_BYTES)
    attachments: list[dict[str, Any]] = call.items("attachments", dict)
    if not text and not attachments:
        raise ApiError(40058, "text and attachments are both empty")
    if len(attachments) > MOST_ATTACHMENTS:
        raise ApiError(41064)
    for attachment in attachments:
        check_attachment(call, attachment)
    return text, attachments
