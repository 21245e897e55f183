"""The page of one contact: its head, its sheets, and below them what the address asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Response, current_app, request
from flask_wtf.csrf import generate_csrf
from sqlalchemy.orm import Session

from bot.web import live
from bot.web.bidi import plain
from bot.web.contact import profile, stream
from bot.web.contact.forms import Draft
from bot.web.live import Live
from bot.web.sidebar import task_cards, toasts
from bot.web.sidebar.access import Visitor
from bot.web.sidebar.acting import go
from bot.web.site import Screen
from scrm.contacts.queries import ContactCard
from scrm.errors import Invalid
from scrm.followups.queries import list_followups
from scrm.followups.service import MAX_CONTENT, MAX_NEXT_STEP
from scrm.leads.details import LONGEST
from scrm.reports import changes
from scrm.routing.queries import list_assignments
from scrm.tags.queries import list_groups
from scrm.tasks.service import MAX_TITLE
from scrm.timeline.rules import STAGES

OWNERS_SHOWN = 6
TABS = ("replies", "materials")  # pages of their own, where they exist
Errors = dict[str, str]


@dataclass(frozen=True)
class Attempt:
    """What came of a form, where the page is shown again with it; ``sheet`` is the one that is open."""

    sheet: str = ""
    errors: Errors = field(default_factory=dict)
    draft: Draft = field(default_factory=Draft)
    said: dict[str, str] = field(default_factory=dict)  # of the other forms
    phone: str = ""  # revealed


def show(screen: Screen, session: Session, visitor: Visitor, attempt: Attempt | None = None) -> Response:
    """The page; with the errors of an attempt, its sheet is open."""
    attempt = attempt or Attempt()
    contact_id = visitor.card.contact.id
    tab = "followups" if request.args.get("tab") == "followups" else "profile"
    kind = request.args.get("kind") if request.args.get("kind") in stream.KINDS else None
    cursor = request.args.get("cursor") if request.method == "GET" else None
    watched = None if cursor or attempt.errors else _watch(screen, session, contact_id)
    try:
        lines = (
            stream.followups(screen, session, contact_id, cursor=cursor)
            if tab == "followups"
            else stream.timeline(screen, session, visitor.card, kind=kind, cursor=cursor)
        )
    except Invalid:  # a cursor we never made
        return go(screen, contact_id, tab=tab)
    latest = next(iter(list_followups(session, contact_id=contact_id, limit=1)), None)
    assignments = list_assignments(session, contact_id, limit=OWNERS_SHOWN)
    return screen.page(
        "sidebar/profile.html",
        422 if attempt.errors else 200,
        live=watched,
        contact_id=contact_id,
        head=profile.build(screen, visitor.card, assignments, latest, me=visitor.staff),
        stream=lines,
        tab=tab,
        kind=kind,
        kinds=stream.KINDS,
        cursor=cursor,
        toast=toasts.read(screen, session, visitor, latest),
        form_token=screen.site.links.sign_form(visitor.grant, now=screen.now),
        attempt=attempt,
        limits={
            "content": MAX_CONTENT,
            "next_step": MAX_NEXT_STEP,
            "title": MAX_TITLE,
            "today": screen.calendar.today,
            **LONGEST,
        },
        tasks=task_cards.of_contact(screen, session, visitor),
        tabs=[name for name in TABS if f"web.sidebar_{name}" in current_app.view_functions],
        **_rights(screen, session, visitor),
    )


def _watch(screen: Screen, session: Session, contact_id: str) -> Live:
    url = screen.url("contact_changes", contact_id=contact_id, lang=screen.t.language)
    return Live(url, live.told(changes.contact_version(session, contact_id)), "contact")


def _rights(screen: Screen, session: Session, visitor: Visitor) -> dict[str, Any]:
    """What this visitor may change, and what the forms of it need."""
    may_edit, may_tag = visitor.may("contacts.write"), visitor.may("tags.write")
    contact, mine = visitor.card.contact, visitor.mine
    return {
        "may_write": visitor.may_write,
        "may_edit": may_edit,
        "may_tag": may_tag,
        "may_reveal": visitor.may("pii.read"),
        "is_mine": mine is not None,
        "details": {
            "remark": (mine.remark or "") if mine else "",
            "description": (mine.description or "") if mine else "",
            "company": contact.corp_name or "",
        },
        "stages": [(key, screen.t.pick(words)) for key, words in STAGES.items()],
        "stage": contact.stage.value,
        "tag_choices": _tag_choices(session, visitor.card) if may_tag else [],
        "csrf": str(generate_csrf()) if visitor.login else "",  # for signatures
        "userid": visitor.staff.userid,
        "external": visitor.external,
    }


def _tag_choices(session: Session, card: ContactCard) -> list[tuple[str, list[tuple[str, str, bool]]]]:
    """Group → tags with whether the contact has them."""
    held = {row.tag.id for row in card.tags}
    return [
        (plain(row.group.name), [(tag.id, plain(tag.name), tag.id in held) for tag in row.tags])
        for row in list_groups(session)
        if row.tags
    ]
