"""``/console``: what came in, who followed up, what was lost."""

from __future__ import annotations

from flask import Response

from bot.web.console.door import ANYBODY, Console, Visit


def register(console: Console) -> None:
    """Put the page at ``/console``."""

    @console.get("", ANYBODY)
    def overview(visit: Visit) -> Response:
        return visit.page("console/overview.html")
