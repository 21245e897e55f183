"""Texts with placeholders: welcome texts and remarks. Pure.

Only ``{customer}`` and ``{rep}`` (in remarks ``{customer}``, ``{channel}``, ``{date}``) mean something. They are put
in by one pass over the text an operator wrote, so whatever a customer calls themselves stays a plain name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

REMARK_MAX = 20  # characters; externalcontact/remark (path/92115)
CUSTOMER = "{customer}"

_PLACEHOLDER = re.compile(r"\{(customer|rep)\}")
_REMARK_PLACEHOLDER = re.compile(r"\{(customer|channel|date)\}")

# What hangs on a name and goes with it: an address in front, an honorific behind, brackets around.
_WITH_NAME = re.compile(
    r"(?P<before>(?:(?:尊敬|亲爱|敬爱)的|\b(?:[Dd]ear|Mr\.|Ms\.|Mrs\.)|[@＠])?[ \t]*[【「『“\"（(\[《]?)"
    r"\{customer\}"
    r"(?P<after>[】」』”\"）)\]》]?[ \t]*"
    r"(?:(?:先生|女士|小姐)(?:[/／](?:先生|女士|小姐))*|老师|老板|同学|朋友|总(?![是会有能要之在])|’s\b|'s\b)?)"
)
_STOPS = "，,、:：；;"
_ENDS = "。.！!？?~～…"
_NEEDS_OBJECT = re.compile(r"(?:[为给与跟对向由和]|\b(?:for|to|with|and)[ \t]+)$")


def names_customer(text: str) -> bool:
    """Whether the text wants the customer's name, so that the profile must be read before it is sent."""
    return CUSTOMER in text


def render_text(text: str, *, customer: str | None, rep: str) -> str:
    """Put the names in. Without a customer's name the text reads as if none had been meant.

    Everything but the two placeholders is literal, also inside the names.
    """
    if customer is None or not customer.strip():
        text = without_name(text)
    names = {"customer": (customer or "").strip(), "rep": rep}
    return _substitute(_PLACEHOLDER, text, names)


def _substitute(pattern: re.Pattern[str], text: str, values: Mapping[str, str]) -> str:
    return pattern.sub(lambda match: values[match.group(1)], text)


def without_name(text: str) -> str:
    """The operator's text without ``{customer}`` and the punctuation and honorifics that hang on it."""
    while match := _WITH_NAME.search(text):
        text = _joined(
            text[: match.start()], match.group("before"), match.group("after"), text[match.end() :]
        )
    return text.strip(" \t")


def _joined(head: str, before: str, after: str, tail: str) -> str:
    """The text around a name put together again: ``head`` and ``tail`` without what hung on the name."""
    lead = head + _space(before)
    if after.strip() in ("'s", "’s"):
        return f"{lead}your{tail}"
    if tail.startswith("的"):
        return f"{lead}您{tail}"
    if _NEEDS_OBJECT.search(lead):
        object_ = "you" if lead.rstrip()[-1].isascii() else "您"
        return lead + object_ + ("" if after.strip() else after) + tail
    rest = tail.lstrip(" \t")
    if _opens_clause(head.rstrip(" \t")):
        rest = rest.lstrip(_STOPS + _ENDS).lstrip(" \t")
        if not head.strip(" \t") or head.endswith("\n"):
            return head.rstrip(" \t") + rest.removeprefix("\n")
        return (lead if rest else lead.rstrip(" \t")) + rest
    if not rest or rest[0] in _STOPS + _ENDS + "\n":
        return head.rstrip(" \t" + _STOPS) + rest
    return head + (_space(before) or _space(after) or tail[: len(tail) - len(rest)]) + rest


def _opens_clause(head: str) -> bool:
    """Whether a name after ``head`` is an address: nothing, a sentence's end or a symbol comes before it."""
    return not head or not (head[-1].isalnum() or head[-1] in _STOPS + "}")


def _space(text: str) -> str:
    return " " if text[:1] in (" ", "\t") else ""


def render_remark(template: str, *, customer: str | None, channel: str, date: str) -> str:
    """The remark a rep sees, at most 20 characters. ``date`` is the text to put in, such as ``1123``."""
    values = {"customer": (customer or "").strip(), "channel": channel, "date": date}
    return _substitute(_REMARK_PLACEHOLDER, template, values).strip(" \t-_·|｜/")[:REMARK_MAX].rstrip()
