"""A page that cannot be shown says what happened, what to do, and a number to quote."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge

from bot.logs import bound
from bot.web.site import Screen, Site
from bot.wechat.errors import WeChatError
from scrm import errors
from scrm.ids import new_token

log = structlog.get_logger(__name__)

LOGIN_FAILURES = {  # why a sign-in with WeCom failed → the answer's status and its words
    "state": (400, "login_state"),
    "code": (400, "login_code"),
    "away": (502, "login_away"),
    "outsider": (403, "login_outsider"),
    "staff_not_found": (403, "login_unknown"),
    "staff_left": (403, "login_left"),
    "account_disabled": (403, "login_disabled"),
}


class Closed(Exception):
    """The page is not for this visitor; ``reason`` is ``missing``, ``expired``, ``forged``, ``left`` or ``form``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LoginFailed(Exception):
    """WeCom's sign-in did not end well: ``reason`` picks the words, ``told`` is what WeCom said."""

    def __init__(self, reason: str, told: WeChatError | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.told = told


def register(blueprint: Blueprint, site: Site) -> None:
    """Turn exceptions of the blueprint's views into pages."""

    @blueprint.errorhandler(Closed)
    def closed(error: Closed) -> Response:
        screen = Screen(site)
        log.info("page_refused", reason=error.reason)
        do = "refused_left_do" if error.reason == "left" else "refused_do"
        return _page(screen, 403, f"refused_{error.reason}", do)

    @blueprint.errorhandler(LoginFailed)
    def login_failed(error: LoginFailed) -> Response:
        screen = Screen(site)
        log.info("login_failed", reason=error.reason)
        status, said = LOGIN_FAILURES[error.reason]
        number = str(error.told.errcode) if error.told and error.told.errcode else None
        return _page(screen, status, said, f"{said}_do", number=number)

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
