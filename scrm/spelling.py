"""How Chinese is found by those who type letters: the whole pinyin, and its initials. Pure."""

from __future__ import annotations

from functools import lru_cache

PINYIN_LENGTH, INITIALS_LENGTH = 128, 48


@lru_cache(maxsize=4096)
def spell(text: str) -> tuple[str, str]:
    """``("zhangsan", "zs")`` for 张三: small letters without blanks; what is not Chinese stays as it is."""
    from pypinyin import Style, lazy_pinyin  # noqa: PLC0415 - 40 ms and 20 MB, for processes that spell only

    whole = lazy_pinyin(text)
    initials = lazy_pinyin(text, style=Style.FIRST_LETTER)
    return _squeeze(whole)[:PINYIN_LENGTH], _squeeze(initials)[:INITIALS_LENGTH]


def spelling(text: str) -> str:
    """Both in one, for a column that is searched in the middle."""
    return " ".join(spell(text))


def _squeeze(parts: list[str]) -> str:
    return "".join("".join(parts).lower().split())
