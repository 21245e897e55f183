"""Sign-in with WeCom: from inside its client to the sidebar, by a scanned code to the console, one way back.

    /sidebar/login, /console/login/wecom → WeCom (or the sandbox that plays it) → /login/wecom?code=…&state=…

The code is exchanged for a userid between two transactions, never in one. Source: path/91022, 91023, 98152.
"""

from __future__ import annotations

from typing import NoReturn
from urllib.parse import urlencode

import structlog
from flask import Blueprint, Response, make_response, redirect, request
from sqlalchemy.orm import Session

from bot.web import oauth_states
from bot.web.console import door
from bot.web.failures import LoginFailed
from bot.web.oauth_states import Begun, Door, OAuthStates
from bot.web.sidebar.access import is_client
from bot.web.site import Site
from bot.wechat.errors import PlatformError, WeChatError
from scrm.accounts import logins
from scrm.accounts.models import LoginWay, Staff
from scrm.accounts.queries import staff_by_userid
from scrm.audit import service as audit
from scrm.errors import NotFound

log = structlog.get_logger(__name__)

AUTHORIZE = "https://open.weixin.qq.com/connect/oauth2/authorize"
SCAN = "https://login.work.weixin.qq.com/wwlogin/sso/login"
BACK = "/login/wecom"
LONGEST_CODE = 512  # path/91022
HOMES = {Door.CONSOLE: "/console", Door.SIDEBAR: "/sidebar"}


def register(blueprint: Blueprint, site: Site, secret: str) -> None:
    """Put the pages of sign-in with WeCom on the blueprint."""
    states = OAuthStates(site, secret)

    @blueprint.get("/sidebar/login")
    def sidebar_login() -> Response:
        return _begin(site, states, Door.SIDEBAR, is_client=True)

    @blueprint.get("/console/login/wecom")
    def wecom_login() -> Response:
        return _begin(site, states, Door.CONSOLE, is_client=is_client())

    @blueprint.get(BACK)
    def wecom_back() -> Response:
        begun = states.find(request.args.get("state", ""))
        if begun is None:
            raise LoginFailed("state")
        return _come_back(site, states, begun)


def _begin(site: Site, states: OAuthStates, entrance: Door, *, is_client: bool) -> Response:
    """Send the browser to WeCom; it comes back to ``next``."""
    state = oauth_states.new_state()
    target = door.safe_next(request.args.get("next", ""), HOMES[entrance])
    answer = make_response(redirect(_address(site, state, is_client=is_client), 303))
    states.begin(answer, entrance, target, is_client=is_client, state=state)
    return answer


def _address(site: Site, state: str, *, is_client: bool) -> str:
    """WeCom's page; the order of parameters inside the client is WeCom's rule."""
    corp, agent, back = site.platform.corp_id, site.platform.agent_id, f"{site.base_url}{BACK}"
    if not is_client:
        query = {
            "login_type": "CorpApp",
            "appid": corp,
            "agentid": agent,
            "redirect_uri": back,
            "state": state,
        }
        page = f"{site.sandbox_url}/wwlogin/sso/login" if site.sandbox_url else SCAN
        return f"{page}?{urlencode(query)}"
    query = {
        "appid": corp,
        "redirect_uri": back,
        "response_type": "code",
        "scope": "snsapi_base",
        "state": state,
        "agentid": agent,
    }
    page = f"{site.sandbox_url}/connect/oauth2/authorize" if site.sandbox_url else AUTHORIZE
    return f"{page}?{urlencode(query)}#wechat_redirect"


def _come_back(site: Site, states: OAuthStates, begun: Begun) -> Response:
    """Let in whoever WeCom says it is, once per state."""
    with site.database.write() as session:
        is_first = oauth_states.use(session, begun.state, now=site.clock())
    if not is_first:
        raise LoginFailed("state")
    userid = _ask_who(site, request.args.get("code", ""))
    token = _open(site, begun, userid)
    answer = make_response(redirect(begun.next, 303))
    door.set_cookie(site, answer, token, begun.door)
    states.forget(answer, begun)
    return answer


def _ask_who(site: Site, code: str) -> str:
    """The userid behind a code. Raises LoginFailed in words when WeCom does not say one."""
    if not code or len(code) > LONGEST_CODE:
        raise LoginFailed("code")
    try:
        userid = site.platform.client.member_of_code(code)
    except WeChatError as error:
        log.warning("login_refused_by_wecom", errcode=error.errcode, error=type(error).__name__)
        raise LoginFailed("code" if isinstance(error, PlatformError) else "away", error) from error
    if userid is None:
        raise LoginFailed("outsider")
    return userid


def _open(site: Site, begun: Begun, userid: str) -> str:
    """A new session for the member, in the place of the one this browser had at this door."""
    now = site.clock()
    old = door.find_visit(site, begun.door)
    way = LoginWay.CLIENT if begun.is_client else LoginWay.SCAN
    agent = request.headers.get("User-Agent", "")
    try:
        with site.database.write() as session:
            account = logins.account_of_staff(session, _staff(session, userid), now=now)
            if old is not None:
                logins.end_login(session, old.entered.login.id, now=now)
            _, token = logins.open_login(session, account, way, now=now, address=door.address(), agent=agent)
            deed = audit.Deed(f"account:{account.id}", account.name, "login:opened", address=door.address())
            audit.append(session, deed, now=now)
    except NotFound as error:
        _refuse(site, userid, error)
    return token


def _staff(session: Session, userid: str) -> Staff:
    """The member. Raises NotFound for one who was not synchronised yet."""
    staff = staff_by_userid(session, [userid]).get(userid)
    if staff is None:
        raise NotFound("staff_not_found", "还没有同步到这位员工")
    return staff


def _refuse(site: Site, userid: str, error: NotFound) -> NoReturn:
    """Write down who was not let in, and say why."""
    with site.database.write() as session:
        deed = audit.Deed("unknown", userid[:64], "login:refused", address=door.address())
        audit.append(session, deed, now=site.clock())
    raise LoginFailed(error.code) from error
