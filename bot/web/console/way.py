"""The way of an event as one line with times: callback, inbox, handler, changes, outbox, call, answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.api.trace import ORDER, Found, Step, attempts_of, steps_of_call, steps_of_entry, steps_of_event
from bot.web.bidi import plain
from bot.web.console.door import Visit
from bot.web.console.logs import reason
from bot.web.times import Moment
from scrm.contacts.service import find_by_external_userid
from scrm.inbox.models import InboxEvent
from scrm.outbox.models import OutboxCall
from scrm.timeline.models import TimelineEntry

MOST = 100  # entries and answers shown
TROUBLE = ("dead", "quarantined", "failed", "unknown", "expired")
PLACES = ("callback", "inbox", "handler", "changes", "outbox", "call", "answer")
_OF_STEP = {
    Step.RECEIVED: "inbox",
    Step.QUARANTINED: "inbox",
    Step.HANDLED: "handler",
    Step.IGNORED: "handler",
    Step.DEAD: "handler",
    Step.CHANGED: "changes",
    Step.ENQUEUED: "outbox",
}


@dataclass(frozen=True)
class Line:
    """One step of a way; ``ms`` since it began with us."""

    at: Moment
    ms: int
    place: str
    text: str
    detail: str
    event_id: int | None
    call_id: int | None
    is_trouble: bool


@dataclass(frozen=True)
class _Stop:
    place: str
    found: Found


def way_of_event(visit: Visit, session: Session, row: InboxEvent, calls: Sequence[OutboxCall]) -> list[Line]:
    """From WeCom's sending to the answers of the calls that the event caused."""
    stops = [_stop(step) for step in (*steps_of_event(row), *_changes(visit, session, row))]
    lines = _lines(visit, [*stops, *_after(_calls(session, calls), row.done_at)], row.received_at)
    if row.sent_at is None:
        return lines
    sent = visit.calendar.moment(row.sent_at)
    place, text = visit.t("place_callback"), visit.t("step_arrived")
    return [Line(sent, 0, place, text, "", None, None, is_trouble=False), *lines]


def way_of_call(visit: Visit, session: Session, row: OutboxCall) -> list[Line]:
    """From the moment it was owed to its answer."""
    return _lines(visit, _calls(session, [row]), row.created_at)


def _after(stops: Sequence[_Stop], done_at: datetime | None) -> list[_Stop]:
    """Calls are noted while the handler runs, and count from its end: they are committed together."""
    if done_at is None:
        return list(stops)
    return [
        _Stop(one.place, replace(one.found, at=max(one.found.at, done_at))) if one.place == "outbox" else one
        for one in stops
    ]


def _stop(step: Found) -> _Stop:
    return _Stop(_OF_STEP.get(step.step, "call"), step)


def _calls(session: Session, calls: Sequence[OutboxCall]) -> list[_Stop]:
    """Every step of these calls and their answers, in two queries."""
    attempts = attempts_of(session, calls)
    stops = [_stop(step) for row in calls for step in steps_of_call(row, attempts.get(row.id, []))]
    return stops + [
        _Stop("answer", step) for answer in _answers(session, calls) for step in steps_of_event(answer)
    ]


def _answers(session: Session, calls: Sequence[OutboxCall]) -> list[InboxEvent]:
    """The events that carry the calls' answers; they run in the calls' lanes, which is how they are found."""
    lanes = {row.lane for row in calls if row.lane}
    if not lanes:
        return []
    of_calls = InboxEvent.caused_by_call.in_([row.id for row in calls])
    query = select(InboxEvent).where(InboxEvent.lane.in_(lanes), of_calls).order_by(InboxEvent.id).limit(MOST)
    return list(session.scalars(query))


def _changes(visit: Visit, session: Session, row: InboxEvent) -> Iterable[Found]:
    """What the contact's timeline tells of the moment of the event, placed behind its handler."""
    if row.done_at is None or not (row.lane or "").startswith("contact:"):
        return []
    contact = find_by_external_userid(session, str(row.lane).removeprefix("contact:"))
    if contact is None:
        return []
    begin, at = min(row.sent_at or row.received_at, row.received_at), TimelineEntry.at
    query = select(TimelineEntry).where(
        TimelineEntry.contact_id == contact.id, at >= begin, at <= row.done_at
    )
    entries = session.scalars(query.order_by(at, TimelineEntry.id).limit(MOST))
    caused = [entry for entry in entries if not entry.kind.startswith("followup.")]
    return [
        replace(step, at=row.done_at) for entry in caused for step in steps_of_entry(entry, visit.t.locale)
    ]


def _lines(visit: Visit, stops: Sequence[_Stop], since: datetime) -> list[Line]:
    def order(stop: _Stop) -> tuple[datetime, int, int, int]:
        step = stop.found
        return step.at, PLACES.index(stop.place), ORDER[step.step], step.call_id or 0

    return [_line(visit, stop, since) for stop in sorted(stops, key=order)]


def _line(visit: Visit, stop: _Stop, since: datetime) -> Line:
    step = stop.found
    is_change = step.step is Step.CHANGED
    return Line(
        visit.calendar.moment(step.at),
        max(0, int((step.at - since).total_seconds() * 1000)),
        visit.t(f"place_{stop.place}"),
        plain(step.title) if is_change else visit.t(f"step_{step.step.value}"),
        "" if is_change else plain(reason(visit, step.detail or "")),
        step.event_id if stop.place == "answer" else None,
        step.call_id,
        step.step.value in TROUBLE,
    )
