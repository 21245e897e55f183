"""What the event log and the call log share: their addresses' filters; and who may act for all customers."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TypeVar

from flask import request

from bot.web.console.door import Visit
from bot.wechat.errcodes import RULES
from bot.wechat.errcodes_en import in_english as code_in_english
from bot.words.sentences import in_english
from scrm.errors import Refused

PAGE = 50
LONGEST_FILTER = 96
State = TypeVar("State", bound=StrEnum)
_ATTEMPT, _CODE = re.compile(r"第 (\d+) 次"), re.compile(r".+（(-?\d+)）")  # as bot.api.trace writes them


def need_whole_reach(visit: Visit) -> None:
    """Raises Refused for somebody who sees only some customers where what is done concerns all of them."""
    if visit.actor.sees is not None:
        raise Refused("not_permitted", "这里涉及全部客户，您的数据范围不包括")


def wanted(name: str) -> str:
    """A text in the address, cut where no filter is that long."""
    return request.args.get(name, "").strip()[:LONGEST_FILTER]


def wanted_number(name: str) -> int | None:
    """A row's number in the address; None for anything that is none."""
    return number(request.args.get(name, ""))


def number(text: str) -> int | None:
    """A row's number; None for anything that is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None  # noqa: PLR2004 - 64 bits


def wanted_state(kind: type[State]) -> State | None:
    """The state in the address; None for any other word."""
    text = request.args.get("state", "")
    return kind(text) if text in [*kind] else None


def named(visit: Visit, what: str, name: str) -> str:
    """What an event's kind (``what`` is ``kind``) or a call's API (``api``) is called; itself where it has no name."""
    return visit.t.find(f"{what}_{name}") or name


def reason(visit: Visit, text: str) -> str:
    """What is kept with a call or step, in the language of the page where it is a sentence of ours."""
    if visit.t.language == "zh":
        return text
    attempt = _ATTEMPT.fullmatch(text)
    if attempt:
        return visit.t("step_attempt", n=attempt[1])
    code = _CODE.fullmatch(text)
    if code and int(code[1]) in RULES:
        return f"{code_in_english(int(code[1]))[0]} ({code[1]})"
    return in_english(text)
