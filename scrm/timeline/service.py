"""Append to a contact's timeline."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from scrm.db import insert_ignore
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
) -> bool:
    """Add one entry about a contact (or, with ``staff_id``, about a member). Whether it was added.

    With a ``key``, only once however often it is called.

    ``actor`` is ``system``, ``customer``, ``staff:<userid>`` or ``token:<name>``.
    """
    row = {
        "contact_id": contact_id,
        "staff_id": staff_id,
        "kind": kind,
        "at": at,
        "actor": actor[:128],
        "detail": detail or {},
        "effect_key": key[:160] if key else None,
    }
    return insert_ignore(session, TimelineEntry, [row]) == 1
