"""Texts that strangers wrote, made fit to stand in a sentence of ours: they may not turn round what follows them."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

_CONTROLS = re.compile(
    "[\u202a-\u202e\u2066-\u2069]"
)  # embeddings, overrides, isolates: invisible, only ever abused
_RIGHT_TO_LEFT = {"R", "AL"}
_ISOLATE, _END = "\u2068", "\u2069"


def plain(text: str) -> str:
    """The text without invisible marks of direction."""
    return _CONTROLS.sub("", text)


def isolated(value: Any) -> Any:
    """Texts, also inside lists, plain, and closed in themselves if they run from right to left."""
    if isinstance(value, list):
        return [isolated(item) for item in value]
    if not isinstance(value, str):
        return value
    text = plain(value)
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text):
        return f"{_ISOLATE}{text}{_END}"
    return text
