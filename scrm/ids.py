"""Identifiers: ours inside, sortable by creation time, made before the insert."""

from __future__ import annotations

import secrets

from ulid import ULID

ID_LENGTH = 26


def new_id() -> str:
    """A ULID: 26 characters, sorts by creation time to the millisecond."""
    return str(ULID())


def new_token(size: int = 16) -> str:
    """An unguessable URL-safe text of ``size`` random bytes."""
    return secrets.token_urlsafe(size)
