"""One rep's own figures, and the connections behind them.

The definitions:

* *new*: connections of the rep made in the period, whatever became of them;
* *lost*: connections of the rep that ended in the period and are over still;
* *follow-ups*: written in the name of the rep, with their time in the period;
* *done*: the rep's tasks that were done in the period;
* *waiting*: connections of the rep that stand, in which the rep has not answered yet, whenever they were made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from scrm.contacts.models import Contact, Relation, RelationState
from scrm.contacts.queries import GONE
from scrm.contacts.service import LIVE
from scrm.reports.followups import count_followups, response_times
from scrm.tasks.models import TaskState
from scrm.tasks.queries import TaskFilter, count_tasks

MOST = 1000  # counting stops here


class Pairs(StrEnum):
    """Which of a rep's connections."""

    NEW = "new"
    LOST = "lost"
    WAITING = "waiting"


@dataclass(frozen=True)
class Mine:
    """A rep's period; ``working_s``, the median wait in working time, is None where nobody was answered."""

    new: int
    lost: int
    followups: int
    done: int
    working_s: int | None


def figures(session: Session, staff_id: str, *, since: datetime, until: datetime, tz: tzinfo) -> Mine:
    """Five queries and a count."""
    answers = response_times(session, [staff_id], since=since, until=until, tz=tz)[staff_id]
    closed = TaskFilter([staff_id], state=TaskState.DONE, closed_from=since, closed_before=until)
    return Mine(
        new=answers.new,
        lost=count_pairs(session, staff_id, Pairs.LOST, since=since, until=until),
        followups=count_followups(session, since=since, until=until, staff_id=staff_id).get(staff_id, 0),
        done=count_tasks(session, closed, most=MOST),
        working_s=answers.working_s,
    )


def count_pairs(
    session: Session,
    staff_id: str,
    which: Pairs,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> int:
    """How many there are; counting stops at ``MOST``."""
    found = select(Relation.id).where(*_conditions(staff_id, which, since, until)).limit(MOST).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0


def list_pairs(
    session: Session,
    staff_id: str,
    which: Pairs,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> list[tuple[Relation, Contact]]:
    """Those who wait longest first, the others newest first; ``after`` is (time, id) of the last one shown."""
    at = time_of(which)
    query = (
        select(Relation, Contact)
        .join(Contact, Contact.id == Relation.contact_id)
        .where(*_conditions(staff_id, which, since, until))
        .limit(limit)
    )
    if which is Pairs.WAITING:
        query = query.order_by(at, Relation.id)
        if after is not None:
            query = query.where(at >= after[0], or_(at > after[0], Relation.id > after[1]))
    else:
        query = query.order_by(at.desc(), Relation.id.desc())
        if after is not None:
            query = query.where(at <= after[0], or_(at < after[0], Relation.id < after[1]))
    return [(row[0], row[1]) for row in session.execute(query)]


def time_of(which: Pairs) -> InstrumentedAttribute[datetime | None]:
    """By what they are sorted."""
    return Relation.lost_at if which is Pairs.LOST else Relation.added_at


def _conditions(
    staff_id: str, which: Pairs, since: datetime | None, until: datetime | None
) -> list[ColumnElement[bool]]:
    states = {Pairs.NEW: tuple(RelationState), Pairs.LOST: GONE, Pairs.WAITING: LIVE}[which]
    at = time_of(which)
    found = [Relation.staff_id == staff_id, Relation.state.in_(states), at.is_not(None)]
    if which is Pairs.WAITING:
        found.append(Relation.first_response_at.is_(None))
    if since is not None:
        found.append(at >= since)
    if until is not None:
        found.append(at < until)
    return found
