"""A form of the sidebar is acted on: a visitor who may, a form of this page, one transaction."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, redirect, request
from sqlalchemy.orm import Session

from bot.web.links import Expired
from bot.web.sidebar.access import Visitor, admit, read_form, read_visit
from bot.web.site import Screen

LARGEST_FORM = 64 * 1024
Deed = Callable[[Session, Visitor], Response]


def go(screen: Screen, contact_id: str, anchor: str = "", **parts: str | None) -> Response:
    """To the contact's page, with a GET."""
    target = screen.url("contact", contact_id=contact_id, **parts)
    return redirect(target + (f"#{anchor}" if anchor else ""), 303)  # type: ignore[return-value]


def act(screen: Screen, contact_id: str, permission: str, deed: Deed) -> Response:
    """Do it in one transaction. Raises Closed for a foreign form, Refused without the permission."""
    request.max_content_length = LARGEST_FORM
    visit = read_visit(screen, contact_id)
    try:
        read_form(screen, visit.grant, request.form.get("form", ""))
    except Expired:
        return go(screen, contact_id, problem="stale")
    with screen.site.database.write() as session:
        visitor = admit(session, visit)
        if permission == "followups.write":
            visitor.require_writing()
        else:
            visitor.require(permission)
        answer = deed(session, visitor)
    screen.site.wake()
    return answer
