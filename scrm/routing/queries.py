"""Reads of assignments."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from scrm.routing.models import Assignment


def list_assignments(
    session: Session, contact_id: str, *, before: tuple[datetime, str] | None = None, limit: int = 50
) -> list[Assignment]:
    """One contact's, newest first; ``before`` is (at, id) of the last one of the page before."""
    query = (
        select(Assignment)
        .where(Assignment.contact_id == contact_id)
        .order_by(Assignment.at.desc(), Assignment.id.desc())
        .limit(limit)
    )
    if before is not None:
        at, assignment_id = before
        # `<= at` alone can be sought in the index; without it each page would walk there from the newest row.
        query = query.where(Assignment.at <= at, or_(Assignment.at < at, Assignment.id < assignment_id))
    return list(session.scalars(query))
