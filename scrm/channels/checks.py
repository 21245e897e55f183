"""Is what people wrote about a channel sound? Pure; problems are collected by path, then raised together.

Lengths are the platform's (send_welcome_msg, path/92137; attachments as in path/92135): characters where the
docs say nothing of bytes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from scrm.channels.rules import TEXT_MAX_BYTES, minutes
from scrm.errors import Invalid

MAX_ATTACHMENTS = 9
MAX_WELCOMES = 24
MAX_SHIFTS = 100
MAX_FEN = 2**31 - 1
MAX_LIMIT = 100_000
SHOWN = 5  # problems told in the message; ``fields`` has them all
WEEK = range(1, 8)  # Monday to Sunday

Problems = dict[str, str]


def raise_if(problems: Mapping[str, str]) -> None:
    """Raise Invalid naming every problem; with none, do nothing."""
    if problems:
        shown = "；".join(f"{path}：{text}" for path, text in list(problems.items())[:SHOWN])
        more = f"；另有 {len(problems) - SHOWN} 处" if len(problems) > SHOWN else ""
        raise Invalid("invalid_channel", f"请改正后重试。{shown}{more}", problems)


def check_welcome(welcome: Any, path: str = "welcome") -> None:
    """Raise Invalid unless this is a welcome that the platform would take."""
    raise_if(welcome_problems(welcome, path))


def check_welcomes(welcomes: Any, path: str = "welcomes") -> None:
    """Raise Invalid unless each of the list is a welcome that the platform would take."""
    raise_if(welcomes_problems(welcomes, path))


def check_schedule(schedule: Any, path: str = "schedule") -> None:
    """Raise Invalid unless these are shifts."""
    raise_if(schedule_problems(schedule, path))


def check_daily_limit(value: Any, path: str = "daily_limit") -> None:
    """Raise Invalid unless the limit is None or at least 1."""
    raise_if(number_problems(value, path, at_least=1, at_most=MAX_LIMIT, what="每日上限"))


def check_cost_fen(value: Any, path: str = "cost_fen") -> None:
    """Raise Invalid unless the cost is a whole number of fen, 0 or more."""
    raise_if(cost_problems(value, path))


def cost_problems(value: Any, path: str = "cost_fen") -> Problems:
    """A whole number of fen, 0 or more; not nothing."""
    problems = number_problems(value, path, at_least=0, at_most=MAX_FEN, what="成本（分）")
    return {path: "请填写成本（分），没有成本请填 0"} if value is None else problems


def number_problems(value: Any, path: str, *, at_least: int, at_most: int, what: str) -> Problems:
    """A whole number in its bounds; None is fine and means: not set."""
    if value is None:
        return {}
    if isinstance(value, bool) or not isinstance(value, int) or not at_least <= value <= at_most:
        return {path: f"{what}应为 {at_least} 到 {at_most} 之间的整数"}
    return {}


def flag_problems(value: Any, path: str) -> Problems:
    """Yes or no, nothing in between."""
    return {} if isinstance(value, bool) else {path: "应为 true 或 false"}


def has_control(text: str) -> bool:
    """Whether the text has characters no database and no reader wants: controls, halves of surrogate pairs."""
    return any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t" for char in text)


def text_problems(value: Any, path: str, *, at_most: int, required: bool = False) -> Problems:
    """A text of at most so many characters."""
    if value is None and not required:
        return {}
    if not isinstance(value, str):
        return {path: "应为文字"}
    if required and not value.strip():
        return {path: "不能为空"}
    if has_control(value):
        return {path: "不能包含控制字符"}
    return {path: f"最多 {at_most} 个字符，当前 {len(value)} 个"} if len(value) > at_most else {}


def welcomes_problems(welcomes: Any, path: str = "welcomes") -> Problems:
    """Each welcome, and that there are not too many."""
    if not isinstance(welcomes, list):
        return {path: "应为列表"}
    if len(welcomes) > MAX_WELCOMES:
        return {path: f"最多 {MAX_WELCOMES} 条欢迎语"}
    found: Problems = {}
    for index, welcome in enumerate(welcomes):
        found |= welcome_problems(welcome, f"{path}[{index}]")
    return found


def welcome_problems(welcome: Any, path: str) -> Problems:
    """Text, attachments and times of one welcome."""
    if not isinstance(welcome, Mapping):
        return {path: '应为对象，例如 {"text": "您好"}'}
    found = {f"{path}.{key}": "没有这个字段" for key in welcome if key not in _WELCOME_KEYS}
    text, attachments = welcome.get("text"), welcome.get("attachments")
    if text is not None and not isinstance(text, str):
        found[f"{path}.text"] = "应为文字"
    elif text and has_control(text.replace("\r\n", "\n")):
        found[f"{path}.text"] = "不能包含控制字符"
    elif text and (size := len(text.encode("utf-8", "replace"))) > TEXT_MAX_BYTES:
        found[f"{path}.text"] = f"最多 {TEXT_MAX_BYTES} 字节（约 1333 个汉字），当前 {size} 字节"
    elif not (text or "").strip() and not attachments:
        found[f"{path}.text"] = "文字和附件至少填写一项"
    found |= _attachments_problems(attachments, f"{path}.attachments")
    return found | _span_problems(welcome, path)


_WELCOME_KEYS = ("text", "attachments", "weekdays", "from", "to")


def _attachments_problems(attachments: Any, path: str) -> Problems:
    if attachments is None:
        return {}
    if not isinstance(attachments, list):
        return {path: "应为列表"}
    if len(attachments) > MAX_ATTACHMENTS:
        return {path: f"最多 {MAX_ATTACHMENTS} 个附件，当前 {len(attachments)} 个"}
    found: Problems = {}
    for index, attachment in enumerate(attachments):
        found |= _attachment_problems(attachment, f"{path}[{index}]")
    return found


def _attachment_problems(attachment: Any, path: str) -> Problems:
    if not isinstance(attachment, Mapping):
        return {path: '应为对象，例如 {"msgtype": "link", "link": {…}}'}
    kind = attachment.get("msgtype")
    fields = _ATTACHMENTS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        return {f"{path}.msgtype": "应为 image、link、miniprogram、video 或 file"}
    body = attachment.get(str(kind))
    if not isinstance(body, Mapping):
        return {f"{path}.{kind}": "缺少内容"}
    found = {f"{path}.{key}": "没有这个字段" for key in attachment if key not in ("msgtype", kind)}
    found |= {f"{path}.{kind}.{key}": "没有这个字段" for key in body if key not in fields}
    for key, check in fields.items():
        found |= check(body.get(key), f"{path}.{kind}.{key}")
    if kind == "image" and ("media" in body) == ("pic_url" in body):
        found[f"{path}.image.media"] = "请填写素材编号 media（或图片链接 pic_url，二选一）"
    return found


def url_problems(value: Any, path: str, *, required: bool = True) -> Problems:
    """An http or https address with a host, without credentials, at most 2048 characters."""
    if value is None and not required:
        return {}
    found = text_problems(value, path, at_most=2048, required=required)
    return found or (
        {} if not value or _is_web_address(value) else {path: "应为以 http:// 或 https:// 开头的网址"}
    )


def _is_web_address(value: str) -> bool:
    if any(char.isspace() or not char.isprintable() for char in value):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def _text(at_most: int, *, required: bool = True) -> Callable[[Any, str], Problems]:
    return lambda value, path: text_problems(value, path, at_most=at_most, required=required)


def _url(*, required: bool = True) -> Callable[[Any, str], Problems]:
    return lambda value, path: url_problems(value, path, required=required)


# msgtype → field → its check. ``media`` and ``pic_media`` are ids of our media files.
_ATTACHMENTS: Mapping[str, Mapping[str, Callable[[Any, str], Problems]]] = {
    "image": {"media": _text(64, required=False), "pic_url": _url(required=False)},
    "link": {
        "title": _text(128),
        "picurl": _url(required=False),
        "desc": _text(512, required=False),
        "url": _url(),
    },
    "miniprogram": {"title": _text(64), "pic_media": _text(64), "appid": _text(64), "page": _text(1024)},
    "video": {"media": _text(64)},
    "file": {"media": _text(64)},
}


def schedule_problems(schedule: Any, path: str = "schedule") -> Problems:
    """Each shift: its weekdays, its times, its staff."""
    if not isinstance(schedule, list):
        return {path: "应为列表"}
    if len(schedule) > MAX_SHIFTS:
        return {path: f"最多 {MAX_SHIFTS} 个班次"}
    found: Problems = {}
    for index, shift in enumerate(schedule):
        found |= _shift_problems(shift, f"{path}[{index}]")
    return found


def _shift_problems(shift: Any, path: str) -> Problems:
    if not isinstance(shift, Mapping):
        return {path: '应为对象，例如 {"weekdays": [1], "from": "09:00", "to": "18:00"}'}
    keys = ("weekdays", "from", "to", "staff")
    found = {f"{path}.{key}": "没有这个字段" for key in shift if key not in keys}
    found |= {f"{path}.{key}": "请填写时间，例如 09:00" for key in ("from", "to") if shift.get(key) is None}
    staff = shift.get("staff")
    if staff is not None and not (isinstance(staff, list) and all(isinstance(one, str) for one in staff)):
        found[f"{path}.staff"] = "应为成员账号（userid）的列表"
    return _span_problems(shift, path) | found


def _span_problems(span: Mapping[str, Any], path: str) -> Problems:
    found: Problems = {}
    weekdays = span.get("weekdays")
    if weekdays is not None and not _is_weekdays(weekdays):
        found[f"{path}.weekdays"] = "应为 1（周一）到 7（周日）的列表"
    for key in ("from", "to"):
        value = span.get(key)
        if value is not None and (not isinstance(value, str) or minutes(value) is None):
            found[f"{path}.{key}"] = "时间格式应为 HH:MM，例如 09:00"
    if span.get("from") == "24:00":
        found[f"{path}.from"] = "开始时间请写 00:00"
    if (span.get("from") is None) != (span.get("to") is None):
        found[f"{path}.{'from' if span.get('from') is None else 'to'}"] = "开始和结束时间请一起填写"
    return found


def _is_weekdays(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(day, int) and not isinstance(day, bool) and day in WEEK for day in value)
        and len(set(value)) == len(value)
    )


def list_problems(value: Any, path: str, *, at_most: int) -> Problems:
    """A list of texts, each written once."""
    if (
        not isinstance(value, Sequence)
        or isinstance(value, str)
        or not all(isinstance(one, str) for one in value)
    ):
        return {path: "应为文字的列表"}
    if len(value) > at_most:
        return {path: f"最多 {at_most} 项，当前 {len(value)} 项"}
    seen: set[str] = set()
    found: Problems = {}
    for index, one in enumerate(value):
        if not one.strip() or has_control(one):
            found[f"{path}[{index}]"] = "不能为空，也不能包含控制字符"
        elif one in seen:
            found[f"{path}[{index}]"] = f"“{one}” 重复"
        seen.add(one)
    return found
