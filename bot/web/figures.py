"""Numbers, money and durations as people read them."""

from __future__ import annotations

from bot.words.texts import Words

TEN_THOUSAND = 10_000
MANY = 100_000  # from here on nobody reads the last digits
MINUTE, HOUR, DAY = 60, 3600, 86_400
NOTHING = "—"


def count(number: int, words: Words) -> str:
    """12,345; from 100,000 on 12.3 万 (English: 123k)."""
    if abs(number) < MANY:
        return f"{number:,}"
    return f"{number / TEN_THOUSAND:,.1f} 万" if words.language == "zh" else f"{number / 1000:,.0f}k"


def signed(number: int, words: Words) -> str:
    """With its sign, where it says a change."""
    return f"+{count(number, words)}" if number > 0 else count(number, words).replace("-", "−")


def money(fen: int | None) -> str:
    """¥12,345.60; a dash for none."""
    return NOTHING if fen is None else f"¥{fen / 100:,.2f}"


def span(seconds: int | None, words: Words) -> str:
    """3 分 12 秒; a dash for none."""
    if seconds is None:
        return NOTHING
    if seconds < MINUTE:
        return words("span_s", s=seconds)
    if seconds < HOUR:
        return words("span_ms", m=seconds // MINUTE, s=seconds % MINUTE)
    if seconds < DAY:
        return words("span_hm", h=seconds // HOUR, m=seconds % HOUR // MINUTE)
    return words("span_dh", d=seconds // DAY, h=seconds % DAY // HOUR)


def worked(seconds: int | None, words: Words) -> str:
    """As ``span``, of working time: a working day has no 24 hours, so there are no days."""
    if seconds is None or seconds < HOUR:
        return span(seconds, words)
    return words("span_hm", h=f"{seconds // HOUR:,}", m=seconds % HOUR // MINUTE)
