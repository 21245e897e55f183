"""Segments: filters of the customer list under names, as its tabs. Their counts come after the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import Response, request
from flask import session as browser
from sqlalchemy.orm import Session

from bot.web.bidi import plain
from bot.web.console import contact_filter
from bot.web.console.door import Console, Visit, see_other
from bot.web.console.filters import LONGEST
from bot.web.console.once import made_once
from bot.web.console.refusals import said
from bot.web.contact.forms import clean
from scrm.contacts.queries import count_contacts
from scrm.errors import Conflict, Invalid
from scrm.segments import service
from scrm.segments.models import Segment

SHOWN = 8
COUNTED = 1_000
TOLD = "segment_told"  # in the browser's session: what the next page says


@dataclass(frozen=True)
class Tab:
    """A segment above the list. ``count`` is empty until it is counted."""

    id: str
    name: str
    url: str
    is_here: bool
    is_mine: bool
    is_shared: bool
    count: str = ""


def register(console: Console) -> None:
    """Put the deeds and the counted tabs at ``/console/segments``."""

    @console.get("/segments", "contacts.read")
    def segment_tabs(visit: Visit) -> Response:
        return _counted(visit)

    @console.post("/segments", "contacts.read")
    def save_segment(visit: Visit) -> Response:
        return _save(visit)

    @console.post("/segments/<segment_id>", "contacts.read")
    def change_segment(visit: Visit, segment_id: str) -> Response:
        return _change(visit, segment_id)

    @console.post("/segments/<segment_id>/delete", "contacts.read")
    def delete_segment(visit: Visit, segment_id: str) -> Response:
        return _delete(visit, segment_id)


def tabs(visit: Visit, session: Session, here: Mapping[str, str]) -> list[Tab]:
    """The segments this person sees first, the one whose filters are exactly those of the address marked."""
    return [
        _tab(visit, row, here) for row in service.list_segments(session, visit.actor.account_id, limit=SHOWN)
    ]


def told() -> dict[str, Any]:
    """What a deed left to say, once."""
    said = browser.pop(TOLD, None)
    return said if isinstance(said, dict) else {}


def _tab(visit: Visit, row: Segment, here: Mapping[str, str]) -> Tab:
    asked = service.asked_for(row)
    return Tab(
        row.id,
        plain(row.name),
        visit.url("contact_list", **asked),
        is_here=asked == here,
        is_mine=row.account_id == visit.actor.account_id,
        is_shared=row.is_shared,
    )


def _counted(visit: Visit) -> Response:
    """The tabs with how many fit each, as far as counting goes."""
    here = _filters(request.args)
    found = []
    with visit.read() as session:
        for row in service.list_segments(session, visit.actor.account_id, limit=SHOWN):
            asked, which = contact_filter.read(visit, session, service.asked_for(row))
            n = None if asked.wrong else count_contacts(session, which, most=COUNTED + 1)
            found.append(replace(_tab(visit, row, here), count=_count(visit, n)))
    return visit.page("console/_segments.html", segments=found, here=here)


def _count(visit: Visit, n: int | None) -> str:
    if n is None:
        return "?"
    return visit.t("segment_many", n=f"{COUNTED:,}") if n > COUNTED else f"{n:,}"


def _filters(given: Mapping[str, str]) -> dict[str, str]:
    values = {name: clean(given.get(name, ""))[:LONGEST] for name in contact_filter.NAMES}
    return {name: value for name, value in values.items() if value}


def _save(visit: Visit) -> Response:
    asked, name = _filters(request.form), clean(request.form.get("name", ""))
    is_shared = request.form.get("is_shared") == "on"
    try:
        with visit.write() as session:

            def make() -> str:
                me = visit.actor.account_id
                made = service.save_segment(session, me, name, asked, is_shared=is_shared, now=visit.now)
                visit.record(session, "segment:saved", "segment", made.id, name=made.name, shared=is_shared)
                return made.id

            made_once(visit, session, "segment", make)
    except (Invalid, Conflict) as error:
        browser[TOLD] = {"problem": said(error, visit.t), "name": name[: service.LONGEST_NAME]}
    else:
        browser[TOLD] = {"done": visit.t("segment_saved", name=plain(name))}
    return see_other(visit.url("contact_list", **asked))


def _change(visit: Visit, segment_id: str) -> Response:
    name, is_shared = clean(request.form.get("name", "")), request.form.get("is_shared") == "on"
    try:
        with visit.write() as session:
            account_id = visit.actor.account_id
            asked = service.asked_for(service.get_segment(session, account_id, segment_id))
            service.change_segment(
                session, account_id, segment_id, name=name, is_shared=is_shared, now=visit.now
            )
            visit.record(session, "segment:changed", "segment", segment_id, name=name, shared=is_shared)
    except (Invalid, Conflict) as error:
        browser[TOLD] = {"problem": said(error, visit.t)}
    else:
        browser[TOLD] = {"done": visit.t("segment_changed")}
    return see_other(visit.url("contact_list", **asked))


def _delete(visit: Visit, segment_id: str) -> Response:
    with visit.write() as session:
        gone = service.delete_segment(session, visit.actor.account_id, segment_id)
        visit.record(session, "segment:deleted", "segment", segment_id, name=gone.name)
    undo = {"name": gone.name, "filters": service.asked_for(gone), "is_shared": gone.is_shared}
    browser[TOLD] = {"done": visit.t("segment_deleted", name=plain(gone.name)), "undo": undo}
    return see_other(visit.url("contact_list"))
