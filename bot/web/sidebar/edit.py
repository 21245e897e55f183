"""What a rep changes on the profile: stage, tags, what is noted of the customer; one tap each, one takes it back."""

from __future__ import annotations

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from bot.web.contact.forms import clean
from bot.web.contact.reveal import DEED, TooOften, check_pace
from bot.web.sidebar import undoing
from bot.web.sidebar.access import Visitor, admit, read_visit
from bot.web.sidebar.acting import act, go
from bot.web.sidebar.page import Attempt, show
from bot.web.site import Screen, Site
from scrm.contacts.models import Stage
from scrm.errors import Conflict, Invalid, Refused
from scrm.ids import new_id
from scrm.leads.details import Details, change_details, noted
from scrm.leads.service import ContactChange, change_contact
from scrm.tags.by_hand import change_tags
from scrm.tags.models import Tag, TagSource

LONGEST_KEY = 64


def register(blueprint: Blueprint, site: Site) -> None:
    """Put the forms under ``/sidebar/contacts/<id>``."""

    @blueprint.post("/sidebar/contacts/<contact_id>/stage")
    def move_contact_stage(contact_id: str) -> Response:
        screen = Screen(site)
        return act(screen, contact_id, "contacts.write", lambda session, who: _stage(screen, session, who))

    @blueprint.post("/sidebar/contacts/<contact_id>/tags")
    def tag_contact(contact_id: str) -> Response:
        screen = Screen(site)
        return act(screen, contact_id, "tags.write", lambda session, who: _tag(screen, session, who))

    @blueprint.post("/sidebar/contacts/<contact_id>/details")
    def change_contact_details(contact_id: str) -> Response:
        return _details(Screen(site), contact_id)

    @blueprint.post("/sidebar/contacts/<contact_id>/phone")
    def show_contact_phone(contact_id: str) -> Response:
        screen = Screen(site)
        try:
            return act(screen, contact_id, "pii.read", lambda session, who: _reveal(screen, session, who))
        except TooOften:
            return go(screen, contact_id, problem="often")

    @blueprint.get("/sidebar/contacts/<contact_id>/<any(stage,tags,details,phone):_part>")
    def after_form(contact_id: str, _part: str) -> Response:
        return go(Screen(site), contact_id)  # a reload of a refused form asks for the page


def _stage(screen: Screen, session: Session, visitor: Visitor) -> Response:
    contact = visitor.card.contact
    before, wanted = contact.stage, request.form.get("stage", "")
    if wanted not in list(Stage):
        return go(screen, contact.id, problem="stage")
    if wanted != before:
        change = ContactChange(stage=Stage(wanted))
        change_contact(session, contact.id, change, actor=visitor.actor, now=screen.now)
        visitor.record(session, "stage:changed", now=screen.now, before=before.value, after=wanted)
    return go(screen, contact.id, done="stage", before=before.value)


def _tag(screen: Screen, session: Session, visitor: Visitor) -> Response:
    """Set a tag or take it away, in WeCom too."""
    contact_id = visitor.card.contact.id
    verb = "remove" if request.form.get("remove") else "add"
    tag = session.get(Tag, clean(request.form.get(verb, ""))[:LONGEST_KEY])
    if tag is None or tag.deleted_at is not None:
        return go(screen, contact_id, problem="tag")
    try:
        made, gone = change_tags(
            session,
            contact_id,
            add=[tag] if verb == "add" else [],
            remove=[tag] if verb == "remove" else [],
            source=TagSource.STAFF,
            rather=visitor.staff.id,
            unique=f"sidebar:{new_id()}",
            actor=visitor.actor,
            now=screen.now,
        )
    except Refused:
        return go(screen, contact_id, problem="untaggable")
    if made or gone:
        names = {"added": [row.name for row in made], "removed": sorted({row.name for row in gone})}
        visitor.record(session, "tags:changed", now=screen.now, **names)
    done = {"add": "tagged", "remove": "untagged"}[verb]
    return go(screen, contact_id, done=done, tag=tag.id)


def _details(screen: Screen, contact_id: str) -> Response:
    """Keep what was changed; or show the form again with what is wrong and nothing lost."""
    if "undo" in request.form:
        return _undo_details(screen, contact_id)
    said = {name: clean(request.form.get(name, "")) for name in ("remark", "description", "company", "phone")}
    said |= {"clear_phone": "1" if request.form.get("clear_phone") else ""}
    try:
        return act(
            screen, contact_id, "contacts.write", lambda session, who: _keep(screen, session, who, said)
        )
    except (Invalid, Conflict) as error:
        errors = {name: _told(screen, name, error) for name in error.fields}
    with screen.site.database.read() as session:
        visitor = admit(session, read_visit(screen, contact_id))
        return show(screen, session, visitor, Attempt("details", errors, said=said))


def _undo_details(screen: Screen, contact_id: str) -> Response:
    try:
        return act(screen, contact_id, "contacts.write", lambda session, who: _put_back(screen, session, who))
    except (Invalid, Conflict):  # the number is another's by now, the rep is no longer connected
        return go(screen, contact_id, problem="details_undo")


def _told(screen: Screen, name: str, error: Invalid | Conflict) -> str:
    code = {"phone_taken": "phone_taken", "phone_invalid": "phone_invalid"}.get(error.code, f"{name}_long")
    return screen.t(f"error_{code}")


def _keep(screen: Screen, session: Session, visitor: Visitor, said: dict[str, str]) -> Response:
    given = {name: said[name] for name in ("remark", "description") if name in request.form}
    phone = said["phone"] or ("" if said["clear_phone"] else None)
    details = Details(**given, company=said["company"], phone=phone)
    before = noted(session, visitor.card.contact.id, visitor.staff)
    changed = _change(screen, session, visitor, details)
    if not changed:
        return go(screen, visitor.card.contact.id)
    after = noted(session, visitor.card.contact.id, visitor.staff)
    was, is_ = ({name: values[name] for name in changed} for values in (before, after))
    undo = undoing.keep(visitor, was, is_, now=screen.now)
    return go(screen, visitor.card.contact.id, done="details", undo=undo)


def _change(screen: Screen, session: Session, visitor: Visitor, details: Details) -> list[str]:
    """Take over what differs, with the deed in the audit trail; which fields did."""
    changed = change_details(
        session,
        visitor.card.contact.id,
        details,
        staff=visitor.staff,
        unique=f"sidebar:{new_id()}",
        actor=visitor.actor,
        now=screen.now,
    )
    if changed:
        visitor.record(session, "details:changed", now=screen.now, fields=changed)
    return changed


def _put_back(screen: Screen, session: Session, visitor: Visitor) -> Response:
    """What was noted before is noted again, unless somebody has changed it since."""
    contact_id = visitor.card.contact.id
    now_noted = noted(session, contact_id, visitor.staff)
    before = undoing.read(visitor, request.form.get("undo", ""), now_noted, now=screen.now)
    if before is None:
        return go(screen, contact_id, problem="details_since")
    _change(screen, session, visitor, Details(**before))
    return go(screen, contact_id, done="details_back")


def _reveal(screen: Screen, session: Session, visitor: Visitor) -> Response:
    """The page with the whole number, once it is in the audit trail."""
    phone = visitor.card.contact.phone or ""
    if phone and visitor.login is not None:
        visitor.record(session, DEED, now=screen.now)
        check_pace(session, visitor.login.audit_name, now=screen.now)
    return show(screen, session, visitor, Attempt(phone=phone))
