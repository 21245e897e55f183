"""New contacts of several channels by local day, for the small pictures beside their names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, tzinfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scrm.channels.models import Scan
from scrm.reports.periods import day_number, local_days


def new_by_day(
    session: Session, channel_ids: Sequence[str], *, start: date, end: date, tz: tzinfo
) -> dict[str, list[int]]:
    """Channel id → its new contacts on each day from ``start`` to ``end``. One query."""
    period = local_days(start, end, tz)
    found = {channel_id: [0] * len(period.days) for channel_id in channel_ids}
    if not found:
        return found
    each = (
        select(Scan.channel_id, day_number(Scan.at, period.bounds).label("day"))
        .where(Scan.channel_id.in_(found), period.covers(Scan.at), Scan.is_new)
        .subquery()
    )
    counts = select(each.c.channel_id, each.c.day, func.count()).group_by(each.c.channel_id, each.c.day)
    for channel_id, day, count in session.execute(counts):
        found[channel_id][int(day)] = int(count)
    return found
