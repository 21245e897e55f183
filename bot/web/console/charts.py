"""Charts as the numbers an inline SVG needs: no script, no style, and a table or a sentence beside each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

SPARK_WIDTH, SPARK_HEIGHT = 84, 20
BAR_WIDTH, BAR_HEIGHT = 720, 160
NICE = (1, 2, 5)


@dataclass(frozen=True)
class Bar:
    """A day's bar, its zone to point at, and where the period before was."""

    day: date
    value: int
    before: int
    x: float
    width: float
    y: float
    height: float
    zone_x: float
    zone_width: float
    label: str
    label_x: float


@dataclass(frozen=True)
class Bars:
    """A bar chart by day, the period before as ``line``. ``top`` is the value at the upper edge."""

    bars: list[Bar]
    line: str
    top: int
    width: int = BAR_WIDTH
    height: int = BAR_HEIGHT


def spark(values: Sequence[int]) -> str:
    """The points of a polyline; nothing for no values."""
    if not values:
        return ""
    most = max(values) or 1
    step = SPARK_WIDTH / max(1, len(values) - 1)
    return " ".join(
        f"{n * step:.1f},{1 + (SPARK_HEIGHT - 2) * (1 - value / most):.1f}" for n, value in enumerate(values)
    )


def bars(days: Sequence[tuple[date, int, int]], labels: int = 8) -> Bars:
    """(day, value, value of the period before) as bars; about so many days are named below."""
    top = _nice(max((max(value, before) for _, value, before in days), default=0))
    slot = BAR_WIDTH / max(1, len(days))
    width = min(slot * 0.7, 36)
    every = max(1, -(-len(days) // labels))
    made = []
    for n, (day, value, before) in enumerate(days):
        height = BAR_HEIGHT * value / top
        left = n * slot
        made.append(
            Bar(
                day,
                value,
                before,
                round(left + (slot - width) / 2, 1),
                round(width, 1),
                round(BAR_HEIGHT - height, 1),
                round(height, 1),
                round(left, 1),
                round(slot, 1),
                f"{day:%m-%d}" if n % every == 0 else "",
                round(left + slot / 2, 1),
            )
        )
    line = " ".join(f"{bar.label_x},{BAR_HEIGHT * (1 - bar.before / top):.1f}" for bar in made)
    return Bars(made, line, top)


def points(days: Sequence[tuple[date, int, int]], url: Callable[[date], str]) -> list[dict[str, Any]]:
    """The same days for charts.js, each with the address of its rows."""
    return [
        {"day": day.isoformat(), "now": value, "before": before, "url": url(day)}
        for day, value, before in days
    ]


def _nice(most: int) -> int:
    """The next round number, so that the edge can be read; 4 at least, and even: half of it is a whole customer."""
    scale = 1
    while True:
        for step in NICE:
            if step * scale >= max(most, 4) and step * scale % 2 == 0:
                return step * scale
        scale *= 10
