"""``/console/settings/people``: who may enter, as what, and how far each sees; their passwords and sessions."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, request
from sqlalchemy.orm import Session

from bot.web.bidi import plain
from bot.web.console import settings
from bot.web.console.door import Console, Visit, see_other
from bot.web.console.once import made_once
from bot.web.console.refusals import said
from bot.web.console.staff_page import session_of
from bot.web.contact.forms import clean
from bot.web.times import Moment
from scrm.accounts import logins, people
from scrm.accounts.models import Account, Login, Staff, StaffStatus
from scrm.accounts.roles import ACCOUNTS_WRITE, PERMISSIONS, REACH_NAMES, ROLE_NAMES, Reach, Role
from scrm.accounts.service import get_staff
from scrm.errors import Conflict, Invalid, NotFound, Refused

PAGE = 50
LONGEST = 64


@dataclass(frozen=True)
class Line:
    """An account as the list shows it."""

    id: str
    name: str
    way: str
    role: str
    reach: str
    state: str
    last: Moment | None


@dataclass(frozen=True)
class Secret:
    """A password that is shown this once."""

    username: str
    password: str


def register(console: Console) -> None:
    """Put the pages at ``/console/settings/people``."""
    _declare_list(console)
    _declare_account(console)


def _declare_list(console: Console) -> None:
    @console.get("/settings/people", ACCOUNTS_WRITE)
    def settings_people(visit: Visit) -> Response:
        return _list(visit)

    @console.post("/settings/people", ACCOUNTS_WRITE)
    def account_make(visit: Visit) -> Response:
        return _make(visit)

    @console.post("/settings/people/member", ACCOUNTS_WRITE)
    def account_of_member(visit: Visit) -> Response:
        def make() -> str:
            staff = get_staff(session, request.form.get("staff", ""))
            account = logins.account_of_staff(session, staff, now=visit.now)
            told = {"userid": staff.userid, "role": account.role}
            visit.record(session, "account:created", "account", account.id, **told)
            return account.id

        with visit.write() as session:
            account_id = made_once(visit, session, "member", make)
        return see_other(visit.url("account_page", account_id=account_id))


def _declare_account(console: Console) -> None:
    @console.get("/settings/people/<account_id>", ACCOUNTS_WRITE)
    def account_page(visit: Visit, account_id: str) -> Response:
        return _page(visit, account_id)

    @console.post("/settings/people/<account_id>/role", ACCOUNTS_WRITE)
    def account_role(visit: Visit, account_id: str) -> Response:
        role, reach = request.form.get("role", ""), request.form.get("reach", "")
        if role not in [*Role] or reach not in [*Reach]:
            return _page(visit, account_id, problem=visit.t("people_wrong_role"))
        return _do(visit, account_id, "account:role_set", role=Role(role), reach=Reach(reach))

    @console.post("/settings/people/<account_id>/disable", ACCOUNTS_WRITE)
    def account_disable(visit: Visit, account_id: str) -> Response:
        return _do(visit, account_id, "account:disabled")

    @console.post("/settings/people/<account_id>/enable", ACCOUNTS_WRITE)
    def account_enable(visit: Visit, account_id: str) -> Response:
        return _do(visit, account_id, "account:enabled")

    @console.post("/settings/people/<account_id>/reset", ACCOUNTS_WRITE)
    def account_reset(visit: Visit, account_id: str) -> Response:
        try:
            with visit.write() as session:
                by = _me(visit, session)
                account, password = people.reset_password(session, account_id, by=by, now=visit.now)
                visit.record(session, "password:reset", "account", account_id, name=account.name)
        except (Conflict, Refused) as error:
            return _page(visit, account_id, problem=said(error, visit.t))
        return _page(visit, account_id, secret=Secret(account.username or "", password))

    @console.post("/settings/people/<account_id>/logout", ACCOUNTS_WRITE)
    def account_logout(visit: Visit, account_id: str) -> Response:
        return _end(visit, account_id, request.form.get("login", ""))


def _make(visit: Visit) -> Response:
    """A local account, once; its password is shown to whom it was made for, and to nobody again."""
    username, role = clean(request.form.get("username", "")).strip(), request.form.get("role", "")
    if role not in [*Role]:
        return _list(visit, username=username, problem=visit.t("people_wrong_role"))
    password = ""

    def make() -> str:
        nonlocal password
        by = _me(visit, session)
        account, password = people.create_account(session, username, Role(role), by=by, now=visit.now)
        visit.record(session, "account:created", "account", account.id, username=username, role=role)
        return account.id

    try:
        with visit.write() as session:
            account_id = made_once(visit, session, "account", make)
    except (Invalid, Conflict, Refused) as error:
        return _list(visit, username=username, problem=said(error, visit.t))
    visit.renew_form()
    if not password:
        return _list(visit, made_before=(account_id, username))
    return _list(visit, secret=Secret(username, password))


def _me(visit: Visit, session: Session) -> Account:
    return people.get_account(session, visit.actor.account_id)


def _do(
    visit: Visit, account_id: str, deed: str, *, role: Role | None = None, reach: Reach | None = None
) -> Response:
    """Change an account and write it down; what is refused is told on its page."""
    try:
        with visit.write() as session:
            by = _me(visit, session)
            if role is not None and reach is not None:
                account = people.set_role(session, account_id, role, reach, by=by)
            elif deed == "account:disabled":
                account = people.disable(session, account_id, by=by, now=visit.now)
            else:
                account = people.enable(session, account_id, by=by)
            detail = {"name": account.name, "role": account.role.value, "reach": account.reach.value}
            visit.record(session, deed, "account", account_id, **detail)
    except (Conflict, Refused) as error:
        return _page(visit, account_id, problem=said(error, visit.t))
    return see_other(visit.url("account_page", account_id=account_id, done=deed.partition(":")[2]))


def _end(visit: Visit, account_id: str, login_id: str) -> Response:
    """End one session of the account, or all where none is named; one's own goes on."""
    with visit.write() as session:
        account = people.get_account(session, account_id)
        people.check_reach(_me(visit, session), account.reach)
        if login_id:
            login = session.get(Login, login_id)
            if login is None or login.account_id != account_id:
                raise NotFound("login_not_found", "没有这个登录，可能已经结束")
            logins.end_login(session, login_id, now=visit.now)
            count = 1
        else:
            count = logins.end_all(session, account_id, now=visit.now, keep=visit.entered.login.id)
        visit.record(session, "logins:ended", "account", account_id, name=account.name, sessions=count)
    return see_other(visit.url("account_page", account_id=account_id, done="logout"))


def _list(
    visit: Visit,
    *,
    username: str = "",
    problem: str = "",
    secret: Secret | None = None,
    made_before: tuple[str, str] | None = None,
) -> Response:
    """The accounts; ``made_before``: id and name of one that the same form had made before."""
    q = clean(request.args.get("q", "")).strip()[:LONGEST]
    with visit.read() as session:
        found = people.list_accounts(session, words=q, after=request.args.get("after", ""), limit=PAGE + 1)
        without = people.list_without_account(session)
    page = found[:PAGE]
    return visit.page(
        "console/people.html",
        422 if problem else 200,
        tabs=settings.tabs(visit),
        lines=[_line(visit, account, staff) for account, staff in page],
        after=page[-1][0].id if len(found) > PAGE else None,
        q=q,
        without=[(one.id, plain(one.name), one.userid) for one in without],
        roles=[(one.value, visit.t.of(ROLE_NAMES, one)) for one in Role],
        username=username,
        problem=problem,
        secret=secret,
        made_before=made_before,
    )


def _line(visit: Visit, account: Account, staff: Staff | None) -> Line:
    return Line(
        account.id,
        plain(staff.name if staff else account.name),
        account.username or visit.t("people_by_wecom"),
        visit.t.of(ROLE_NAMES, account.role),
        visit.t.of(REACH_NAMES, account.reach),
        _state(account, staff),
        visit.calendar.moment(account.last_login_at) if account.last_login_at else None,
    )


def _state(account: Account, staff: Staff | None) -> str:
    if account.disabled_at is not None:
        return "disabled"
    if staff is not None and staff.status is not StaffStatus.ACTIVE:
        return "left"
    return "must_change" if account.must_change else "active"


def _page(visit: Visit, account_id: str, *, problem: str = "", secret: Secret | None = None) -> Response:
    with visit.read() as session:
        account = people.get_account(session, account_id)
        staff = get_staff(session, account.staff_id) if account.staff_id else None
        live = logins.list_live(session, [account_id], now=visit.now)
    t = visit.t
    return visit.page(
        "console/account.html",
        422 if problem else 200,
        tabs=settings.tabs(visit),
        account=account,
        line=_line(visit, account, staff),
        staff=staff,
        is_me=account_id == visit.actor.account_id,
        roles=[(one.value, t.of(ROLE_NAMES, one), _may(visit, one)) for one in Role],
        reaches=[(one.value, t.of(REACH_NAMES, one)) for one in Reach],
        sessions=[session_of(visit, row) for row in live],
        mine=visit.entered.login.id,
        done=t.find(f"people_done_{request.args.get('done', '')}"),
        problem=problem,
        secret=secret,
    )


def _may(visit: Visit, role: Role) -> str:
    """What a role may do, in words."""
    words = (visit.t.find(f"may_{permission}") for permission in sorted(PERMISSIONS[role]))
    return visit.t("join_words").join(word for word in words if word)
