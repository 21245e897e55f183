"""``/sidebar/contacts/<id>``: opened from the rep's app message or the open chat, read, and written on."""

from __future__ import annotations

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from bot.web import live
from bot.web.contact import forms
from bot.web.contact.forms import Claim, Draft
from bot.web.failures import Closed
from bot.web.links import Expired
from bot.web.sidebar.access import (
    Pass,
    Visitor,
    admit,
    is_client,
    read_form,
    read_link,
    read_visit,
    remember,
    to_sidebar_login,
)
from bot.web.sidebar.acting import LARGEST_FORM, go
from bot.web.sidebar.page import Attempt, Errors, show
from bot.web.site import Screen, Site
from scrm.followups.service import add_followup
from scrm.reports import changes


def register(blueprint: Blueprint, site: Site) -> None:
    """Put the pages under ``/sidebar/contacts``."""

    @blueprint.get("/sidebar/contacts/<contact_id>")
    def contact(contact_id: str) -> Response:
        screen = Screen(site)
        token = request.args.get("token")
        if token is not None:
            return _open(screen, contact_id, token)
        try:
            visit = read_visit(screen, contact_id)
        except Closed:
            if not is_client():
                raise
            return to_sidebar_login()
        with site.database.read() as session:
            return show(screen, session, admit(session, visit))

    @blueprint.get("/sidebar/contacts/<contact_id>/changes")
    def contact_changes(contact_id: str) -> Response:
        screen = Screen(site)
        visit = read_visit(screen, contact_id)
        with site.database.read() as session:
            admit(session, visit)
            version = changes.contact_version(session, contact_id)
            return live.answer(
                session,
                request.args.get("since", ""),
                version,
                lambda read, newest: changes.count_entries_since(read, newest, contact_id),
            )

    @blueprint.post("/sidebar/contacts/<contact_id>/followups")
    def write_followup(contact_id: str) -> Response:
        request.max_content_length = LARGEST_FORM
        return _write(Screen(site), contact_id)

    @blueprint.get("/sidebar/contacts/<contact_id>/followups")
    def after_followup(contact_id: str) -> Response:
        return go(Screen(site), contact_id)  # a reload of a refused form asks for the page


def _open(screen: Screen, contact_id: str, token: str) -> Response:
    """The link was tapped: keep the visit in a cookie and take the token out of the address."""
    link = read_link(screen, contact_id, token)
    with screen.site.database.read() as session:
        admit(session, Pass(link))
    path = screen.url("contact", contact_id=contact_id, lang=None)
    return remember(screen, go(screen, contact_id), link, path)


def _write(screen: Screen, contact_id: str) -> Response:
    """Keep the follow-up, once; or show the form again with what is wrong and nothing lost."""
    visit = read_visit(screen, contact_id)
    draft = forms.read(request.form)
    checked = forms.check(draft, screen.calendar)
    errors = {name: screen.t(key, **values) for name, (key, values) in checked.errors.items()}
    try:
        form = read_form(screen, visit.grant, request.form.get("form", ""))
    except Expired:
        errors.setdefault("form", screen.t("error_stale"))
    if errors:
        return _again(screen, visit, draft, errors)
    with screen.site.database.write() as session:
        visitor = admit(session, visit)
        visitor.require_writing()
        claimed = forms.claim(session, form.nonce, visitor.staff.id, draft, now=screen.now)
        if claimed is Claim.FIRST:
            _keep(screen, session, visitor, checked)
    if claimed is Claim.OTHER:
        return _again(screen, visit, draft, {"form": screen.t("error_used")})
    return go(screen, contact_id, saved="1")


def _again(screen: Screen, visit: Pass, draft: Draft, errors: Errors) -> Response:
    with screen.site.database.read() as session:
        attempt = Attempt("write", errors, draft)
        return show(screen, session, admit(session, visit), attempt)


def _keep(screen: Screen, session: Session, visitor: Visitor, checked: forms.Checked) -> None:
    add_followup(
        session,
        visitor.card.contact.id,
        staff_id=visitor.staff.id,
        kind=checked.kind,
        content=checked.content,
        next_step=checked.next_step,
        next_at=checked.next_at,
        actor=visitor.actor,
        now=screen.now,
    )
