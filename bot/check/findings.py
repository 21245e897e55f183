"""One finding of the doctor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"  # works, or could not be seen from here
    FAIL = "fail"  # does not work


MARKS = {Level.OK: "✓", Level.WARN: "!", Level.FAIL: "✗"}


@dataclass(frozen=True)
class Finding:
    """What was looked at (``id`` for machines, ``title`` for people), what was seen, and what to do about it."""

    id: str
    title: str
    level: Level
    text: str
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Check:
    """A subject; its methods make findings about it."""

    id: str
    title: str

    def ok(self, text: str, advice: str = "") -> Finding:
        return Finding(self.id, self.title, Level.OK, text, advice)

    def warn(self, text: str, advice: str) -> Finding:
        return Finding(self.id, self.title, Level.WARN, text, advice)

    def fail(self, text: str, advice: str) -> Finding:
        return Finding(self.id, self.title, Level.FAIL, text, advice)


def listed(names: list[str], most: int = 8) -> str:
    """Some names for a sentence, and how many there are when not all are told."""
    if len(names) <= most:
        return "、".join(names)
    return f"{'、'.join(names[:most])}等 {len(names)} 个"
