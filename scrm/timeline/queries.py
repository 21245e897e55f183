"""Reads of the timeline."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from scrm.timeline.models import TimelineEntry


def list_entries(
    session: Session,
    contact_id: str,
    *,
    before: tuple[datetime, int] | None = None,
    limit: int = 50,
    kind: str | None = None,
) -> list[TimelineEntry]:
    """Newest first, at most ``limit``; ``before`` is (at, id) of the last entry of the page before.

    ``kind`` is a whole kind (``welcome.sent``) or its noun (``welcome``).
    """
    query = (
        select(TimelineEntry)
        .where(TimelineEntry.contact_id == contact_id)
        .order_by(TimelineEntry.at.desc(), TimelineEntry.id.desc())
        .limit(limit)
    )
    if before is not None:
        at, entry_id = before
        # `<= at` alone can be sought in the index; without it each page would walk there from the newest row.
        query = query.where(TimelineEntry.at <= at, or_(TimelineEntry.at < at, TimelineEntry.id < entry_id))
    if kind and "." in kind:
        query = query.where(TimelineEntry.kind == kind)
    elif kind:
        query = query.where(TimelineEntry.kind.startswith(f"{kind}.", autoescape=True))
    return list(session.scalars(query))
