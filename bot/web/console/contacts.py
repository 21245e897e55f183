"""``/console/contacts``: the customers, by filters that live in the address; and the same list as a file."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from datetime import datetime

from flask import Response, redirect, request
from sqlalchemy.orm import Session

from bot.api import paging
from bot.api.types import start_of
from bot.listings import LISTINGS
from bot.web.bidi import plain
from bot.web.console import bulk, changes, columns, contact_filter, exports, segments, sheet
from bot.web.console.contact_filter import Asked
from bot.web.console.door import Console, Visit
from bot.web.contact.profile import HUES, initial
from bot.web.times import Moment
from scrm.accounts.models import Staff
from scrm.accounts.queries import list_reps
from scrm.accounts.roles import EXPORT
from scrm.channels.queries import MAX_PAGE, list_channels
from scrm.contacts.models import RelationState
from scrm.contacts.queries import (
    ContactCard,
    ContactFilter,
    Presence,
    count_contacts,
    list_contacts,
    load_cards,
)
from scrm.contacts.service import LIVE
from scrm.errors import Invalid
from scrm.tags.queries import list_groups
from scrm.timeline.rules import STAGES

CONTACTS = LISTINGS["contacts"]
PAGE = 50
COUNTED = 10_000  # counting stops here: the answer costs the same whatever the corp's size
COUNTED_BY_WORDS = 1_000  # by names and tags every contact counted is looked up
TAGS_SHOWN = 3


@dataclass(frozen=True)
class Row:
    """One contact in the list."""

    id: str
    url: str
    name: str
    initial: str
    hue: int
    company: str
    owner: str
    channel: str
    tags: list[str]
    more_tags: int
    stage: str
    at: Moment
    state: str
    is_over: bool
    waits: bool


@dataclass(frozen=True)
class Part:
    """A part of the answer: the number, what it means, and the rows it counts."""

    text: str
    url: str
    why: str


def register(console: Console) -> None:
    """Put the pages at ``/console/contacts``."""

    @console.get("/contacts", "contacts.read")
    def contact_list(visit: Visit) -> Response:
        try:
            return _list(visit)
        except Invalid:  # a cursor we never made
            return redirect(visit.url("contact_list"), 303)  # type: ignore[return-value]

    @console.post("/contacts/export", EXPORT)
    def export_contacts(visit: Visit) -> Response:
        return _export(visit)

    @console.post("/contacts/export/all", EXPORT)
    def export_all_contacts(visit: Visit) -> Response:
        return _export_all(visit)


def _list(visit: Visit) -> Response:
    cursor = request.args.get("cursor", "")
    before = paging.decode(cursor, datetime, str) if cursor else None
    live = None if cursor else changes.watch(visit, "people")
    with visit.read() as session:
        asked, which = contact_filter.read(visit, session)
        found = [] if asked.wrong else list_contacts(session, which, before=before, limit=PAGE + 1)
        page, after = paging.cut(found, PAGE, lambda row: (row.created_at, row.id))
        cards = load_cards(session, page)
        me = session.get(Staff, visit.actor.staff_id) if visit.actor.staff_id else None
        answer = _answer(visit, session, asked, which)
        choices = _choices(visit, session)
        kept = segments.tabs(visit, session, asked.values)
    return visit.page(
        "console/contacts.html",
        422 if asked.wrong else 200,
        live=live,
        asked=asked,
        views=contact_filter.views(visit, asked, me),
        answer=answer,
        rows=[_row(visit, card) for card in cards],
        after=after,
        cursor=cursor,
        choices=choices,
        segments=kept,
        look=columns.look(visit),
        can_bulk=any(visit.may(permission) for permission in bulk.DEEDS.values()),
        total=answer[0].text if answer else "",
        all_columns=columns.COLUMNS,
        here=next((tab for tab in kept if tab.is_here), None),
        told=segments.told(),
        most=f"{sheet.MOST:,}",
    )


def _answer(visit: Visit, session: Session, asked: Asked, which: ContactFilter) -> list[Part]:
    """What the list says in a sentence: how many fit; without filters, how the day is going."""
    if asked.wrong:
        return []
    by_words = which.q is not None or which.tag_ids is not None
    total = _count(visit, session, which, COUNTED_BY_WORDS if by_words else COUNTED)
    if asked.values:
        return [Part(total or visit.t("people_found", n=0), asked.url(), visit.t("people_total_why"))]
    new = contact_filter.today(visit)
    of_today = ContactFilter(created_from=start_of(visit.calendar.today, visit.site.tz))
    waiting = replace(of_today, waits=True)
    came = count_contacts(session, of_today, most=COUNTED)
    parts = [
        Part(total, asked.url(), visit.t("people_total_why")),
        Part(
            visit.t("people_today", n=f"{came:,}"),
            visit.url("contact_list", **new),
            visit.t("people_today_why"),
        ),
    ]
    if came:
        waits = count_contacts(session, waiting, most=COUNTED)
        text = visit.t("people_waiting", n=f"{waits:,}") if waits else visit.t("people_none_waiting")
        url = visit.url("contact_list", **new, first=contact_filter.NONE)
        parts.append(Part(text, url, visit.t("people_waiting_why")))
    return parts


def _count(visit: Visit, session: Session, which: ContactFilter, most: int) -> str:
    n = count_contacts(session, which, most=most + 1)
    if n > most:
        return visit.t("people_many", n=f"{most:,}")
    return visit.t("people_total" if which == ContactFilter() else "people_found", n=f"{n:,}")


def _choices(visit: Visit, session: Session) -> dict[str, list[tuple[str, list[tuple[str, str]]]]]:
    """What may be chosen in each filter: groups of (value, text)."""
    t = visit.t
    channels, _ = list_channels(session, limit=MAX_PAGE)
    return {
        "owner": [("", [(row.userid, plain(row.name)) for row in list_reps(session, seen=visit.actor.sees)])],
        "channel": [("", [(row.id, plain(row.name)) for row in channels])],
        "tag": [
            (plain(row.group.name), [(tag.id, plain(tag.name)) for tag in row.tags])
            for row in list_groups(session)
        ],
        "stage": [("", [(key, t.pick(words)) for key, words in STAGES.items()])],
        "state": [("", [(one.value, t(f"presence_{one}")) for one in Presence])],
    }


def _row(visit: Visit, card: ContactCard) -> Row:
    contact, t = card.contact, visit.t
    name = plain(contact.name).strip() or t("no_name")
    tags = list(dict.fromkeys(plain(row.tag.name) for row in card.tags))
    states = {relation.state for relation, _ in card.relations}
    return Row(
        id=contact.id,
        url=visit.url("contact_page", contact_id=contact.id),
        name=name,
        initial=initial(name),
        hue=zlib.crc32(contact.id.encode()) % HUES,
        company=plain(contact.corp_name or ""),
        owner=plain(card.owner.name) if card.owner else "",
        channel=plain(card.channel.name) if card.channel else "",
        tags=tags[:TAGS_SHOWN],
        more_tags=len(tags) - len(tags[:TAGS_SHOWN]),
        stage=t.of(STAGES, contact.stage.value),
        at=visit.calendar.moment(contact.created_at, name_today=False),
        state=_state(visit, card, states),
        is_over=contact.lost_at is not None,
        waits=bool(states.intersection(LIVE)) and not any(row.first_response_at for row, _ in card.relations),
    )


def _state(visit: Visit, card: ContactCard, states: set[RelationState]) -> str:
    if card.contact.lost_at is not None:
        return visit.t("state_lost_at", at=visit.calendar.moment(card.contact.lost_at, name_today=False).text)
    for state in (RelationState.ACTIVE, RelationState.HALF):
        if state in states:
            return visit.t(f"state_{state.value}")
    return visit.t("state_lead")


def _export(visit: Visit) -> Response:
    with visit.write() as session:
        asked, which = contact_filter.read(visit, session, request.form)
        if asked.wrong:
            return redirect(asked.url(), 303)  # type: ignore[return-value]
        rows = count_contacts(session, which, most=sheet.MOST)
        phones = "whole" if visit.may("pii.read") else "masked"
        visit.record(
            session, "contacts:exported", "contact", "", rows=rows, phones=phones, filters=asked.told()
        )
    return exports.at_once(visit, CONTACTS, which)


def _export_all(visit: Visit) -> Response:
    with visit.read() as session:
        asked, which = contact_filter.read(visit, session, request.form)
    if asked.wrong:
        return redirect(asked.url(), 303)  # type: ignore[return-value]
    return exports.as_job(visit, CONTACTS, asked, which)
