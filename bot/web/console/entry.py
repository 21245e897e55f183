"""In and out: name and password, a new password, the end of a session."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, request
from flask_wtf.csrf import generate_csrf

from bot.web.console.door import (
    ANYBODY,
    Console,
    Visit,
    address,
    check_forgery,
    drop_cookie,
    find_visit,
    safe_next,
    set_cookie,
)
from bot.web.console.guesses import Guesses
from bot.web.site import Screen, Site
from scrm.accounts import logins
from scrm.accounts.models import Account, LoginWay
from scrm.audit import service as audit
from scrm.errors import Invalid

NAME_LENGTH = 64


def register(blueprint: Blueprint, site: Site, console: Console) -> None:
    """Put the pages at ``/console/login``, ``/console/password`` and ``/console/logout``."""
    guesses = Guesses(site.redis_url)

    @blueprint.get("/console/login")
    def login() -> Response:
        if find_visit(site) is not None:
            return make_response(redirect(safe_next(request.args.get("next", "")), 303))
        return _ask(Screen(site))

    @blueprint.post("/console/login")
    def enter() -> Response:
        check_forgery(site)
        screen = Screen(site)
        username = request.form.get("username", "").strip()[:NAME_LENGTH]
        if guesses.is_over(username, address()):
            return _ask(screen, username, "login_too_often", 429)
        account = _find(site, username, request.form.get("password", ""))
        if account is None:
            guesses.count(username, address())
            _record(site, screen, "login:refused", username)
            return _ask(screen, username, "login_wrong", 403)
        return _open(site, screen, account)

    @console.get("/password", ANYBODY)
    def password(visit: Visit) -> Response:
        return visit.page("console/password.html", errors={})

    @console.post("/password", ANYBODY)
    def change_password(visit: Visit) -> Response:
        return _change(visit)

    @console.post("/logout", ANYBODY)
    def leave(visit: Visit) -> Response:
        with visit.site.database.write() as session:
            logins.end_login(session, visit.entered.login.id, now=visit.now)
            visit.record(session, "login:ended")
        answer = make_response(redirect(visit.url("login"), 303))
        drop_cookie(visit.site, answer)
        answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        return answer


def _ask(screen: Screen, username: str = "", problem: str = "", status: int = 200) -> Response:
    return screen.page(
        "console/login.html",
        status,
        username=username,
        problem=problem and screen.t(problem),
        csrf=generate_csrf(),
        next=safe_next(request.values.get("next", "")),
    )


def _find(site: Site, username: str, password: str) -> Account | None:
    with site.database.read() as session:
        return logins.find_by_password(session, username, password)


def _open(site: Site, screen: Screen, account: Account) -> Response:
    """A session that did not exist before: nobody can have planted its cookie."""
    old = find_visit(site)
    agent = request.headers.get("User-Agent", "")
    with site.database.write() as session:
        account = session.get_one(Account, account.id)
        if old is not None:
            logins.end_login(session, old.entered.login.id, now=screen.now)
        _, token = logins.open_login(
            session, account, LoginWay.PASSWORD, now=screen.now, address=address(), agent=agent
        )
        deed = audit.Deed(f"account:{account.id}", account.name, "login:opened", address=address())
        audit.append(session, deed, now=screen.now)
    answer = make_response(redirect(safe_next(request.form.get("next", "")), 303))
    set_cookie(site, answer, token)
    return answer


def _record(site: Site, screen: Screen, action: str, username: str) -> None:
    with site.database.write() as session:
        audit.append(session, audit.Deed("unknown", username, action, address=address()), now=screen.now)


def _change(visit: Visit) -> Response:
    old, new = request.form.get("old", ""), request.form.get("new", "")
    account = visit.entered.account
    errors: dict[str, str] = {}
    if account.username is None or _find(visit.site, account.username, old) is None:
        errors["old"] = visit.t("password_old_wrong")
    elif old == new:
        errors["new"] = visit.t("password_same")
    else:
        try:
            logins.check_password(new)
        except Invalid:
            errors["new"] = visit.t("password_form")
    if errors:
        return visit.page("console/password.html", 422, errors=errors)
    with visit.site.database.write() as session:
        mine = session.get_one(Account, account.id)
        logins.change_password(session, mine, new, keep=visit.entered.login.id, now=visit.now)
        visit.record(session, "password:changed", "account", account.id)
    return make_response(redirect(visit.url("overview"), 303))
