"""Signing in as a member inside the sandbox's WeCom: stands for the OAuth page of open.weixin.qq.com (path/91022)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiohttp import web

from bot.sandbox import people
from bot.sandbox.control.routes import Args, Box, control
from bot.sandbox.errors import ControlError
from bot.sandbox.state import new_id

OAUTH_TTL_S = 300  # a code lives five minutes, for one use


def issue_oauth_code(box: Box, userid: str) -> str:
    """A single-use login code for a member."""
    code = new_id("", 43)
    box.state.insert(
        "ticket", code=code, kind="oauth", owner=userid, expires_at=box.state.now() + OAUTH_TTL_S
    )
    return code


@control("POST", "/oauth")
async def make_code(box: Box, args: Args) -> dict[str, Any]:
    """A login code for a member, for auth/getuserinfo."""
    staff = people.access_staff(box.state, args.need("staff"))
    return {"code": issue_oauth_code(box, staff["userid"]), "staff": staff["userid"]}


@control("GET", "/oauth2/authorize")
async def authorize(box: Box, args: Args) -> web.Response:
    """Send the browser back to redirect_uri with code and state, signed in as ``staff``."""
    target = args.query.get("redirect_uri", "")
    if not target.startswith(("http://", "https://")):
        raise ControlError(400, "bad_field", "redirect_uri 必须是 http(s) 地址")
    staff = people.access_staff(box.state, args.query.get("staff", ""))
    parts = urlsplit(target)
    query = [
        *parse_qsl(parts.query, keep_blank_values=True),
        ("code", issue_oauth_code(box, staff["userid"])),
    ]
    query.append(("state", args.query.get("state", "")))
    raise web.HTTPFound(urlunsplit(parts._replace(query=urlencode(query))))
