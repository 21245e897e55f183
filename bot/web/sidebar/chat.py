"""``/sidebar``: beside an open chat, asks WeCom whose it is and goes to the customer's profile or the group's page.

The customer's id comes from the browser and proves nothing: whom the rep may see is decided by their login alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, Response, jsonify, redirect, request

from bot.web.console.door import Visit, check_forgery
from bot.web.sidebar.access import find_rep, is_client, to_sidebar_login
from bot.web.sidebar.groups import find_open_group
from bot.web.site import Screen, Site
from bot.wechat.errors import WeChatError
from bot.wechat.jssdk import signature
from scrm.accounts.models import Staff
from scrm.contacts.service import find_by_external_userid
from scrm.ids import new_token

log = structlog.get_logger(__name__)

LONGEST_URL = 2048
LONGEST_ID = 64
NONCE_BYTES = 12


@dataclass(frozen=True)
class Action:
    """What one may do on a page that says something."""

    url: str
    text: str


def register(blueprint: Blueprint, site: Site) -> None:
    """Put ``/sidebar``, ``/sidebar/open`` and ``/sidebar/signature`` on the blueprint."""

    @blueprint.get("/sidebar")
    def sidebar() -> Response:
        rep = find_rep(site)
        if rep is not None:
            return _ask_client(rep)
        return to_sidebar_login() if is_client() else explain(Screen(site))

    @blueprint.get("/sidebar/open")
    def open_customer() -> Response:
        rep = find_rep(site)
        if rep is None:
            return to_sidebar_login() if is_client() else explain(Screen(site))
        if "chat_id" in request.args:
            return _open_group(rep, request.args["chat_id"])
        return _open(rep, request.args.get("external_userid", ""))

    @blueprint.post("/sidebar/signature")
    def sign_page() -> Response:
        rep = find_rep(site)
        if rep is None:
            return _refuse("not_logged_in", 403)
        check_forgery(site)
        return _sign(rep, request.form.get("url", ""))


def explain(screen: Screen) -> Response:
    """Where the sidebar is, for somebody who is not in WeCom."""
    t = screen.t
    return screen.page(
        "notice.html",
        title=t("sidebar_title"),
        what=t("sidebar_what"),
        do=t("refused_do"),
        number=None,
        action=Action(screen.url("sidebar_login"), t("sidebar_enter")),
    )


def _ask_client(rep: Visit) -> Response:
    """The page whose script asks the JS-SDK; in the sandbox its stand-in answers."""
    with rep.site.database.read() as session:
        userid = session.get_one(Staff, rep.actor.staff_id).userid
    return rep.page(
        "sidebar/chat.html", platform=rep.site.platform, sandbox_url=rep.site.sandbox_url, userid=userid
    )


def _open(rep: Visit, external_userid: str) -> Response:
    """Go to the profile of a customer within reach; anybody else is one and the same page."""
    rep.actor.require("contacts.read")
    found = None
    if 0 < len(external_userid) <= LONGEST_ID:
        with rep.read() as session:
            found = find_by_external_userid(session, external_userid)
    if found is not None:
        return redirect(rep.url("contact", contact_id=found.id), 303)  # type: ignore[return-value]
    return _stranger(rep, "chat")


def _open_group(rep: Visit, chat_id: str) -> Response:
    """Go to the page of a group within reach; any other is one and the same page."""
    target = find_open_group(rep, chat_id)
    return redirect(target, 303) if target else _stranger(rep, "group")  # type: ignore[return-value]


def _stranger(rep: Visit, kind: str) -> Response:
    t = rep.t
    return rep.page(
        "notice.html",
        404,
        title=t(f"{kind}_stranger_title"),
        what=t(f"{kind}_stranger_what"),
        do=t(f"{kind}_stranger_do"),
        number=None,
        action=Action(rep.url("sidebar"), t("chat_again")),
    )


def _sign(rep: Visit, url: str) -> Response:
    """A signature for a page of our sidebar and for nothing else; the ticket stays here."""
    if not is_ours(rep.site, url):
        log.warning("signature_refused", account=rep.actor.account_id)
        return _refuse("url_not_ours", 403)
    try:
        ticket = rep.site.platform.client.app_ticket()
    except WeChatError as error:
        log.warning("ticket_failed", errcode=error.errcode, error=type(error).__name__)
        return _refuse("wecom_away", 502)
    nonce, timestamp = new_token(NONCE_BYTES), int(rep.now.timestamp())
    signed = signature(ticket, nonce, timestamp, url)
    return jsonify({"timestamp": timestamp, "nonceStr": nonce, "signature": signed})


def is_ours(site: Site, url: str) -> bool:
    """Whether this is a page of the sidebar, at the configured address, to the letter."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or set(url) & set(' #\\"<>'):
        return False
    try:
        parts, own = urlsplit(url), urlsplit(site.base_url)
    except ValueError:
        return False
    in_sidebar = parts.path == "/sidebar" or parts.path.startswith("/sidebar/")
    return (parts.scheme, parts.netloc) == (own.scheme, own.netloc) and in_sidebar


def _refuse(code: str, status: int) -> Response:
    answer = jsonify({"error": {"code": code}})
    answer.status_code = status
    return answer
