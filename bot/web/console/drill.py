"""Where numbers open: the rows they count, with the filter in the address. And numbers as templates write them."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

from bot.web import figures
from bot.web.console.door import Visit

CONTACTS, FOLLOWUPS = "/console/contacts", "/console/followups"


def tools(visit: Visit) -> dict[str, Any]:
    """What templates with numbers call: ``contacts(channel=…)``, ``followups(staff=…)``, ``number(…)`` and so on."""
    return {
        "contacts": partial(_address, visit, CONTACTS),
        "followups": partial(_address, visit, FOLLOWUPS),
        "number": lambda value: figures.count(value, visit.t),
        "change": lambda value: figures.signed(value, visit.t),
        "worked": lambda value: figures.worked(value, visit.t),
        "money": figures.money,
    }


def _address(visit: Visit, path: str, **filters: str | None) -> str:
    """The list with these filters, in the language of this page."""
    lang = {"lang": visit.t.language} if visit.is_language_said else {}
    query = {key: value for key, value in {**filters, **lang}.items() if value is not None}
    return f"{path}?{urlencode(query)}" if query else path
