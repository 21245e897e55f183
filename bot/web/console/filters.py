"""Filters that live in the address: what was asked for, how it reads, and the address without each part."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from flask import request

from bot.api.contacts import mask_phone
from bot.api.types import EARLIEST, LATEST
from bot.web.bidi import plain
from bot.web.console.door import Visit
from bot.web.contact.forms import clean
from scrm.contacts.queries import phone_digits

LONGEST = 64
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Chip:
    """One filter as a person reads it, and the address without it."""

    text: str
    without: str


@dataclass
class Asked:
    """The filters of a request. ``wrong`` names those that make no sense: nothing is shown then."""

    visit: Visit
    endpoint: str
    values: dict[str, str]
    chips: list[Chip] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def find(
        self, name: str, look: Callable[[str], Found | None], reads: Callable[[Found], str]
    ) -> Found | None:
        """What the filter names, told as a chip; None without the filter, or where it names nothing."""
        value = self.values.get(name)
        if value is None:
            return None
        found = look(value)
        if found is None:
            self.wrong.append(f"{self.visit.t(f'f_{name}')} {plain(value)}")
            self._chip(name, f"{self.visit.t(f'f_{name}')} {plain(value)}")
            return None
        self._chip(name, reads(found))
        return found

    def url(self, **changes: str | None) -> str:
        """The address with these filters changed, from its first page."""
        return self.visit.url(self.endpoint, **{**self.values, **changes})

    def told(self) -> str:
        """The filters in words, for the audit trail: a phone number searched for is masked."""
        parts = [chip.text for chip in self.chips]
        q = self.values.get("q", "")
        phone = phone_digits(q)
        return " · ".join(part.replace(q, mask_phone(phone) or "") if phone else part for part in parts)

    def _chip(self, name: str, text: str) -> None:
        self.chips.append(Chip(text, self.url(**{name: None})))


def read(
    visit: Visit, endpoint: str, names: tuple[str, ...], given: Mapping[str, str] | None = None
) -> Asked:
    """The filters that were given, in the order in which they read; empty ones are none."""
    source: Mapping[str, Any] = request.args if given is None else given
    values = {name: clean(source.get(name, ""))[:LONGEST] for name in names}
    return Asked(visit, endpoint, {name: value for name, value in values.items() if value})


def day(text: str) -> date | None:
    """A day as date fields write it."""
    try:
        found = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
    return found if found and EARLIEST.date() < found < LATEST.date() else None
