"""Signing in with WeCom: the pages of open.weixin.qq.com and login.work.weixin.qq.com (path/91022, path/98152).

- ``/connect/oauth2/authorize`` is opened inside the client, where WeCom knows who is there: the member whose sidebar
  the sandbox page opened, or ``userid`` in the address. Without either it asks.
- ``/wwlogin/sso/login`` stands for the QR code in a browser: it asks who scans.

Both send the browser to ``redirect_uri?code=…&state=…``. What the platform would refuse is a page that says why.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.sandbox import groups, people
from bot.sandbox.control.routes import Args, Box, control
from bot.sandbox.errors import ERRMSG, ApiError, ControlError
from bot.sandbox.state import new_id

OAUTH_TTL_S = 300  # a code lives five minutes, for one use (path/91023)
CODE_LENGTH = 43
REP_COOKIE = "sandbox_rep"  # whose client this browser plays
SCOPES = ("snsapi_base", "snsapi_privateinfo")
STATE = re.compile(r"[A-Za-z0-9]{1,128}")
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def issue_code(box: Box, owner: str) -> str:
    """A single-use login code for a member, or for an outsider by external_userid."""
    code = new_id("", CODE_LENGTH)
    until = box.state.now() + OAUTH_TTL_S
    box.state.insert("ticket", code=code, kind="oauth", owner=owner, expires_at=until)
    return code


@control("POST", "/oauth")
async def make_code(box: Box, args: Args) -> dict[str, str]:
    """A login code for ``staff``, or for an outsider (``customer``), for auth/getuserinfo."""
    customer = args.text("customer")
    if customer:
        return {"code": issue_code(box, people.access_customer(box.state, customer)["id"]), "staff": ""}
    staff = people.access_staff(box.state, args.need("staff"))
    return {"code": issue_code(box, staff["userid"]), "staff": staff["userid"]}


@control("GET", "/sidebar")
async def open_sidebar(box: Box, args: Args) -> web.Response:
    """Open the product's sidebar as the client does beside a chat of ``staff``: with ``customer``, ``group``, none."""
    staff = people.access_staff(box.state, args.query.get("staff", ""))
    wanted = "/sidebar"
    if args.query.get("customer"):
        customer = people.access_customer(box.state, args.query["customer"])
        wanted += "?" + urlencode({"chat": customer["id"]})
    elif args.query.get("group"):
        if groups.find_group(box.state, args.query["group"]) is None:
            raise ControlError(404, "group_unknown", f"没有这个客户群：{args.query['group']}")
        wanted += "?" + urlencode({"chat": args.query["group"]})
    answer = web.Response(status=302)
    answer.headers["Location"] = f"{box.product.url}/sidebar/login?{urlencode({'next': wanted})}"
    answer.set_cookie(REP_COOKIE, staff["userid"], path="/connect/", httponly=True, samesite="Lax")
    return answer


def mount(app: web.Application, box: Box) -> None:
    """Add both pages to the application."""

    async def authorize(request: web.Request) -> web.Response:
        return _serve(box, request, is_client=True)

    async def scan(request: web.Request) -> web.Response:
        return _serve(box, request, is_client=False)

    app.router.add_get("/connect/oauth2/authorize", authorize)
    app.router.add_get("/wwlogin/sso/login", scan)


def _serve(box: Box, request: web.Request, *, is_client: bool) -> web.Response:
    try:
        (_check_client if is_client else _check_scan)(box, request)
        _check_target(box, request)
        userid = request.query.get("userid") or (request.cookies.get(REP_COOKIE, "") if is_client else "")
        if not userid or people.find_staff(box.state, userid) is None:
            return _ask(box, request, is_client=is_client)
        staff = people.access_staff(box.state, userid)
    except (ApiError, ControlError) as error:
        return _refuse(error)
    target = _with_code(request, issue_code(box, staff["userid"]))
    return web.Response(status=302, headers={**SECURITY, "Location": target})


def _check_client(box: Box, request: web.Request) -> None:
    query = request.query
    if query.get("appid") != box.settings.corp_id:
        raise ApiError(40013)
    if query.get("response_type") != "code" or query.get("scope") not in SCOPES:
        raise ApiError(40035, "response_type, scope")
    needs_agent = query["scope"] == "snsapi_privateinfo"
    if query.get("agentid", "" if needs_agent else str(box.settings.agent_id)) != str(box.settings.agent_id):
        raise ApiError(40056)


def _check_scan(box: Box, request: web.Request) -> None:
    query = request.query
    if query.get("appid") != box.settings.corp_id:
        raise ApiError(40013)
    if query.get("login_type") != "CorpApp":
        raise ApiError(40035, "login_type")
    if query.get("agentid") != str(box.settings.agent_id):
        raise ApiError(40056)


def _check_target(box: Box, request: web.Request) -> None:
    """Raises 50001 where redirect_uri is not on the trusted domain, port included: the one callbacks go to."""
    target = urlsplit(request.query.get("redirect_uri", ""))
    if target.scheme not in ("http", "https") or target.netloc != urlsplit(box.callbacks.url).netloc:
        raise ApiError(50001)
    state = request.query.get("state", "")
    if state and not STATE.fullmatch(state):
        raise ApiError(40035, "state")


def _with_code(request: web.Request, code: str) -> str:
    parts = urlsplit(request.query["redirect_uri"])
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("code", code)]
    if request.query.get("state"):
        query.append(("state", request.query["state"]))
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))


def _ask(box: Box, request: web.Request, *, is_client: bool) -> web.Response:
    """Who is it? Each member is a link to this very page with their userid."""
    rows = box.state.all("SELECT * FROM staff WHERE status != ? ORDER BY rowid", people.LEFT)
    members = [
        {
            "name": row["name"],
            "position": row["position"],
            "url": "?" + urlencode({**request.query, "userid": row["userid"]}),
        }
        for row in rows
    ]
    html = _templates.get_template("sign_in.html").render(
        members=members, is_client=is_client, host=urlsplit(request.query["redirect_uri"]).netloc
    )
    return web.Response(text=html, content_type="text/html", headers=SECURITY)


def _refuse(error: ApiError | ControlError) -> web.Response:
    """A page with the platform's code."""
    if isinstance(error, ApiError):
        code, text = str(error.errcode), f"{ERRMSG[error.errcode]} {error.detail}".strip()
    else:
        code, text = error.code, error.message
    html = _templates.get_template("sign_in_refused.html").render(code=code, text=text)
    return web.Response(status=400, text=html, content_type="text/html", headers=SECURITY)
