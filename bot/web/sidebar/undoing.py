"""The way back from edited details: what was noted before, sealed, in the address of the page that says it is saved.

Sealed, because a remark, a number or a company is nothing for histories and logs of addresses; bound to the customer
and the rep. It works for an hour, and while what was saved still stands.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.web.sidebar.access import Visitor
from scrm import seal

LIFETIME = timedelta(hours=1)
LONGEST = 4096

Noted = Mapping[str, str]


def keep(visitor: Visitor, before: Noted, after: Noted, *, now: datetime) -> str:
    """A text that stands for ``before``, as long as ``after`` is what is noted."""
    held = {"until": (now + LIFETIME).timestamp(), "before": dict(before), "after": _digest(after)}
    return seal.ring().seal(json.dumps(held, ensure_ascii=False), _context(visitor))


def read(visitor: Visitor, text: str, noted: Noted, *, now: datetime) -> dict[str, str] | None:
    """What was noted before; None for a text that is not ours or too old, and where ``noted`` has changed since."""
    if not text or len(text) > LONGEST:
        return None
    try:
        held = json.loads(seal.ring().open(text, _context(visitor)))
    except (seal.SealBroken, ValueError):
        return None
    before: dict[str, str] = held["before"]
    still = {name: noted.get(name, "") for name in before}
    is_same = hmac.compare_digest(_digest(still), held["after"])
    return before if is_same and now.timestamp() < held["until"] else None


def _digest(noted: Noted) -> str:
    return hashlib.sha256(json.dumps(sorted(noted.items())).encode()).hexdigest()


def _context(visitor: Visitor) -> str:
    return f"sidebar.undo:{visitor.card.contact.id}:{visitor.staff.id}"
