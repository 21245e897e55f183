"""What each channel brings, by local day and side by side.

Local days are UTC bounds computed here, so the same SQL runs on SQLite, PostgreSQL and MySQL. The definitions:

* *scans*: times somebody came through the channel; *new*: those who were nobody's contact before;
* *lost*: contacts who left through either side's deletion and have not come back; *net* = new - lost;
* *retained rate*: the share of the period's new contacts who are still there;
* *tagged*: how many of the period's new contacts carry a tag today;
* *first response*: median seconds from a new contact's scan to the rep's first response, in working time and plainly;
* *cost per contact*: what the channel has cost by all new contacts it brought until the period's end. Costs are
  not kept by day, so a day has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import Any

from sqlalchemy import Executable, and_, case, exists, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from scrm.channels.models import Channel, Scan
from scrm.channels.queries import get_channel
from scrm.contacts.models import Relation, RelationState
from scrm.dialects import epoch
from scrm.reports.periods import LocalDays, day_number, local_days
from scrm.reports.waits import Wait, measure, medians
from scrm.tags.models import ContactTag

MAX_CHANNELS = 1000  # compared at once, the newest
MAX_RESPONSES = 100_000  # a median over more is a median over the latest so many

GONE = (RelationState.LOST, RelationState.REMOVED)

Bucket = Callable[[InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None], Any], Any]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The figures of a period; None where there is nothing to divide by."""

    scans: int = 0
    new: int = 0
    lost: int = 0
    net: int = 0
    retained_rate: float | None = None
    tagged: int = 0
    first_response_median_s: int | None = None
    first_response_working_s: int | None = None
    cost_per_contact_fen: int | None = None


@dataclass(frozen=True, kw_only=True)
class DayFigures(Figures):
    """The figures of one local day."""

    day: date


@dataclass(frozen=True)
class ChannelStats:
    """A channel's figures (or all channels') over a period, and by each of its days."""

    total: Figures
    days: list[DayFigures]


@dataclass(frozen=True)
class ChannelRow:
    """One channel in a comparison. ``quality`` = its share of all new contacts × its retained rate."""

    channel_id: str
    name: str
    state: str
    cost_fen: int
    figures: Figures
    share_of_new: float | None
    quality: float | None


@dataclass(frozen=True)
class ChannelNew:
    """What one channel brought and lost in a period."""

    channel_id: str
    name: str
    new: int
    lost: int
    first_response_working_s: int | None


@dataclass(frozen=True)
class Brought:
    """The channels that brought most, and how many new contacts all of them brought."""

    channels: list[ChannelNew]
    new: int


@dataclass
class _Counts:
    """What the queries count for one bucket; adds up."""

    scans: int = 0
    new: int = 0
    gone: int = 0
    tagged: int = 0
    lost: int = 0
    waits: list[Wait] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        waited = medians(self.waits)
        return {
            "scans": self.scans,
            "new": self.new,
            "lost": self.lost,
            "net": self.new - self.lost,
            "retained_rate": round((self.new - self.gone) / self.new, 4) if self.new else None,
            "tagged": self.tagged,
            "first_response_median_s": waited.plain_s,
            "first_response_working_s": waited.working_s,
        }


def channel_stats(
    session: Session, channel_id: str | None, *, start: date, end: date, tz: tzinfo
) -> ChannelStats:
    """The figures of one channel, or of all with None, from ``start`` to ``end`` (both counted).

    Raises NotFound, and Invalid for a period that is empty or longer than a year.
    """
    period = local_days(start, end, tz)
    channels = [get_channel(session, channel_id)] if channel_id else None
    which = [channel_id] if channel_id else select(Channel.id)
    by_day = _count(session, which, period, lambda at, _: day_number(at, period.bounds))
    total = _sum(by_day.values())
    cost = _cost(session, channels)
    spent = _per_contact(cost, sum(_brought(session, which, period).values()))
    days = [
        DayFigures(day=day, **by_day.get(number, _Counts()).figures())
        for number, day in enumerate(period.days)
    ]
    return ChannelStats(Figures(**total.figures(), cost_per_contact_fen=spent), days)


def compare_channels(session: Session, *, start: date, end: date, tz: tzinfo) -> list[ChannelRow]:
    """A row for each channel, those with most new contacts first. Six queries, however many channels there are."""
    period = local_days(start, end, tz)
    channels = session.scalars(select(Channel).order_by(Channel.id.desc()).limit(MAX_CHANNELS)).all()
    ids = [channel.id for channel in channels]
    counts = _count(session, ids, period, lambda _, channel_id: channel_id)
    brought = _brought(session, ids, period)
    all_new = sum(one.new for one in counts.values())
    rows = []
    for channel in channels:
        figures = Figures(
            **counts.get(channel.id, _Counts()).figures(),
            cost_per_contact_fen=_per_contact(channel.cost_fen, brought.get(channel.id, 0)),
        )
        share = round(figures.new / all_new, 4) if all_new else None
        quality = None if share is None or figures.retained_rate is None else share * figures.retained_rate
        rows.append(
            ChannelRow(
                channel_id=channel.id,
                name=channel.name,
                state=channel.state.value,
                cost_fen=channel.cost_fen,
                figures=figures,
                share_of_new=share,
                quality=None if quality is None else round(quality, 4),
            )
        )
    return sorted(rows, key=lambda row: (-row.figures.new, -row.figures.scans, row.name))


def brought_most(session: Session, *, start: date, end: date, tz: tzinfo, limit: int) -> Brought:
    """The ``limit`` channels with most new contacts, of those that brought or lost any. Five queries."""
    period = local_days(start, end, tz)
    by_channel: Bucket = lambda _, channel_id: channel_id  # noqa: E731
    newest = select(Channel.id, Channel.name).order_by(Channel.id.desc()).limit(MAX_CHANNELS)
    names = dict(session.execute(newest).all())
    counts = {name: _Counts() for name in names}
    for channel_id, scans, new in session.execute(_arrivals(names, period)):
        counts[channel_id].scans, counts[channel_id].new = int(scans), int(new)
    for channel_id, lost in session.execute(_losses(names, period, by_channel)):
        counts[channel_id].lost = int(lost)
    moved = [key for key, one in counts.items() if one.new or one.lost]
    most = sorted(moved, key=lambda key: (-counts[key].new, -counts[key].scans, names[key]))[:limit]
    for key, wait in _measured(session, most, period, by_channel):
        counts[key].waits.append(wait)
    rows = [
        ChannelNew(key, names[key], one.new, one.lost, medians(one.waits).working_s)
        for key, one in ((key, counts[key]) for key in most)
    ]
    return Brought(rows, sum(one.new for one in counts.values()))


def _count(session: Session, which: Any, period: LocalDays, bucket: Bucket) -> dict[Any, _Counts]:
    """Bucket (day number or channel id) → what happened in it. Four queries."""
    found: dict[Any, _Counts] = {}
    for key, scans, new, gone, tagged in session.execute(_scans(which, period, bucket)):
        found[key] = _Counts(int(scans), int(new), int(gone), int(tagged))
    for key, lost in session.execute(_losses(which, period, bucket)):
        found.setdefault(key, _Counts()).lost = int(lost)
    for key, wait in _measured(session, which, period, bucket):
        found.setdefault(key, _Counts()).waits.append(wait)
    return found


def _measured(session: Session, which: Any, period: LocalDays, bucket: Bucket) -> Iterator[tuple[Any, Wait]]:
    """Bucket and wait of everybody who was answered. Two queries."""
    came = session.execute(_responses(which, period, bucket))
    answered = [(key, at, first) for key, at, first in came if first is not None]
    waits = measure(session, [(at, first) for _, at, first in answered], period.tz)
    return zip((key for key, _, _ in answered), waits, strict=True)


def _arrivals(which: Any, period: LocalDays) -> Executable:
    """Channel id, scans, new contacts: from the index alone."""
    return (
        select(Scan.channel_id, func.count(), func.sum(case((Scan.is_new, 1), else_=0)))
        .where(Scan.channel_id.in_(which), period.covers(Scan.at))
        .group_by(Scan.channel_id)
    )


# Looked up pair by pair: PostgreSQL would rather read all relations once than find a thousand by their key.
_PAIR = and_(Relation.contact_id == Scan.contact_id, Relation.staff_id == Scan.staff_id)
_STATE = select(Relation.state).where(_PAIR).scalar_subquery()
_FIRST_RESPONSE = (
    select(Relation.first_response_at).where(_PAIR, Relation.first_response_at >= Scan.at).scalar_subquery()
)


def _scans(which: Any, period: LocalDays, bucket: Bucket) -> Executable:
    has_tag = exists().where(ContactTag.contact_id == Scan.contact_id)
    each = (
        select(
            bucket(Scan.at, Scan.channel_id).label("bucket"),
            case((Scan.is_new, 1), else_=0).label("new"),
            case((and_(Scan.is_new, _STATE.in_(GONE)), 1), else_=0).label("gone"),
            case((and_(Scan.is_new, has_tag), 1), else_=0).label("tagged"),
        )
        .where(Scan.channel_id.in_(which), period.covers(Scan.at))
        .subquery()
    )
    sums = (func.sum(each.c.new), func.sum(each.c.gone), func.sum(each.c.tagged))
    return select(each.c.bucket, func.count(), *sums).group_by(each.c.bucket)


def _losses(which: Any, period: LocalDays, bucket: Bucket) -> Executable:
    each = (
        select(bucket(Relation.lost_at, Relation.channel_id).label("bucket"), Relation.contact_id)
        .where(Relation.channel_id.in_(which), period.covers(Relation.lost_at), Relation.state.in_(GONE))
        .subquery()
    )
    return select(each.c.bucket, func.count(each.c.contact_id.distinct())).group_by(each.c.bucket)


def _responses(which: Any, period: LocalDays, bucket: Bucket) -> Executable:
    """Bucket, when they came and when they were answered (None: not yet), of the latest."""
    return (
        select(bucket(Scan.at, Scan.channel_id), epoch(Scan.at), epoch(_FIRST_RESPONSE))
        .where(Scan.channel_id.in_(which), period.covers(Scan.at), Scan.is_new)
        .order_by(Scan.at.desc())
        .limit(MAX_RESPONSES)
    )


def _brought(session: Session, which: Any, period: LocalDays) -> dict[str, int]:
    """Channel id → new contacts since the channel exists, until the period's end."""
    ever = (
        select(Scan.channel_id, func.count())
        .where(Scan.channel_id.in_(which), Scan.at < period.bounds[-1], Scan.is_new)
        .group_by(Scan.channel_id)
    )
    return {channel_id: int(count) for channel_id, count in session.execute(ever)}


def _cost(session: Session, channels: Sequence[Channel] | None) -> int:
    if channels is None:
        return int(session.scalar(select(func.sum(Channel.cost_fen))) or 0)
    return sum(channel.cost_fen for channel in channels)


def _per_contact(cost_fen: int, contacts: int) -> int | None:
    """Fen per contact, rounded half up; None where nobody came."""
    return (2 * cost_fen + contacts) // (2 * contacts) if contacts else None


def _sum(counts: Iterable[_Counts]) -> _Counts:
    total = _Counts()
    for one in counts:
        total.scans, total.new = total.scans + one.scans, total.new + one.new
        total.gone, total.tagged = total.gone + one.gone, total.tagged + one.tagged
        total.lost += one.lost
        total.waits.extend(one.waits)
    return total
