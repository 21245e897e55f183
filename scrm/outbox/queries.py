"""Reads of the outbox for screens, REST and alerts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scrm.outbox.models import CallState, OutboxAttempt, OutboxCall


def list_calls(
    session: Session,
    *,
    before: int | None = None,
    limit: int = 50,
    api: str | None = None,
    state: CallState | None = None,
    contact_id: str | None = None,
) -> list[OutboxCall]:
    """Newest first, at most ``limit``; ``before`` is the last id of the page before."""
    query = select(OutboxCall).order_by(OutboxCall.id.desc()).limit(limit)
    if before is not None:
        query = query.where(OutboxCall.id < before)
    if api:
        query = query.where(OutboxCall.api == api)
    if state:
        query = query.where(OutboxCall.state == state)
    if contact_id:
        query = query.where(OutboxCall.contact_id == contact_id)
    return list(session.scalars(query))


def list_caused(session: Session, event_id: int, *, limit: int = 200) -> list[OutboxCall]:
    """The calls an event led to, in order."""
    query = select(OutboxCall).where(OutboxCall.caused_by == event_id).order_by(OutboxCall.id).limit(limit)
    return list(session.scalars(query))


def list_attempts(session: Session, call_id: int) -> list[OutboxAttempt]:
    """The attempts at a call, in order, at most 100."""
    query = (
        select(OutboxAttempt).where(OutboxAttempt.outbox_id == call_id).order_by(OutboxAttempt.n).limit(100)
    )
    return list(session.scalars(query))


def count_stuck(session: Session) -> dict[str, int]:
    """How many calls failed for good or have an outcome nobody knows, by state."""
    stuck = (CallState.FAILED, CallState.UNKNOWN)
    query = (
        select(OutboxCall.state, func.count()).where(OutboxCall.state.in_(stuck)).group_by(OutboxCall.state)
    )
    return {state.value: count for state, count in session.execute(query)}


def count_by_state(session: Session) -> dict[str, int]:
    """How many calls are in each state."""
    rows = session.execute(select(OutboxCall.state, func.count()).group_by(OutboxCall.state))
    return {state.value: count for state, count in rows}


def oldest_due(session: Session) -> datetime | None:
    """Since when the oldest call waits to be sent."""
    waiting = OutboxCall.state.in_((CallState.PENDING, CallState.SENDING))
    return session.scalar(select(func.min(OutboxCall.created_at)).where(waiting))
