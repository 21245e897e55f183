"""What the domain refused, in the words of the page."""

from __future__ import annotations

from bot.words.sentences import in_english
from bot.words.texts import Words
from scrm.errors import ScrmError


def said(error: ScrmError, words: Words) -> str:
    """The sentence for a person: the domain's own in Chinese; in English ours by its code, else by the sentence."""
    if words.language == "zh":
        return error.message
    return words.find(f"refused_{error.code}") or in_english(error.message)
