"""``/console/events``: what WeCom told us, what came of each, and running one again."""

from __future__ import annotations

import json
import re
from functools import partial

from flask import Response, request

from bot.redact import Redactor
from bot.web.bidi import plain
from bot.web.console import changes, logs
from bot.web.console.door import Console, Visit, see_other
from bot.web.console.way import way_of_event
from bot.words.sentences import error_shown
from scrm.errors import NotFound
from scrm.inbox import queries
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox.queries import list_caused

_redactor = Redactor()
_NEXT_TAG = re.compile(r"><(?=\w|/xml>)")


def register(console: Console) -> None:
    """Put the pages at ``/console/events``."""

    @console.get("/events", "events.read")
    def event_log(visit: Visit) -> Response:
        number = logs.wanted_number("q")
        if number is not None:
            return see_other(visit.url("event_page", event_id=number))
        return _list(visit)

    @console.get("/events/<int:event_id>", "events.read")
    def event_page(visit: Visit, event_id: int) -> Response:
        return show_event(visit, event_id)


def _list(visit: Visit) -> Response:
    live = changes.watch(visit, "events")
    kind, state, before = logs.wanted("kind"), logs.wanted_state(EventState), logs.wanted_number("before")
    with visit.read() as session:
        stuck = queries.count_stuck(session)
        rows = queries.list_events(
            session, before=before, limit=logs.PAGE + 1, kind=kind or None, state=state
        )
    return visit.page(
        "console/events.html",
        live=None if before else live,
        rows=rows[: logs.PAGE],
        more=rows[logs.PAGE - 1].id if len(rows) > logs.PAGE else None,
        before=before,
        kind=kind,
        state=state.value if state else None,
        states=[one.value for one in EventState],
        stuck={one.value: stuck.get(one.value, 0) for one in (EventState.DEAD, EventState.QUARANTINED)},
        moment=visit.calendar.moment,
        short=lambda error: error_shown(visit.t, short(error)),
        named=partial(logs.named, visit, "kind"),
    )


def can_replay(row: InboxEvent) -> bool:
    """Whether the event may be run again now."""
    return row.payload is not None and row.state not in (EventState.PENDING, EventState.LEASED)


def show_event(visit: Visit, event_id: int, *, problem: str = "") -> Response:
    """The page of one event; ``problem`` names what could not be done."""
    live = changes.watch(visit, "event", event_id)
    with visit.read() as session:
        row = session.get(InboxEvent, event_id)
        if row is None:
            raise NotFound("event_not_found", f"没有编号为 {event_id} 的事件")
        calls = list_caused(session, row.id)
        lines = way_of_event(visit, session, row, calls)
    return visit.page(
        "console/event.html",
        409 if problem else 200,
        live=live,
        row=row,
        at=visit.calendar.moment(row.received_at),
        why=visit.t.find(f"inbox_{row.state.value}_why"),
        kind=logs.named(visit, "kind", row.kind),
        payload=None if row.payload is None else plain(_readable(_redactor.text(row.payload))),
        error=None if row.error is None else plain(error_shown(visit.t, _redactor.text(row.error))),
        way=lines,
        can_replay=can_replay(row) and visit.may("events.replay"),
        is_done=request.args.get("done") == "replayed",
        problem=problem and visit.t(problem),
    )


def _readable(payload: str) -> str:
    """JSON and XML in lines; anything else as it is."""
    if payload.startswith("<"):
        return _NEXT_TAG.sub(">\n<", payload)
    try:
        return json.dumps(json.loads(payload), ensure_ascii=False, indent=2)
    except ValueError:
        return payload


def short(error: str | None) -> str:
    """The last line of an error, without secrets."""
    lines = (error or "").strip().splitlines()
    return plain(_redactor.text(lines[-1]))[:200] if lines else ""
