"""What becomes of each: how far they get, who leaves, comes back, meets a second rep. In exact numbers."""

# ruff: noqa: PLR2004 - shares are plain numbers
from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.demo import company
from bot.demo.book import Book
from bot.demo.crowd import Arrival

LOST_SHARE, BACK_SHARE, TWO_REPS_SHARE = 0.08, 0.03, 0.15
# stage → the share of a channel's people that get so far, and the days it takes at least
LADDER = (
    ("mql", 0.40, 0.2),
    ("sal", 0.25, 1.0),
    ("sql", 0.16, 3.0),
    ("opportunity", 0.09, 7.0),
    ("customer", 0.045, 15.0),
)
MOST = 0.94
HOT = 0.03


class Second(StrEnum):
    """How a contact came to a second rep."""

    NONE = "none"
    INTRODUCED = "introduced"  # SDR → sales
    SCANNED_AGAIN = "scanned_again"
    OWNER_GONE = "owner_gone"


@dataclass
class Fate:
    """The plan for one person. ``level`` is how many rungs of the ladder were climbed."""

    level: int = 0
    leaves: bool = False
    returns: bool = False
    second: Second = Second.NONE
    hot: bool = False


def decide(book: Book, arrivals: Sequence[Arrival]) -> list[Fate]:
    """One fate for each arrival."""
    fates = [Fate(level=_level(book, arrival)) for arrival in arrivals]
    total, everybody = len(arrivals), set(range(len(arrivals)))
    cards = {n for n in everybody if arrivals[n].is_lead}

    def old_enough(days: float, but: Collection[int]) -> list[int]:
        border = book.now - timedelta(days=days)
        return [n for n in sorted(everybody - set(but)) if arrivals[n].at < border]

    def loses(n: int) -> float:
        source = arrivals[n].source
        return source.loses if source else 0.5

    lost = _choose(book, old_enough(0.05, cards), round(total * LOST_SHARE), loses)
    back = _choose(book, old_enough(4, cards | lost), round(total * BACK_SHARE), loses)
    two = _choose(
        book,
        old_enough(2, cards | lost | back),
        round(total * TWO_REPS_SHARE),
        lambda n: 0.3 + fates[n].level * 2,
    )
    for n in lost:
        fates[n].leaves = True
        fates[n].level = min(fates[n].level, 2)
    for n in back:
        fates[n].returns = True
    for n in sorted(two):
        fates[n].second = _second(book, arrivals[n], fates[n])
    for fate in fates:
        fate.hot = fate.level >= 3 and not fate.leaves and book.rng.random() < HOT * fate.level
    return fates


def _choose(book: Book, among: Sequence[int], count: int, weight: Callable[[int], float]) -> set[int]:
    """``count`` of them, the heavier the likelier."""
    keyed = sorted(among, key=lambda n: book.rng.random() ** (1 / weight(n)), reverse=True)
    return set(keyed[:count])


def _level(book: Book, arrival: Arrival) -> int:
    quality = arrival.source.quality if arrival.source else 1.4
    age = (book.now - arrival.at) / timedelta(days=1)
    draw, level = book.rng.random(), 0
    for rung, (_, share, days) in enumerate(LADDER, 1):
        if draw < min(MOST, share * quality) * min(1.0, age / days) ** 2:
            level = rung
    return level


def _second(book: Book, arrival: Arrival, fate: Fate) -> Second:
    if arrival.userid in company.SDRS and (fate.level >= 2 or book.rng.random() < 0.35):
        fate.level = max(fate.level, 2)
        return Second.INTRODUCED
    return Second.OWNER_GONE if book.rng.random() < 0.3 else Second.SCANNED_AGAIN


def stage_before(level: int) -> str:
    """The stage's value at a rung."""
    return "lead" if level == 0 else LADDER[level - 1][0]


def moment_between(book: Book, start: datetime, end: datetime) -> datetime:
    """Some moment of the span."""
    return start + (end - start) * book.rng.random()
