"""What every command says: its API, how urgent it is, what makes it unique, what to do when its outcome is unknown."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from scrm.outbox.models import Recovery

PRIORITY_WELCOME, PRIORITY_PERSON, PRIORITY_EFFECT, PRIORITY_NOTICE, PRIORITY_UPKEEP = 0, 2, 4, 5, 8

Secret = Literal["app", "contact"]


def digest(*parts: str) -> str:
    """A short fingerprint of what makes a call unique."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Command(ABC):
    """Base of all commands. ``unique`` is the caller's part of the effect key where the fields do not suffice."""

    api: ClassVar[str]
    method: ClassVar[Literal["GET", "POST"]] = "POST"
    secret: ClassVar[Secret] = "contact"
    priority: ClassVar[int] = PRIORITY_EFFECT
    recovery: ClassVar[Recovery] = Recovery.OPERATOR
    keeps_answer: ClassVar[bool] = False  # the answer comes back as an inbox event ``answer.<api>``
    is_read: ClassVar[bool] = (
        False  # changes nothing on the platform: an unknown outcome is simply tried again
    )
    timeline: ClassVar[str | None] = None  # the noun of timeline entries about the outcome

    unique: str = ""

    @property
    @abstractmethod
    def effect_key(self) -> str:
        """What makes the effect unique: the same key is owed once, whatever caused it."""

    @property
    def lane(self) -> str | None:
        return None

    @abstractmethod
    def request(self) -> dict[str, Any]:
        """The body (POST) or the query (GET)."""
