"""The bodies message/send takes, checked one kind at a time (path/90236)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.sandbox.errors import ApiError
from bot.sandbox.registry import Call
from bot.sandbox.wecom_api.attachments import LONGEST_URL, text_field
from bot.sandbox.wecom_api.media import check_media

MOST_TEXT_BYTES = 2048
MOST_ARTICLES = 8
TASK_ID = re.compile(r"[0-9A-Za-z_\-@]{1,128}")
NOTICES = ("text_notice", "news_notice")
INTERACTIONS = ("button_interaction", "vote_interaction", "multiple_interaction")


@dataclass(frozen=True)
class Content:
    """What a member sees of a message. ``response_code``: the card can be updated once through one."""

    kind: str
    title: str
    text: str
    url: str
    body: dict[str, Any]
    response_code: bool = False


def cut(text: str, most_bytes: int) -> str:
    """The platform cuts over-long texts instead of refusing them."""
    return text.encode()[:most_bytes].decode("utf-8", "ignore")


def words(
    part: dict[str, Any], name: str, most_bytes: int, *, needed: bool = True, errcode: int = 40058
) -> str:
    """A text field, cut to ``most_bytes``. Raises ``errcode`` when needed and empty."""
    value = part.get(name, "")
    if not isinstance(value, str) or (needed and not value):
        raise ApiError(errcode, name)
    return cut(value, most_bytes)


def address(part: dict[str, Any], name: str = "url") -> str:
    """A URL with a scheme. Raises 40058."""
    url = text_field(part, name, LONGEST_URL, needed=True)
    if "://" not in url:
        raise ApiError(40058, f"{name} without a scheme")
    return url


def text(_call: Call, part: dict[str, Any]) -> Content:
    """Plain text; cut at 2048 bytes."""
    return Content("text", "", words(part, "content", MOST_TEXT_BYTES, errcode=44004), "", part)


def markdown(_call: Call, part: dict[str, Any]) -> Content:
    """Markdown; 45002 above 2048 bytes."""
    content = words(part, "content", LONGEST_URL * 4, errcode=44004)
    if len(content.encode()) > MOST_TEXT_BYTES:
        raise ApiError(45002)
    return Content("markdown", "", content, "", part)


def media(call: Call, part: dict[str, Any]) -> Content:
    """Image, voice, video or file by media_id."""
    kind = call.text("msgtype")
    check_media(call, part.get("media_id"), (kind,))
    title = words(part, "title", 128, needed=False)
    return Content(kind, title, words(part, "description", 512, needed=False), "", part)


def textcard(_call: Call, part: dict[str, Any]) -> Content:
    """A card with title, description and link."""
    title, description = words(part, "title", 128), words(part, "description", 512)
    return Content("textcard", title, description, address(part), part)


def news(_call: Call, part: dict[str, Any]) -> Content:
    """One to eight articles."""
    articles = part.get("articles")
    if not isinstance(articles, list) or not 1 <= len(articles) <= MOST_ARTICLES:
        raise ApiError(45008)
    for article in articles:
        if not isinstance(article, dict):
            raise ApiError(40058, "articles")
        words(article, "title", 128)
        if not article.get("appid"):
            address(article)
    first = articles[0]
    return Content("news", first["title"], first.get("description", ""), first.get("url", ""), part)


def miniprogram_notice(call: Call, part: dict[str, Any]) -> Content:
    """A mini program's notice."""
    if call.text("touser") == "@all":
        raise ApiError(40058, "miniprogram_notice to @all")
    words(part, "appid", 128)
    title = words(part, "title", 128)
    return Content("miniprogram_notice", title, words(part, "description", 128, needed=False), "", part)


def template_card(_call: Call, part: dict[str, Any]) -> Content:
    """Cards of five types; those with buttons can be updated once."""
    kind = part.get("card_type")
    if kind not in (*NOTICES, *INTERACTIONS):
        raise ApiError(40058, "card_type")
    main = part.get("main_title") or {}
    if not isinstance(main, dict):
        raise ApiError(40058, "main_title")
    title = words(main, "title", 128, needed=False)
    sub_title = words(part, "sub_title_text", 512, needed=False)
    if not title and not (kind == "text_notice" and sub_title):
        raise ApiError(40058, "main_title")
    action = part.get("card_action")
    if kind in NOTICES and (not isinstance(action, dict) or action.get("type") not in (1, 2)):
        raise ApiError(40058, "card_action")
    url = address(action) if isinstance(action, dict) and action.get("type") == 1 else ""
    has_callback = kind in INTERACTIONS or bool(part.get("action_menu"))
    if has_callback and not TASK_ID.fullmatch(str(part.get("task_id", ""))):
        raise ApiError(40058, "task_id")
    body = sub_title or words(main, "desc", 512, needed=False)
    return Content(f"template_card.{kind}", title, body, url, part, response_code=has_callback)


CHECKS: dict[str, Callable[[Call, dict[str, Any]], Content]] = {
    "text": text,
    "markdown": markdown,
    "image": media,
    "voice": media,
    "video": media,
    "file": media,
    "textcard": textcard,
    "news": news,
    "miniprogram_notice": miniprogram_notice,
    "template_card": template_card,
}


def check_content(call: Call) -> Content:
    """The message of a call. Raises 40008 for an unknown msgtype, else what its kind says."""
    check = CHECKS.get(call.text("msgtype"))
    if check is None:
        raise ApiError(40008)
    return check(call, call.mapping(call.text("msgtype")))
