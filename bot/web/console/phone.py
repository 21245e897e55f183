"""A welcome as the customer's phone shows it: the names filled with a sample, attachments as cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bot.web.bidi import plain
from bot.words.texts import Words
from scrm.channels.wording import render_text


@dataclass(frozen=True)
class Card:
    """An attachment: a link with its title and host, or a picture of ours by its id."""

    kind: str
    title: str = ""
    under: str = ""
    image: str | None = None


@dataclass(frozen=True)
class Phone:
    """A chat that has just begun."""

    rep: str
    text: str
    cards: list[Card]

    @property
    def is_empty(self) -> bool:
        return not self.text and not self.cards


def phone_of(words: Words, text: str, attachments: Sequence[Mapping[str, Any]], rep: str = "") -> Phone:
    """What a customer reads, by the very function that writes the message."""
    rep = rep or words("sample_rep")
    said = render_text(text, customer=words("sample_customer"), rep=rep).strip()
    return Phone(plain(rep), said, [_card(words, one) for one in attachments])


def _card(words: Words, attachment: Mapping[str, Any]) -> Card:
    kind = str(attachment.get("msgtype", ""))
    body = attachment.get(kind) or {}
    if kind == "link":
        return Card(kind, plain(body.get("title") or ""), _host(body.get("url") or ""))
    if kind == "image":
        return Card(kind, words("attachment_image"), image=body.get("media"))
    return Card(kind, plain(body.get("title") or "") or words(f"attachment_{kind}"))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
