"""Reads of the inbox for screens, REST and alerts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scrm.inbox.models import EventState, InboxEvent


def list_events(
    session: Session,
    *,
    before: int | None = None,
    limit: int = 50,
    kind: str | None = None,
    state: EventState | None = None,
) -> list[InboxEvent]:
    """Newest first, at most ``limit``; ``before`` is the last id of the page before."""
    query = select(InboxEvent).order_by(InboxEvent.id.desc()).limit(limit)
    if before is not None:
        query = query.where(InboxEvent.id < before)
    if kind:
        query = query.where(InboxEvent.kind == kind)
    if state:
        query = query.where(InboxEvent.state == state)
    return list(session.scalars(query))


def count_stuck(session: Session) -> dict[str, int]:
    """How many events wait for a person, by state."""
    stuck = (EventState.DEAD, EventState.QUARANTINED)
    query = (
        select(InboxEvent.state, func.count()).where(InboxEvent.state.in_(stuck)).group_by(InboxEvent.state)
    )
    return {state.value: count for state, count in session.execute(query)}


def count_by_state(session: Session) -> dict[str, int]:
    """How many events are in each state."""
    rows = session.execute(select(InboxEvent.state, func.count()).group_by(InboxEvent.state))
    return {state.value: count for state, count in rows}


def oldest_pending(session: Session) -> datetime | None:
    """When the oldest event that still waits came in."""
    waiting = InboxEvent.state.in_((EventState.PENDING, EventState.LEASED))
    return session.scalar(select(func.min(InboxEvent.received_at)).where(waiting))
