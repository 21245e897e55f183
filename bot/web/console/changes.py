"""``/console/changes``: whether what a page shows has changed."""

from __future__ import annotations

from flask import Response, request
from sqlalchemy.orm import Session

from bot.web import live
from bot.web.console import logs
from bot.web.console.door import ANYBODY, Console, Visit
from bot.web.live import Live
from scrm.contacts.service import get_contact
from scrm.reports import changes
from scrm.reports.changes import Version

PERMISSIONS = {"people": ANYBODY, "contact": "contacts.read", "events": "events.read", "event": "events.read"}
PERMISSIONS |= {"calls": "calls.read", "call": "calls.read"}
COUNTS = {
    "people": changes.count_entries_since,
    "events": changes.count_events_since,
    "calls": changes.count_calls_since,
}


def register(console: Console) -> None:
    """Put the answer at ``/console/changes``."""

    @console.get("/changes", ANYBODY)
    def changes_since(visit: Visit) -> Response:
        return _answer(visit)


def watch(visit: Visit, topic: str, key: str | int = "") -> Live | None:
    """The version as of now, to be asked for before the page's rows are read; None where a form is shown again."""
    if request.method != "GET":
        return None
    with visit.site.database.read() as session:
        version = _version(session, topic, str(key))
    parts = {"of": topic, **({"id": key} if key else {})}
    return Live(visit.url("changes_since", lang=None, **parts), live.told(version), topic)


def _answer(visit: Visit) -> Response:
    asked, since = request.args.get("of", ""), request.args.get("since", "")
    topic = asked if asked in PERMISSIONS else "people"
    key = request.args.get("id", "")
    if PERMISSIONS[topic]:
        visit.actor.require(PERMISSIONS[topic])
    with visit.read() as session:
        if topic == "contact":
            get_contact(session, key)
            version = changes.contact_version(session, key)
            return live.answer(
                session, since, version, lambda read, newest: changes.count_entries_since(read, newest, key)
            )
        return live.answer(session, since, _version(session, topic, key), COUNTS.get(topic))


def _version(session: Session, topic: str, key: str) -> Version:
    number = logs.number(key) or 0
    match topic:
        case "contact":
            return changes.contact_version(session, key)
        case "events":
            return changes.events_version(session)
        case "calls":
            return changes.calls_version(session)
        case "event":
            return changes.event_version(session, number)
        case "call":
            return changes.call_version(session, number)
        case _:
            return changes.people_version(session)
