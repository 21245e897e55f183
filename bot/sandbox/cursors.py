"""Opaque, short-lived page cursors: a client can neither read nor keep them (semantics.md §9)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from bot.sandbox.errors import ApiError
from bot.sandbox.registry import Call

MAC_BYTES = 12
MASK = 0x5A  # so that nobody reads a cursor by accident
SALT = b"sandbox-cursor"


def _mac(call: Call, payload: bytes) -> bytes:
    key = SALT + call.settings.encoding_aes_key.encode() + call.api.encode()
    return hmac.new(key, payload, hashlib.sha256).digest()[:MAC_BYTES]


def make_cursor(call: Call, place: Any) -> str:
    """A cursor for this API that stands for ``place`` (any JSON value)."""
    payload = json.dumps([place, int(call.now)]).encode()
    hidden = bytes(byte ^ MASK for byte in payload)
    return base64.urlsafe_b64encode(_mac(call, payload) + hidden).decode().rstrip("=")


def read_cursor(call: Call, start: Any) -> Any:
    """The place of the call's cursor; ``start`` without one. Raises 40058 for a strange or expired cursor."""
    text = call.text("cursor") or call.query.get("cursor", "")
    if not text:
        return start
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise ApiError(40058, "cursor") from None
    payload = bytes(byte ^ MASK for byte in data[MAC_BYTES:])
    if not hmac.compare_digest(data[:MAC_BYTES], _mac(call, payload)):
        raise ApiError(40058, "cursor")
    place, made_at = json.loads(payload)
    if made_at + call.settings.cursor_ttl_s < call.now:
        raise ApiError(40058, "cursor expired")
    return place


def limit_of(call: Call, default: int, most: int) -> int:
    """The call's ``limit``: default when absent or 0, 40058 above ``most``."""
    limit = call.number("limit") or default
    if not 1 <= limit <= most:
        raise ApiError(40058, f"limit must be 1 to {most}")
    return limit
