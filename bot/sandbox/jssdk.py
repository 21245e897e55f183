"""The platform's side of the JS-SDK: judges a page's signature, and lets the product's pages (only those) ask.

``bot/web/static/sandbox_sdk.js`` stands for the script of WeCom and speaks to these routes from the product's origin.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from bot.sandbox.control.routes import Args, Box, control

FROM_PAGES = ("/sandbox/agent_config", "/sandbox/chat")
BAD_SIGNATURE, BAD_DOMAIN, BAD_CORP, BAD_AGENT = 40093, 80001, 40013, 40056


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def judge(box: Box, args: Args) -> int:
    """The errcode of wx.agentConfig with these fields; 0 is success."""
    if args.text("corpid") != box.settings.corp_id:
        return BAD_CORP
    if args.text("agentid") != str(box.settings.agent_id):
        return BAD_AGENT
    url = args.need("url")
    if _origin(url) != _origin(box.callbacks.url):
        return BAD_DOMAIN
    now = box.state.now()
    ticket = box.state.value(
        "SELECT code FROM ticket WHERE kind = 'app_ticket' AND expires_at > ? ORDER BY expires_at DESC", now
    )
    signed = (
        f"jsapi_ticket={ticket}&noncestr={args.text('nonceStr')}"
        f"&timestamp={args.number('timestamp')}&url={url}"
    )
    right = hashlib.sha1(signed.encode(), usedforsecurity=False).hexdigest()
    is_right = ticket is not None and hmac.compare_digest(right.encode(), args.text("signature").encode())
    return 0 if is_right else BAD_SIGNATURE


@control("POST", "/agent_config")
async def agent_config(box: Box, args: Args) -> dict[str, Any]:
    """Whether a page may call the JS-SDK: ``url`` with what it would give to wx.agentConfig."""
    return {"errcode": judge(box, args)}


def mount(app: web.Application, box: Box) -> None:
    """Let scripts of the product's pages read the answers of these routes."""

    async def allow(request: web.Request, response: web.StreamResponse) -> None:
        if request.path in FROM_PAGES and request.headers.get("Origin") == _origin(box.callbacks.url):
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Vary"] = "Origin"

    app.on_response_prepare.append(allow)
