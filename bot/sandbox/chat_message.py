"""Messages of the JS-SDK's sendChatMessage: what the client takes, as the customer's phone shows it (path/98539)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from bot.sandbox.control.routes import Box
from bot.sandbox.state import new_id
from bot.sandbox.wecom_api.media import MEDIA_ID_LENGTH

Attachment = dict[str, Any]
Shown = tuple[str, list[Attachment]]  # a text, and what hangs below it


class Unsendable(Exception):
    """The client refuses; the text is the end of its err_msg."""


def read_message(box: Box, message: dict[str, Any]) -> Shown:
    """The text and attachments of a message. Raises Unsendable."""
    kind = message.get("msgtype")
    part = message.get(kind) if isinstance(kind, str) else None
    read = _KINDS.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise Unsendable("invalid msgtype")
    if not isinstance(part, dict):
        raise Unsendable(f"invalid {kind}")
    return read(box, str(kind), part)


async def fetch_picture(box: Box, attachment: Attachment) -> tuple[bytes, str] | None:
    """The picture of a card, fetched as WeChat fetches it; None where it is nobody's, or a stranger's."""
    part = attachment[attachment["msgtype"]]
    return await box.product.picture(part["picurl"]) if part.get("picurl") else None


def keep_picture(box: Box, attachment: Attachment, picture: tuple[bytes, str] | None) -> None:
    """Let the phone show the picture of a card from here."""
    if picture is None:
        return
    content, kind = picture
    media_id = new_id("3", MEDIA_ID_LENGTH)
    box.state.insert(
        "media", id=media_id, kind="url_image", filename="cover", content_type=kind, data=content, at=box.state.now()
    )  # fmt: skip
    part = attachment[attachment["msgtype"]]
    part["picurl"] = f"{box.settings.base_url}/sandbox/media/{media_id}"
    if attachment["msgtype"] == "miniprogram":
        part["pic_media_id"] = media_id


def _text(_box: Box, _kind: str, part: dict[str, Any]) -> Shown:
    return _needed(part, "content"), []


def _media(box: Box, kind: str, part: dict[str, Any]) -> Shown:
    """By ``mediaid``, without the underscore of the server's API: of this kind, and not over three days old."""
    media_id = _needed(part, "mediaid")
    row = box.state.one("SELECT kind, at FROM media WHERE id = ?", media_id)
    if row is None or row["kind"] != kind or row["at"] + box.settings.media_ttl_s <= box.state.now():
        raise Unsendable("invalid mediaid")
    return "", [{"msgtype": kind, kind: {"media_id": media_id}}]


def _news(_box: Box, _kind: str, part: dict[str, Any]) -> Shown:
    link = {"title": _needed(part, "title"), "url": _address(part, "link")}
    link |= {"desc": str(part.get("desc") or ""), "picurl": str(part.get("imgUrl") or "")}
    return "", [{"msgtype": "link", "link": link}]


def _miniprogram(_box: Box, _kind: str, part: dict[str, Any]) -> Shown:
    """The picture must have a scheme; the page ends in .html, or WeChat does not find it."""
    page = _needed(part, "page")
    if not page.partition("?")[0].endswith(".html"):
        raise Unsendable("invalid page")
    card = {"title": _needed(part, "title"), "appid": _needed(part, "appid"), "page": page}
    return "", [{"msgtype": "miniprogram", "miniprogram": {**card, "picurl": _address(part, "imgUrl")}}]


def _needed(part: dict[str, Any], name: str) -> str:
    value = part.get(name)
    if not isinstance(value, str) or not value:
        raise Unsendable(f"invalid {name}")
    return value


def _address(part: dict[str, Any], name: str) -> str:
    value = _needed(part, name)
    if urlsplit(value).scheme not in ("http", "https"):
        raise Unsendable(f"invalid {name}")
    return value


_KINDS: dict[str, Callable[[Box, str, dict[str, Any]], Shown]] = {
    "text": _text,
    "image": _media,
    "video": _media,
    "file": _media,
    "news": _news,
    "miniprogram": _miniprogram,
}
