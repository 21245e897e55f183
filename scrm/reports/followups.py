"""Who followed up, and how soon: one period, rep by rep.

The definitions:

* *follow-ups*: what was written down with its time in the period, in the name of the rep;
* *new*: connections of the rep made in the period, whatever became of them;
* *answered*: those of them after which the rep wrote a first follow-up; *median*: seconds from one to the other, in
  working time and plainly;
* *waiting*: those of them that still stand and were not answered.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from scrm.contacts.models import Relation, RelationState
from scrm.contacts.service import LIVE
from scrm.dialects import epoch
from scrm.followups.models import Followup, FollowupKind
from scrm.reports.waits import Pair, Wait, measure, medians

MAX_RELATIONS = 100_000  # a median over more is a median over the latest so many


@dataclass
class RepFigures:
    """One rep's period; the medians are None where nobody was answered."""

    followups: int = 0
    new: int = 0
    answered: int = 0
    waiting: int = 0
    median_s: int | None = None
    working_s: int | None = None


def count_followups(
    session: Session,
    *,
    since: datetime,
    until: datetime,
    staff_id: str | None = None,
    kind: FollowupKind | None = None,
) -> dict[str, int]:
    """Staff id → follow-ups in the period, most first."""
    query = (
        select(Followup.staff_id, func.count())
        .where(Followup.at >= since, Followup.at < until)
        .group_by(Followup.staff_id)
    )
    if staff_id is not None:
        query = query.where(Followup.staff_id == staff_id)
    if kind is not None:
        query = query.where(Followup.kind == kind)
    rows = [(row[0], row[1]) for row in session.execute(query)]
    return dict(sorted(rows, key=lambda row: (-row[1], row[0])))


def response_times(
    session: Session, staff_ids: Collection[str], *, since: datetime, until: datetime, tz: tzinfo
) -> dict[str, RepFigures]:
    """Staff id → who came and when they were answered; two queries however many members."""
    found = {staff_id: RepFigures() for staff_id in staff_ids}
    if not found:
        return found
    query: Select[*tuple[Any, ...]] = (
        select(Relation.staff_id, Relation.state, epoch(Relation.added_at), epoch(Relation.first_response_at))
        .where(
            Relation.staff_id.in_(found),
            Relation.state.in_(tuple(RelationState)),  # so that the index finds the period in each state
            Relation.added_at >= since,
            Relation.added_at < until,
        )
        .order_by(Relation.added_at.desc())
        .limit(MAX_RELATIONS)
    )
    answered: list[tuple[str, Pair]] = []
    for staff_id, state, added_at, first_at in session.execute(query):
        figures = found[staff_id]
        figures.new += 1
        if added_at is not None and first_at is not None:
            answered.append((staff_id, (added_at, first_at)))
        elif state in LIVE:
            figures.waiting += 1
    spent: dict[str, list[Wait]] = {}
    for (staff_id, _), wait in zip(
        answered, measure(session, [pair for _, pair in answered], tz), strict=True
    ):
        spent.setdefault(staff_id, []).append(wait)
    for staff_id, waits in spent.items():
        waited = medians(waits)
        found[staff_id].answered = len(waits)
        found[staff_id].median_s, found[staff_id].working_s = waited.plain_s, waited.working_s
    return found
