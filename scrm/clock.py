"""The one clock. Business code receives ``now``; only entry points ask the clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def now() -> datetime:
    """The current instant, aware, in UTC."""
    return datetime.now(UTC)


def from_unix(seconds: int | str | None) -> datetime | None:
    """WeChat's unix seconds as an aware datetime; None for nothing or zero."""
    return datetime.fromtimestamp(int(seconds), UTC) if seconds and int(seconds) else None
