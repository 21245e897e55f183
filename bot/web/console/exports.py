"""What the pages of lists do to export them: a short one at once, a long one as a job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, request

from bot.listings import Listing, Reading
from bot.web.console import sheet
from bot.web.console.door import Visit, see_other
from bot.web.console.filters import Asked
from bot.web.console.once import made_once
from bot.workers import exporting
from bot.workers.background import ask_for

FORMATS = ("xlsx", "csv")


def reading_of(visit: Visit) -> Reading:
    """Lists as this visitor may read them."""
    return Reading(visit.t, visit.site.tz, visit.may("pii.read"))


def at_once(visit: Visit, listing: Listing, which: Any) -> Response:
    """The first ``sheet.MOST`` rows as CSV, read while they are sent."""
    name = f"{listing.name}-{visit.calendar.today}.csv"
    return sheet.answer(name, listing.header(visit.t), _rows(visit, listing, which))


def _rows(visit: Visit, listing: Listing, which: Any) -> Iterator[list[str]]:
    """Read in chunks: each is a transaction of its own."""
    before, left, reading = None, sheet.MOST, reading_of(visit)
    while left > 0:
        with visit.read() as session:
            lines, before = listing.page(session, which, before, min(sheet.CHUNK, left), reading)
        yield from lines
        if before is None:
            return
        left -= len(lines)


def as_job(visit: Visit, listing: Listing, asked: Asked, which: Any) -> Response:
    """All rows, in the background; the visitor is shown the job."""
    form = request.form.get("format", "")
    chosen = form if form in FORMATS else FORMATS[0]
    params = {
        "which": listing.pack(which),
        "lang": visit.t.language,
        "format": chosen,
        "filename": f"{listing.name}-{visit.calendar.today}.{chosen}",
        "about": asked.told(),
    }
    with visit.write() as session:

        def ask() -> str:
            job_id = str(ask_for(session, exporting.kind_of(listing), visit.actor, params, now=visit.now).id)
            deed = f"{listing.name}:export_started"
            visit.record(session, deed, "job", job_id, format=chosen, filters=asked.told())
            return job_id

        job_id = made_once(visit, session, f"export:{listing.name}", ask)
    visit.site.wake()
    return see_other(visit.url("job_page", job_id=job_id))
