"""Sentences that are kept or raised in Chinese, for English pages: the domain's, the doctor's, and WeCom's errcodes.

A sentence is found by its template, the one with the most words of its own first; what it fills in is put into
English the same way. One that nobody knows stays as it is: better Chinese than nothing. A test reads the source and
asks for each sentence that can reach a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from bot.wechat.errcodes import RULES
from bot.wechat.errcodes_en import MESSAGES, STEPS
from bot.wechat.reasons_en import reason_in_english
from bot.words import channel_refusals, checks, refusals
from bot.words.texts import Words, by_number

TEMPLATES = {
    **refusals.SENTENCES,
    **channel_refusals.SENTENCES,
    **checks.SENTENCES,
}
CHINESE = re.compile(r"[\u3001-\u303f\u3400-\u9fff\uff00-\uffef]")  # with the punctuation of full width
PLACE = "{}"
_QUOTED = re.escape("「{}」")
_SEPARATORS = {"；": "; ", "、": ", "}
_TOLD = re.compile(
    r"(?P<what>(?:[\w.]+: )?\w+): (?P<text>.*)", re.DOTALL
)  # as tracebacks end, and as errors read
_WITH_CODE = re.compile(r"(?P<text>.+)（(?P<code>-?\d+)）", re.DOTALL)


def shown(words: Words, text: str) -> str:
    """A sentence of ours in the page's language."""
    return text if words.language == "zh" else in_english(text)


def error_shown(words: Words, text: str) -> str:
    """A traceback, or its last line: what the domain says there is in the page's language."""
    if words.language == "zh":
        return text
    before, line, last = text.rpartition("\n")
    return f"{before}{line}{in_english(last)}"


def in_english(text: str) -> str:
    """The sentence in English; as it is where it is none of ours."""
    if not CHINESE.search(text):
        return text
    found = _whole(text)
    if found is not None:
        return found
    for chinese, english in _SEPARATORS.items():
        if chinese in text:
            return english.join(in_english(part) for part in text.split(chinese))
    return text


def _whole(text: str) -> str | None:
    reason = reason_in_english(text)
    if reason != text:
        return reason
    known = _by_code().get(text)
    if known is not None:
        return known
    for pattern, english in _patterns():
        found = pattern.fullmatch(text)
        if found:
            return _filled(english, found.groups())
    return _around(text)


def _around(text: str) -> str | None:
    """A sentence with a name before it, or an errcode behind it."""
    for pattern in (_TOLD, _WITH_CODE):
        found = pattern.fullmatch(text)
        if found and (told := in_english(found["text"])) != found["text"]:
            return f"{found['what']}: {told}" if pattern is _TOLD else f"{told} ({found['code']})"
    return None


def _filled(english: str, values: Iterable[str]) -> str:
    """With the values in English, too; names in quotes are people's own. ``{|row|rows}`` goes by the value before."""
    pieces = english.split(PLACE)
    told = pieces[0]
    for value, piece in zip(values, pieces[1:], strict=True):
        told += (value if told.endswith("“") else in_english(value)) + by_number(piece, {"": value})
    return told


@cache
def _by_code() -> dict[str, str]:
    """WeCom's errcodes by our Chinese words for them."""
    return {**STEPS, **{rule.message_zh: MESSAGES[code] for code, rule in RULES.items()}}


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    ordered = sorted(TEMPLATES, key=lambda one: len(one.replace(PLACE, "")), reverse=True)
    found = []
    for one in ordered:
        pattern = re.escape(one).replace(_QUOTED, "「([^」]*?)」").replace(re.escape(PLACE), "(.*?)")
        found.append((re.compile(pattern, re.DOTALL), TEMPLATES[one]))
    return found
