"""What may be kept in the library, how a text reads once its placeholders are filled, what the client sends. Pure.

A message is what the JS-SDK's sendChatMessage takes (path/98539). The platform says no length for its text or its
links: texts end at our own 4,000 characters, links keep the bounds of a welcome's attachments (path/92135).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scrm.channels.checks import Problems, has_control, text_problems, url_problems
from scrm.channels.wording import without_name
from scrm.errors import Invalid
from scrm.library.models import MaterialKind

FOLDER_NAME_MAX = 64
TITLE_MAX = 128
TEXT_MAX = 4000
DESC_MAX = 512
MOST_FOLDERS = 100  # of the team, or of one member, per kind
MOST_ITEMS = 500  # in a folder
UPLOADED = (MaterialKind.IMAGE, MaterialKind.VIDEO, MaterialKind.FILE)
PLACEHOLDERS = ("customer", "staff", "company")

_KNOWN = re.compile(r"\{(customer|staff|company)\}")
_ANY = re.compile(r"\{\s*([^\W\d][\w .-]{0,31})\}")
_APPID = re.compile(r"wx[0-9A-Za-z]{6,62}")
_PAGE = re.compile(r"/?[\w./-]+\.html(?:\?\S*)?")
_CJK = re.compile(r"[\u3400-\u9fff]")


def fill(text: str, *, customer: str | None, staff: str | None, company: str | None) -> str:
    """The text as the customer reads it, filled in one pass: what stands in a name stays a name.

    Without a name the text reads as if none had been meant; without a company it says 贵司.
    """
    chinese = _CJK.search(text) is not None
    if not (customer or "").strip():
        text = without_name(text)
    values = {
        "customer": (customer or "").strip(),
        "staff": (staff or "").strip() or ("我" if chinese else "me"),
        "company": (company or "").strip() or ("贵司" if chinese else "your company"),
    }
    return _KNOWN.sub(lambda match: values[match.group(1)], text).strip()


def unknown_placeholders(text: str) -> list[str]:
    """What looks like a placeholder and is none, in order, each once."""
    found = (match.group(0) for match in _ANY.finditer(text))
    return list(dict.fromkeys(one for one in found if not _KNOWN.fullmatch(one)))


def check_folder_name(name: str) -> str:
    """The name as it is kept. Raises Invalid."""
    _raise_if({"name": text} if (text := _line_problem(name, FOLDER_NAME_MAX)) else {})
    return name.strip()


def check_reply(title: str, text: str) -> None:
    """Raises Invalid unless this can be kept and sent."""
    _raise_if(_title_problems(title) | _text_problems(text))


def check_text(text: str) -> None:
    """Raises Invalid unless a text with placeholders can be sent."""
    _raise_if(_text_problems(text))


def _text_problems(text: str) -> Problems:
    told = text_problems(text, "text", at_most=TEXT_MAX, required=True)
    unknown = [] if told else unknown_placeholders(text)
    if not unknown:
        return told
    known = "、".join(f"{{{name}}}" for name in PLACEHOLDERS)
    return {"text": f"没有占位符 {'、'.join(unknown[:3])}，可用的是 {known}"}


def check_material(
    kind: MaterialKind, title: str, detail: Mapping[str, Any], media_kind: str | None
) -> dict[str, str]:
    """What is kept of ``detail``. ``media_kind`` is the kind of its file or cover. Raises Invalid."""
    problems = _title_problems(title)
    if kind in UPLOADED:
        if media_kind != kind.value:
            problems["file"] = "请上传文件" if media_kind is None else "文件的类型与素材不符"
        allowed: Mapping[str, Problems] = {}
    elif kind is MaterialKind.LINK:
        allowed = {
            "url": url_problems(detail.get("url"), "url"),
            "desc": text_problems(detail.get("desc"), "desc", at_most=DESC_MAX),
        }
    else:
        allowed = {
            "appid": _matches(detail.get("appid"), "appid", _APPID, "请填写以 wx 开头的小程序 AppID"),
            "page": _matches(
                detail.get("page"), "page", _PAGE, "请填写以 .html 结尾的页面路径，例如 pages/index.html"
            ),
        }
        if media_kind is None:
            problems["file"] = "请上传封面图片"
    if kind not in UPLOADED and media_kind not in (None, "image"):
        problems["file"] = "封面应为 JPG 或 PNG 图片"
    for found in allowed.values():
        problems |= found
    problems |= {name: "没有这个字段" for name in detail if name not in allowed and detail[name]}
    _raise_if(problems)
    return {name: str(detail[name]).strip() for name in allowed if detail.get(name)}


def _title_problems(title: str) -> Problems:
    told = _line_problem(title, TITLE_MAX)
    return {"title": told} if told else {}


def _line_problem(text: str, at_most: int) -> str | None:
    if "\n" in text or "\t" in text or has_control(text):
        return "只能有一行，不能包含控制字符"
    return text_problems(text.strip(), "", at_most=at_most, required=True).get("")


def _matches(value: Any, path: str, pattern: re.Pattern[str], told: str) -> Problems:
    text = value.strip() if isinstance(value, str) else ""
    return {} if len(text) <= 1024 and pattern.fullmatch(text) else {path: told}  # noqa: PLR2004 - path/92135


def _raise_if(problems: Problems) -> None:
    if problems:
        raise Invalid("library_invalid", f"没有保存：{'；'.join(problems.values())}", problems)


def text_message(text: str) -> dict[str, Any]:
    """A text, ready to be sent."""
    return {"msgtype": "text", "enterChat": True, "text": {"content": text}}


def material_message(
    kind: MaterialKind, title: str, detail: Mapping[str, Any], *, media_id: str | None, cover: str | None
) -> dict[str, Any]:
    """A material, ready to be sent: a file by the platform's media id, a cover by its address."""
    if kind in UPLOADED:
        body: dict[str, Any] = {"mediaid": media_id}
    elif kind is MaterialKind.LINK:
        body = {"link": detail["url"], "title": title, "desc": detail.get("desc", ""), "imgUrl": cover or ""}
    else:
        body = {"appid": detail["appid"], "title": title, "imgUrl": cover or "", "page": detail["page"]}
    return {"msgtype": kind.value, "enterChat": True, kind.value: body}
