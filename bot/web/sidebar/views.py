"""``/sidebar/contacts/<id>``: opened from the rep's app message or the open chat, read, and written on."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request
from sqlalchemy.orm import Session

from bot.web import live
from bot.web.contact import forms, profile, stream
from bot.web.contact.forms import Claim, Draft
from bot.web.failures import Closed
from bot.web.links import Expired
from bot.web.live import Live
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
from bot.web.site import Screen, Site
from scrm.errors import Invalid, Refused
from scrm.followups.queries import list_followups
from scrm.followups.service import MAX_CONTENT, MAX_NEXT_STEP, add_followup
from scrm.reports import changes
from scrm.routing.queries import list_assignments

LARGEST_FORM = 64 * 1024
OWNERS_SHOWN = 6
Errors = dict[str, str]


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
            return _show(screen, session, admit(session, visit))

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
        return _go(Screen(site), contact_id)  # a reload of a refused form asks for the page


def _go(screen: Screen, contact_id: str, **parts: str) -> Response:
    return redirect(screen.url("contact", contact_id=contact_id, **parts), 303)  # type: ignore[return-value]


def _open(screen: Screen, contact_id: str, token: str) -> Response:
    """The link was tapped: keep the visit in a cookie and take the token out of the address."""
    link = read_link(screen, contact_id, token)
    with screen.site.database.read() as session:
        admit(session, Pass(link))
    path = screen.url("contact", contact_id=contact_id, lang=None)
    return remember(screen, _go(screen, contact_id), link, path)


def _show(
    screen: Screen,
    session: Session,
    visitor: Visitor,
    *,
    draft: Draft | None = None,
    errors: Errors | None = None,
) -> Response:
    """The page: its head, and below it what the address asks for. ``errors`` opens the form with the draft."""
    contact_id = visitor.card.contact.id
    tab = "followups" if request.args.get("tab") == "followups" else "profile"
    kind = request.args.get("kind") if request.args.get("kind") in stream.KINDS else None
    cursor = request.args.get("cursor") if request.method == "GET" else None
    watched = None if cursor or errors else _watch(screen, session, contact_id)
    try:
        lines = (
            stream.followups(screen, session, contact_id, cursor=cursor)
            if tab == "followups"
            else stream.timeline(screen, session, visitor.card, kind=kind, cursor=cursor)
        )
    except Invalid:  # a cursor we never made
        return _go(screen, contact_id, tab=tab)
    latest = next(iter(list_followups(session, contact_id=contact_id, limit=1)), None)
    assignments = list_assignments(session, contact_id, limit=OWNERS_SHOWN)
    return screen.page(
        "sidebar/profile.html",
        422 if errors else 200,
        live=watched,
        contact_id=contact_id,
        head=profile.build(screen, visitor.card, assignments, latest, me=visitor.staff),
        stream=lines,
        tab=tab,
        kind=kind,
        kinds=stream.KINDS,
        cursor=cursor,
        may_write=visitor.may_write,
        is_saved=request.args.get("saved") == "1",
        form_token=screen.site.links.sign_form(visitor.grant, now=screen.now),
        draft=draft or Draft(),
        errors=errors or {},
        limits={"content": MAX_CONTENT, "next_step": MAX_NEXT_STEP, "today": screen.calendar.today},
    )


def _watch(screen: Screen, session: Session, contact_id: str) -> Live:
    url = screen.url("contact_changes", contact_id=contact_id, lang=screen.t.language)
    return Live(url, live.told(changes.contact_version(session, contact_id)))


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
        if not visitor.may_write:
            raise Refused("not_permitted", "您的角色不能写跟进")
        claimed = forms.claim(session, form.nonce, visitor.staff.id, draft, now=screen.now)
        if claimed is Claim.FIRST:
            _keep(screen, session, visitor, checked)
    if claimed is Claim.OTHER:
        return _again(screen, visit, draft, {"form": screen.t("error_used")})
    return _go(screen, contact_id, saved="1")


def _again(screen: Screen, visit: Pass, draft: Draft, errors: Errors) -> Response:
    with screen.site.database.read() as session:
        return _show(screen, session, admit(session, visit), draft=draft, errors=errors)


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
