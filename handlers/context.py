"""What a handler may know besides the event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Corp:
    """The few facts of the configuration that rules need.

    ``sign_profile`` makes the pass of one member to one contact; without it links lead to a page that says so.
    """

    tz: ZoneInfo
    agent_id: int
    base_url: str
    sign_profile: Callable[[str, str, datetime], str] | None = None

    def profile_url(self, contact_id: str, userid: str, *, now: datetime) -> str:
        """Where the member reads about the contact; the link begins to live ``now``."""
        address = f"{self.base_url}/sidebar/contacts/{contact_id}"
        if self.sign_profile is None:
            return address
        return f"{address}?token={self.sign_profile(contact_id, userid, now)}"


@dataclass(frozen=True)
class Context:
    """One run of one event. ``caused_by`` is the inbox id: calls enqueued carry it."""

    now: datetime
    received_at: datetime
    caused_by: int
    corp: Corp
