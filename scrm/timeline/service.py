"""Append to a contact's timeline."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm import batch
from scrm.dialects import insert_ignore
from scrm.timeline.models import TimelineEntry


def append(
    session: Session,
    contact_id: str | None,
    kind: str,
    *,
    at: datetime,
    actor: str = "system",
    detail: dict[str, Any] | None = None,
    key: str | None = None,
    staff_id: str | None = None,
) -> None:
    """Add one entry about a contact (or, with ``staff_id``, about a member).

    With a ``key``, only once however often it is called.

    ``actor`` is ``system``, ``customer``, ``staff:<userid>`` or ``token:<name>``.
    """
    entry = _row(contact_id, kind, at=at, actor=actor, detail=detail, key=key)
    batch.insert(session, TimelineEntry, entry | {"staff_id": staff_id})


def append_once(
    session: Session,
    contact_id: str,
    kind: str,
    *,
    at: datetime,
    actor: str,
    detail: dict[str, Any],
    key: str | None,
) -> bool:
    """As ``append``, at once; whether it was added, for those who act only on news."""
    entry = _row(contact_id, kind, at=at, actor=actor, detail=detail, key=key)
    return insert_ignore(session, TimelineEntry, [entry]) == 1


def told_of(session: Session, keys: Collection[str]) -> set[str]:
    """Those of the keys whose entries are there."""
    if not keys:
        return set()
    known = select(TimelineEntry.effect_key).where(TimelineEntry.effect_key.in_([key[:160] for key in keys]))
    return {str(key) for key in session.scalars(known)}


def _row(
    contact_id: str | None,
    kind: str,
    *,
    at: datetime,
    actor: str,
    detail: dict[str, Any] | None,
    key: str | None,
) -> dict[str, Any]:
    return {
        "contact_id": contact_id,
        "staff_id": None,
        "kind": kind,
        "at": at,
        "actor": actor[:128],
        "detail": detail or {},
        "effect_key": key[:160] if key else None,
    }
