"""``/console/events/<id>/replay``: what running the event again would do, and then doing it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import Response

from bot.redact import Redactor
from bot.web.bidi import plain
from bot.web.console.door import Console, Visit, see_other
from bot.web.console.events import can_replay, show_event
from bot.words.sentences import error_shown
from bot.workers.changes import Change
from bot.workers.trial import Trial, shown, try_event
from scrm.errors import Conflict, NotFound
from scrm.inbox import service
from scrm.inbox.models import InboxEvent

MOST = 100  # changes shown

_redactor = Redactor()


@dataclass(frozen=True)
class Changed:
    """A row as the page shows it: (column, before, after)."""

    word: str
    table: str
    key: str
    is_new: bool
    columns: list[tuple[str, str, str]]


def register(console: Console) -> None:
    """Put the pages at ``/console/events/<id>/replay``."""

    @console.get("/events/<int:event_id>/replay", "events.replay")
    def replay_trial(visit: Visit, event_id: int) -> Response:
        with visit.read() as session:
            row = session.get(InboxEvent, event_id)
            if row is None:
                raise NotFound("event_not_found", f"没有编号为 {event_id} 的事件")
            if not can_replay(row):
                return show_event(visit, event_id, problem="event_not_now")
        return _page(
            visit, event_id, try_event(visit.site.database, visit.site.corp, event_id, now=visit.now)
        )

    @console.post("/events/<int:event_id>/replay", "events.replay")
    def replay_event_page(visit: Visit, event_id: int) -> Response:
        try:
            with visit.write() as session:
                service.replay(session, event_id, now=visit.now)
                visit.record(session, "event:replayed", "event", str(event_id))
        except Conflict:
            return show_event(visit, event_id, problem="event_not_now")
        visit.site.wake()
        return see_other(visit.url("event_page", event_id=event_id, done="replayed"))


def _page(visit: Visit, event_id: int, trial: Trial) -> Response:
    return visit.page(
        "console/replay.html",
        event_id=event_id,
        kind=trial.kind,
        error=trial.error and plain(error_shown(visit.t, _redactor.text(trial.error))),
        is_handled=trial.handled,
        changes=[_changed(visit, change) for change in trial.changes[:MOST]],
        more=max(0, len(trial.changes) - MOST),
        owed=[
            (
                call.api,
                call.is_late,
                plain(json.dumps(_redactor.mapping(call.request), ensure_ascii=False, indent=2)),
            )
            for call in trial.owed
        ],
    )


def _changed(visit: Visit, change: Change) -> Changed:
    word = "new" if change.before is None else "changed" if change.after else "gone"
    columns = [
        (column, _told(visit, column, old), _told(visit, column, new)) for column, old, new in change.columns
    ]
    table = visit.t.find(f"table_{change.table}") or change.table
    return Changed(
        visit.t(f"trial_{word}"),
        table,
        change.key,
        change.before is None,
        [one for one in columns if one[2] != change.key],
    )


def _told(visit: Visit, column: str, value: Any) -> str:
    return plain(shown(column, value, _redactor, visit.site.tz))
