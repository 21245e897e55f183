"""The platform's side of the JS-SDK: judges a page's signature, and lets the product's pages (only those) ask.

``bot/web/static/sandbox_sdk.js`` stands for the script of WeCom and speaks to these routes from the product's origin.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from bot.sandbox import welcome
from bot.sandbox.chat_message import Unsendable, fetch_picture, keep_picture, read_message
from bot.sandbox.control.routes import Args, Box, control
from bot.sandbox.control.scan import access_pair

FROM_PAGES = ("/sandbox/agent_config", "/sandbox/send_chat_message")
BAD_SIGNATURE, BAD_DOMAIN, BAD_CORP, BAD_AGENT = 40093, 80001, 40013, 40056
BAD_PARAMETER = 40058


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


@control("POST", "/send_chat_message")
async def send_chat_message(box: Box, args: Args) -> dict[str, Any]:
    """What the client does with sendChatMessage (path/98539): the customer reads it, or the page is told why not."""
    message = args.body.get("message")
    try:
        text, attachments = read_message(box, message if isinstance(message, dict) else {})
    except Unsendable as error:
        return {"errcode": BAD_PARAMETER, "errmsg": str(error)}
    pictures = [await fetch_picture(box, one) for one in attachments]
    with box.state.transaction():
        userid, customer = access_pair(box, args)
        welcome.spend_codes(box.state, userid, customer)
        for one, picture in zip(attachments, pictures, strict=True):
            keep_picture(box, one, picture)
        kind = attachments[0]["msgtype"] if attachments else "text"
        welcome.put_message(box.state, userid, customer, kind, text, attachments)
    return {"errcode": 0, "errmsg": "ok"}


def mount(app: web.Application, box: Box) -> None:
    """Let scripts of the product's pages read the answers of these routes."""

    async def allow(request: web.Request, response: web.StreamResponse) -> None:
        if request.path in FROM_PAGES and request.headers.get("Origin") == _origin(box.callbacks.url):
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Vary"] = "Origin"

    app.on_response_prepare.append(allow)
