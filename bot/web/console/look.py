"""``/console/settings/language``: each account's language, colours and density; the bar's switches come here too."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Response, request

from bot.web.console import settings
from bot.web.console.door import ANYBODY, Console, Visit, safe_next, see_other
from scrm.accounts.look import CHOICES, set_look


def register(console: Console) -> None:
    """Put the page at ``/console/settings/language``."""

    @console.get("/settings/language", ANYBODY)
    def settings_language(visit: Visit) -> Response:
        return visit.page(
            "console/language.html",
            tabs=settings.tabs(visit),
            choices=CHOICES,
            is_done=request.args.get("done") == "1",
        )

    @console.post("/settings/language", ANYBODY)
    def look_save(visit: Visit) -> Response:
        changes = {name: request.form[name] for name in CHOICES if name in request.form}
        with visit.write() as session:
            set_look(session, visit.actor.account_id, changes, actor=visit.actor.audit_name, now=visit.now)
        home = "/console/settings/language?done=1"
        return see_other(_without_language(safe_next(request.form.get("next", ""), home)))


def _without_language(target: str) -> str:
    """The address without a language of its own, so that the choice shows."""
    parts = urlsplit(target)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "lang"]
    return f"{parts.path}?{urlencode(query)}" if query else parts.path
