"""Who is here and whom they may see: the grant in the cookie, the member behind it, the contact they share."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.web.failures import Closed
from bot.web.links import Expired, Forged, Grant, Purpose
from bot.web.site import Screen
from scrm.accounts.models import Staff, StaffStatus
from scrm.contacts.models import RelationState
from scrm.contacts.queries import ContactCard, load_cards
from scrm.contacts.service import get_contact
from scrm.errors import NotFound

COOKIE = "lianke_profile"


@dataclass(frozen=True)
class Visitor:
    """A rep before a contact of theirs."""

    grant: Grant
    staff: Staff
    card: ContactCard

    @property
    def actor(self) -> str:
        """The rep as timelines name people."""
        return f"staff:{self.staff.userid}"


def read_link(screen: Screen, contact_id: str, token: str) -> Grant:
    """The grant of a link to this contact. Raises Closed, or NotFound for a link to another contact."""
    return _read(screen, Purpose.LINK, contact_id, token, closed={"forged": "forged", "expired": "expired"})


def read_visit(screen: Screen, contact_id: str) -> Grant:
    """The grant in the cookie. Raises Closed, or NotFound for another contact's."""
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise Closed("missing")
    return _read(
        screen, Purpose.VISIT, contact_id, cookie, closed={"forged": "missing", "expired": "missing"}
    )


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


def admit(session: Session, grant: Grant) -> Visitor:
    """The rep and the contact, as they stand now. Raises Closed for a member who has left, NotFound for a stranger.

    A rep sees a contact they own or are (or were) connected with, until it is handed over to somebody else.
    """
    staff = session.scalar(select(Staff).where(Staff.userid == grant.userid))
    if staff is None or staff.status is not StaffStatus.ACTIVE:
        raise Closed("left")
    contact = get_contact(session, grant.contact_id)
    card = load_cards(session, [contact])[0]
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
