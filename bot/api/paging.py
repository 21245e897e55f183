"""Cursors: the sort keys of a page's last row, as opaque text. Not signed: they grant nothing but a position."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from scrm.errors import Invalid

Row = TypeVar("Row")
_MAX_ID = 2**63 - 1


def encode(*keys: datetime | str | int) -> str:
    """The cursor behind a row with these sort keys."""
    values = [key.astimezone(UTC).isoformat() if isinstance(key, datetime) else key for key in keys]
    text = json.dumps(values, ensure_ascii=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """The keys behind a cursor, each of the kind asked for. Raises Invalid for a cursor we never made."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        values = json.loads(raw)
        if isinstance(values, list):
            return tuple(_read(value, kind) for value, kind in zip(values, kinds, strict=True))
    except (binascii.Error, ValueError, OverflowError, RecursionError) as error:
        raise _broken() from error
    raise _broken()


def _broken() -> Invalid:
    fields = {"cursor": "请使用上一页返回的 next_cursor，不要修改"}
    return Invalid("cursor_invalid", "分页游标无效，请从第一页重新查询", fields)


def _read(value: Any, kind: type) -> Any:
    if kind is int and isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_ID:
        return value
    if kind is str and isinstance(value, str) and value.isascii() and value.isprintable():
        return value
    if kind is datetime and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    raise ValueError(value)


def cut(
    rows: Sequence[Row], limit: int, key: Callable[[Row], tuple[datetime | str | int, ...]]
) -> tuple[list[Row], str | None]:
    """A page from ``limit + 1`` fetched rows, and the cursor of the next one if there is any."""
    page = list(rows[:limit])
    return page, encode(*key(page[-1])) if len(rows) > limit else None
