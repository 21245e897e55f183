"""``/console/settings/logo``: the corp's logo in the middle of printed codes."""

from __future__ import annotations

import base64

from flask import Response, request

from bot.web.console import settings
from bot.web.console.door import Console, Visit, see_other
from bot.web.console.logo_picture import LARGEST_SIDE, LONGEST_RATIO, MB, MOST_MB, SMALLEST_SIDE, read_logo
from bot.web.console.refusals import said
from scrm.channels import logo
from scrm.errors import Invalid

TOLD = {"saved": "logo_saved", "removed": "logo_removed"}


def register(console: Console) -> None:
    """Put the page at ``/console/settings/logo``."""

    @console.get("/settings/logo", "channels.read")
    def settings_logo(visit: Visit) -> Response:
        return _page(visit)

    @console.post("/settings/logo", "settings.write")
    def logo_save(visit: Visit) -> Response:
        upload = request.files.get("file")
        try:
            content = read_logo(upload.stream.read(MOST_MB * MB + 1) if upload is not None else b"")
        except Invalid as error:
            return _page(visit, said(error, visit.t))
        with visit.write() as session:
            logo.set_logo(session, content, actor=visit.actor.audit_name, now=visit.now)
            visit.record(session, "logo:changed", "setting", logo.KEY, size=len(content))
        return see_other(visit.url("settings_logo", told="saved"))

    @console.post("/settings/logo/remove", "settings.write")
    def logo_remove(visit: Visit) -> Response:
        with visit.write() as session:
            if logo.drop_logo(session, actor=visit.actor.audit_name, now=visit.now):
                visit.record(session, "logo:removed", "setting", logo.KEY)
        return see_other(visit.url("settings_logo", told="removed"))


def _page(visit: Visit, problem: str = "") -> Response:
    with visit.read() as session:
        kept = logo.find_logo(session)
    return visit.page(
        "console/logo.html",
        422 if problem else 200,
        tabs=settings.tabs(visit),
        logo=f"data:image/png;base64,{base64.b64encode(kept).decode()}" if kept else "",
        problem=problem,
        limits={"mb": MOST_MB, "largest": LARGEST_SIDE, "smallest": SMALLEST_SIDE, "ratio": LONGEST_RATIO},
        may_change=visit.may("settings.write"),
        told=visit.t.find(TOLD.get(request.args.get("told", ""), "")) if not problem else None,
    )
