"""The lease mechanism that inbox, outbox and jobs share: claim at most once, finish by compare-and-set.

A row is claimable while its state is in ``ready`` and ``available_at`` has passed. Claiming moves it to ``leased``
state, writes a fresh ``lease_token`` and pushes ``available_at`` to the lease's end. Whoever finishes it must name
the token: a worker that lost its lease changes nothing (fencing).
"""

from __future__ import annotations

import random
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import Integer, String, Update, and_, bindparam, exists, or_, select, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column
from sqlalchemy.orm.attributes import set_committed_value

from scrm.db import affected
from scrm.dialects import BigId, Lockable, UtcDateTime, lock_first
from scrm.ids import new_token

LANE_LENGTH = 80


class Leased:
    """Columns of a row that workers claim. ``lane``: rows of one lane run one after another, by id."""

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    lane: Mapped[str | None] = mapped_column(String(LANE_LENGTH))
    priority: Mapped[int] = mapped_column(Integer, default=5)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    available_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_token: Mapped[str | None] = mapped_column(String(32))


Row = TypeVar("Row", bound=Any)


@dataclass(frozen=True, eq=False)
class Claim:
    """What to claim: ``ready`` states become ``leased``; ``busy`` states hold up later rows of their lane.

    ``where`` narrows it. ``newest_first`` is for what soon is worth nothing: of more than can be done in time, the
    oldest first would all come too late. Make one per purpose and keep it: its statements are built once.
    """

    ready: Collection[str]
    busy: Collection[str]
    leased: str
    where: Sequence[Any] = ()
    newest_first: bool = False


def claim(
    session: Session,
    model: type[Row],
    rule: Claim,
    *,
    owner: str,
    lease: timedelta,
    limit: int,
    now: datetime,
    where: Sequence[Any] = (),
) -> list[Row]:
    """Lease up to ``limit`` due rows to ``owner``, first by priority, in order within each lane.

    PostgreSQL and MySQL skip rows other workers have locked; on SQLite the caller's write transaction is the
    only one. The rows returned carry the new lease. Call inside a short write transaction of its own.
    """
    rows = _lock_due(session, model, rule, where, now, limit)
    if not rows:
        return []
    lease_to = {"lease_owner": owner, "lease_token": new_token(), "available_at": now + lease}
    session.execute(_take(cast("Hashable", model), rule), {"taken": [row.id for row in rows], **lease_to})
    for row in rows:
        attempts = row.attempts + 1
        for name, value in {"state": rule.leased, "attempts": attempts, **lease_to}.items():
            set_committed_value(row, name, value)
    rows.sort(key=lambda row: (row.priority, row.id))
    return rows


def _lock_due(
    session: Session, model: Any, rule: Claim, where: Sequence[Any], now: datetime, limit: int
) -> list[Any]:
    """The first due rows. Those locked beyond ``limit`` are free again when the transaction ends.

    One state at a time: then the index has the order wanted, and reading stops at ``limit``. Of several states at once
    every engine would read and sort all that waits, 20,000 rows for each claim after a bad hour.
    """
    rows: list[Any] = []
    for state in rule.ready:
        due = _due(cast("Hashable", model), rule, state).where(*where)
        rows += lock_first(session, due, model.id, {"due_at": now, "at_most": limit}, "at_most")
    rows.sort(key=lambda row: (row.priority, row.available_at, row.id))
    return rows[:limit]


@cache
def _due(model: Any, rule: Claim, state: str) -> Lockable:
    """The rows to claim in one of the ready states."""
    earlier = aliased(model)
    held_up = exists().where(
        earlier.lane == model.lane,
        earlier.id < model.id,
        earlier.state.in_(rule.busy),
        earlier.available_at.is_not(None),
    )
    order = (model.available_at, model.id)
    if rule.newest_first:
        order = tuple(column.desc() for column in order)
    return Lockable.of(
        select(model)
        .where(model.state == state, model.available_at <= bindparam("due_at"), *rule.where)
        .where(or_(model.lane.is_(None), ~held_up))
        .order_by(model.priority, *order)
        .limit(bindparam("at_most", type_=Integer))
        .execution_options(populate_existing=True)
    )


@cache
def _take(model: Any, rule: Claim) -> Update:
    table = model.__table__
    return (
        update(table)
        .where(table.c.id.in_(bindparam("taken", expanding=True)))
        .values(
            state=rule.leased,
            attempts=table.c.attempts + 1,
            lease_owner=bindparam("lease_owner"),
            lease_token=bindparam("lease_token"),
            available_at=bindparam("available_at"),
        )
    )


def change_held(session: Session, row: Any, leased: str, **values: Any) -> bool:
    """Change a row if the lease it carries still holds; False when another worker has it. Does not touch ``row``."""
    held = {"held_id": row.id, "held_state": leased, "held_token": row.lease_token}
    return affected(session.execute(_held(cast("Hashable", type(row))), {**held, **values})) == 1


@cache
def _held(model: Any) -> Update:
    table = model.__table__
    return update(table).where(
        table.c.id == bindparam("held_id"),
        table.c.state == bindparam("held_state"),
        table.c.lease_token == bindparam("held_token"),
    )


def holds(model: type[Row], row: Row, leased: str) -> Any:
    """The fencing condition: this row, in this state, under this very lease."""
    return and_(model.id == row.id, model.state == leased, model.lease_token == row.lease_token)


def backoff(
    attempts: int, *, base: timedelta = timedelta(seconds=2), most: timedelta = timedelta(minutes=15)
) -> timedelta:
    """The wait before the next attempt after ``attempts`` failed ones: doubling, capped, with full jitter."""
    ceiling: timedelta = min(base * 2 ** min(attempts, 20), most)
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
