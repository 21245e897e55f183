"""A page that cannot be shown says what happened, what to do, and a number to quote."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge

from bot.logs import bound
from bot.web.site import Screen, Site
from scrm import errors
from scrm.ids import new_token

log = structlog.get_logger(__name__)


class Closed(Exception):
    """The page is not for this visitor; ``reason`` is ``missing``, ``expired``, ``forged``, ``left`` or ``form``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def register(blueprint: Blueprint, site: Site) -> None:
    """Turn exceptions of the blueprint's views into pages."""

    @blueprint.errorhandler(Closed)
    def closed(error: Closed) -> Response:
        screen = Screen(site)
        log.info("page_refused", reason=error.reason)
        do = "refused_left_do" if error.reason == "left" else "refused_do"
        return _page(screen, 403, f"refused_{error.reason}", do)

    @blueprint.errorhandler(errors.NotFound)
    @blueprint.errorhandler(NotFound)
    def missing(_error: Exception) -> Response:
        return _page(Screen(site), 404, "missing", "missing_do")

    @blueprint.errorhandler(errors.Refused)
    def denied(error: errors.Refused) -> Response:
        log.info("page_denied", code=error.code)
        return _page(Screen(site), 403, "denied", "denied_do")

    @blueprint.errorhandler(RequestEntityTooLarge)
    def large(_error: Exception) -> Response:
        return _page(Screen(site), 413, "large", "large_do")

    @blueprint.errorhandler(Exception)
    def broken(error: Exception) -> Response | HTTPException:
        if isinstance(error, HTTPException):
            return error
        number = new_token(6)
        with bound(request_id=number):
            log.error("page_broken", exc_info=error)
        return _page(Screen(site), 500, "broken", "broken_do", number=number)


def _page(screen: Screen, status: int, said: str, do: str, number: str | None = None) -> Response:
    t = screen.t
    return screen.page(
        "notice.html", status, title=t(f"{said}_title"), what=t(f"{said}_what"), do=t(do), number=number
    )
