"""Give a customer another owner, from their page: with a reason, in the timeline, and the new rep is told."""

from __future__ import annotations

from flask import request
from sqlalchemy.orm import Session

from bot.web.bidi import plain
from bot.web.console.door import Visit
from bot.web.contact.forms import clean
from scrm.accounts.models import Staff
from scrm.accounts.queries import list_reps
from scrm.contacts.service import get_contact
from scrm.errors import Invalid
from scrm.routing.notices import tell_new_owner
from scrm.routing.service import assign_manually

LONGEST_NOTE = 200


def choices(visit: Visit, session: Session) -> list[tuple[str, str]]:
    """Who may get a customer from this person: those whose customers they see."""
    return [(row.userid, plain(row.name)) for row in list_reps(session, seen=visit.actor.sees)]


def chosen(visit: Visit, session: Session, userid: str) -> Staff:
    """The member a form names. Raises Invalid for anybody else."""
    for row in list_reps(session, seen=visit.actor.sees):
        if row.userid == userid:
            return row
    raise Invalid("staff_unknown", visit.t("owner_wrong"), {"staff": visit.t("owner_wrong")})


def note(visit: Visit) -> str:
    """Why, as the form says it. Raises Invalid without."""
    said = clean(request.form.get("note", ""))
    if not 0 < len(said) <= LONGEST_NOTE:
        told = visit.t("owner_note_wrong", n=LONGEST_NOTE)
        raise Invalid("note_wrong", told, {"note": told})
    return said


def change(visit: Visit, session: Session, contact_id: str) -> None:
    """The customer is theirs whom the form names; nothing happens where they are already. Raises NotFound, Invalid."""
    contact = get_contact(session, contact_id)
    staff, why = chosen(visit, session, clean(request.form.get("staff", ""))), note(visit)
    before = contact.owner_id
    if staff.id == before:
        return
    author = f"account:{visit.actor.name}"
    made = assign_manually(session, contact_id, staff.id, actor=author, now=visit.now, note=why)
    if staff.id != visit.actor.staff_id:
        site = visit.site
        token = site.links.sign_link(contact_id, staff.userid, visit.now)
        tell_new_owner(
            session,
            contact,
            staff,
            made,
            by=visit.actor.name,
            agent_id=site.platform.agent_id,
            url=f"{site.base_url}/sidebar/contacts/{contact_id}?token={token}",
            now=visit.now,
        )
    visit.record(session, "owner:changed", "contact", contact_id, before=before, after=staff.id, note=why)
