"""Who is here and whom they may see: the grant in the cookie, the member behind it, the contact they share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Response, redirect, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.web.console.door import Visit, address, find_visit
from bot.web.failures import Closed
from bot.web.links import Expired, Forged, Grant, Purpose
from bot.web.site import Screen, Site
from scrm.access.scope import Actor, limit_to
from scrm.accounts.models import Staff, StaffStatus
from scrm.audit import service as audit
from scrm.contacts.models import IdentityKind, Relation, RelationState
from scrm.contacts.queries import ContactCard, load_cards
from scrm.contacts.service import get_contact
from scrm.errors import NotFound, Refused

COOKIE = "lianke_profile"


@dataclass(frozen=True)
class Pass:
    """What lets a rep see a contact: a grant, and for one who logged in the actor, whose reach decides."""

    grant: Grant
    actor: Actor | None = None


@dataclass(frozen=True)
class Visitor:
    """A rep before a contact of theirs. ``login`` is the account; who came by a link has none."""

    grant: Grant
    staff: Staff
    card: ContactCard
    may_write: bool = True
    login: Actor | None = None

    @property
    def actor(self) -> str:
        """The rep as timelines name people."""
        return f"staff:{self.staff.userid}"

    @property
    def mine(self) -> Relation | None:
        """The rep's own connection with the contact, while it stands."""
        pairs = (relation for relation, person in self.card.relations if person.id == self.staff.id)
        return next((relation for relation in pairs if relation.state is RelationState.ACTIVE), None)

    @property
    def external(self) -> str:
        """WeCom's id of the contact: what is sent must go into their chat and no other."""
        ids = (one.value for one in self.card.identities if one.kind is IdentityKind.WECOM)
        return next(ids, "")

    def may(self, permission: str) -> bool:
        """Whether the account may; nobody may without one."""
        return self.login is not None and self.login.may(permission)

    def require(self, permission: str) -> None:
        """Raises Refused for somebody who may not."""
        if not self.may(permission):
            raise Refused("not_permitted", "您的角色没有这个权限，请联系管理员")

    def require_writing(self) -> None:
        """Raises Refused for somebody who may not write follow-ups and tasks; a link lets its rep."""
        if not self.may_write:
            raise Refused("not_permitted", "您的角色不能写跟进")

    def record(self, session: Session, action: str, *, now: datetime, **detail: Any) -> None:
        """Write a deed about the contact into the audit trail, in the transaction that does it."""
        name = self.login.audit_name if self.login else self.actor
        who = self.login.name if self.login else self.staff.name
        deed = audit.Deed(name, who, action, "contact", self.card.contact.id, detail, address())
        audit.append(session, deed, now=now)


def read_link(screen: Screen, contact_id: str, token: str) -> Grant:
    """The grant of a link to this contact. Raises Closed, or NotFound for a link to another contact."""
    return _read(screen, Purpose.LINK, contact_id, token, closed={"forged": "forged", "expired": "expired"})


def find_rep(site: Site) -> Visit | None:
    """The member who is in, at the sidebar's door or the console's; an account of no member is nobody here."""
    for entrance in ("sidebar", "console"):
        visit = find_visit(site, entrance)
        if visit is not None and visit.actor.staff_id and not visit.entered.account.must_change:
            return visit
    return None


def read_visit(screen: Screen, contact_id: str) -> Pass:
    """By the cookie of an opened link, else by login; who has both keeps what the login may do.

    Raises Closed without either, NotFound for another's cookie.
    """
    by_login = _read_login(screen, contact_id)
    cookie = request.cookies.get(COOKIE)
    if cookie:
        try:
            closed = {"forged": "missing", "expired": "missing"}
            by_link = _read(screen, Purpose.VISIT, contact_id, cookie, closed=closed)
        except Closed:
            pass  # over: a login may do
        else:
            same = by_login is not None and by_login.grant.userid == by_link.userid
            return by_login if by_login is not None and same else Pass(by_link)
    if by_login is None:
        raise Closed("missing")
    if by_login.actor is not None:
        by_login.actor.require("contacts.read")
    return by_login


def _read_login(screen: Screen, contact_id: str) -> Pass | None:
    """The pass of the member who is in; None where nobody is."""
    rep = find_rep(screen.site)
    if rep is None or rep.actor.staff_id is None:
        return None
    with screen.site.database.read() as session:
        userid = session.get_one(Staff, rep.actor.staff_id).userid
    return Pass(Grant(contact_id, userid, rep.entered.login.until), rep.actor)


def read_form(screen: Screen, visit: Grant, text: str) -> Grant:
    """The grant of a form of this visit. Raises Closed for a foreign one, Expired for an old one."""
    try:
        form = screen.site.links.read(Purpose.FORM, text, now=screen.now)
    except Forged:
        raise Closed("form") from None
    if (form.contact_id, form.userid) != (visit.contact_id, visit.userid):
        raise Closed("form")
    return form


def _read(screen: Screen, purpose: Purpose, contact_id: str, text: str, *, closed: dict[str, str]) -> Grant:
    try:
        grant = screen.site.links.read(purpose, text, now=screen.now)
    except Forged:
        raise Closed(closed["forged"]) from None
    except Expired:
        raise Closed(closed["expired"]) from None
    if grant.contact_id != contact_id:
        raise NotFound("contact_not_found", "没有这位客户，或您无权查看")
    return grant


def admit(session: Session, visit: Pass) -> Visitor:
    """The rep and the contact, as they stand now. Raises Closed for a member who has left, NotFound for a stranger.

    By link a rep sees a contact they own or are (or were) connected with, until it is handed over to somebody else;
    by login whatever is within their reach.
    """
    grant = visit.grant
    staff = session.scalar(select(Staff).where(Staff.userid == grant.userid))
    if staff is None or staff.status is not StaffStatus.ACTIVE:
        raise Closed("left")
    if visit.actor is not None:
        limit_to(session, visit.actor)
    contact = get_contact(session, grant.contact_id)
    card = load_cards(session, [contact])[0]
    if visit.actor is not None:
        return Visitor(grant, staff, card, visit.actor.may("followups.write"), visit.actor)
    related = any(
        person.id == staff.id and relation.state is not RelationState.TRANSFERRED
        for relation, person in card.relations
    )
    if not related and contact.owner_id != staff.id:
        raise NotFound("contact_not_found", "没有这位客户，或您无权查看")
    return Visitor(grant, staff, card)


def remember(screen: Screen, response: Response, link: Grant, path: str) -> Response:
    """Let the browser of an opened link come back to ``path`` for a while."""
    value, lasts = screen.site.links.sign_visit(link, now=screen.now)
    response.set_cookie(
        COOKIE,
        value,
        max_age=int(lasts.total_seconds()),
        path=path,
        secure=screen.site.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return response


def is_client() -> bool:
    """Whether the page is open inside WeCom, where a member signs in without a scan."""
    return "wxwork" in request.headers.get("User-Agent", "").lower()


def to_sidebar_login() -> Response:
    """Let WeCom say who it is, and come back to this page."""
    wanted = request.full_path.rstrip("?")
    return redirect(f"/sidebar/login?{urlencode({'next': wanted})}", 303)  # type: ignore[return-value]
