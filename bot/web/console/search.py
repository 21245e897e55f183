"""``/console/search``: people, channels, tags, staff, pages and actions; a page, and what the palette shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Response, request
from sqlalchemy.orm import Session

from bot.api.contacts import mask_phone
from bot.web.bidi import plain
from bot.web.console.contact_filter import NONE
from bot.web.console.door import ANYBODY, RAIL, Console, Visit
from bot.web.console.filters import LONGEST
from bot.web.contact.forms import clean
from scrm.accounts.queries import list_reps
from scrm.channels.queries import MAX_PAGE, list_channels
from scrm.contacts.queries import ContactCard, ContactFilter, list_contacts, load_cards, typed_letters
from scrm.spelling import spell
from scrm.tags.queries import list_groups

SHOWN = 6  # of each kind

# words, endpoint, permission, what the address says besides
ACTIONS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("do_channel_new", "channel_new", "channels.write", {}),
    ("do_waiting", "contact_list", "contacts.read", {"first": NONE}),
    ("do_export", "contact_list", "contacts.export", {}),
    ("do_password", "password", ANYBODY, {}),
)


@dataclass(frozen=True)
class Hit:
    """Something that was found. ``tells`` is what tells it from others of its name."""

    text: str
    url: str
    tells: str = ""


@dataclass(frozen=True)
class Group:
    """What was found of one kind."""

    title: str
    hits: list[Hit]


def register(console: Console) -> None:
    """Put the page at ``/console/search``."""

    @console.get("/search", ANYBODY)
    def search(visit: Visit) -> Response:
        q = clean(request.args.get("q", ""))[:LONGEST]
        with visit.read() as session:
            groups = [group for group in _groups(visit, session, q) if group.hits]
        is_palette = request.headers.get("HX-Request") == "true"
        template = "console/_found.html" if is_palette else "console/search.html"
        answer = visit.page(template, groups=groups, q=q, is_palette=is_palette)
        answer.vary.add("HX-Request")
        return answer


def _groups(visit: Visit, session: Session, q: str) -> Iterator[Group]:
    """Of each kind what begins with ``q`` or has it inside; without ``q``, where one may go."""
    t = visit.t
    if q and visit.may("contacts.read"):
        yield Group(t("found_people"), _people(visit, session, q))
        yield Group(t("found_tags"), _tags(visit, session, q))
    if q and visit.opens("channel_page", "channels.read"):
        channels, _ = list_channels(session, limit=MAX_PAGE)
        found = [
            Hit(plain(row.name), visit.url("channel_page", channel_id=row.id))
            for row in channels
            if fits(q, row.name)
        ]
        yield Group(t("found_channels"), found[:SHOWN])
    if q and visit.may("staff.read") and visit.may("contacts.read"):
        yield Group(t("found_staff"), _staff(visit, session, q))
    pages = [
        Hit(t(f"rail_{name}"), visit.url(name))
        for name, _, permission, *_ in RAIL
        if visit.opens(name, permission) and fits(q, t(f"rail_{name}"))
    ]
    yield Group(t("found_pages"), pages)
    actions = [
        Hit(t(words), visit.url(endpoint, **more))
        for words, endpoint, permission, more in ACTIONS
        if visit.opens(endpoint, permission) and fits(q, t(words))
    ]
    yield Group(t("found_actions"), actions)


def fits(q: str, text: str) -> bool:
    """Whether somebody who types ``q`` may mean ``text``: a part of it, or the beginning of its pinyin or initials."""
    letters = typed_letters(q)
    if q.casefold() in text.casefold():
        return True
    return letters is not None and any(spelled.startswith(letters) for spelled in spell(text))


def _people(visit: Visit, session: Session, q: str) -> list[Hit]:
    found = list_contacts(session, ContactFilter(q=q), limit=SHOWN + 1)
    hits = [_person(visit, card) for card in load_cards(session, found[:SHOWN])]
    if len(found) > SHOWN:
        hits.append(Hit(visit.t("found_all", q=plain(q)), visit.url("contact_list", q=q)))
    return hits


def _person(visit: Visit, card: ContactCard) -> Hit:
    contact = card.contact
    parts = (contact.corp_name, mask_phone(contact.phone), card.owner.name if card.owner else None)
    return Hit(
        plain(contact.name).strip() or visit.t("no_name"),
        visit.url("contact_page", contact_id=contact.id),
        " · ".join(plain(part) for part in parts if part),
    )


def _tags(visit: Visit, session: Session, q: str) -> list[Hit]:
    """Tags of that very name first: each is a filter of the list."""
    found = [
        (tag.name != q, plain(tag.name), tag.id, plain(row.group.name))
        for row in list_groups(session)
        for tag in row.tags
        if fits(q, tag.name)
    ]
    found.sort(key=lambda each: each[0])
    return [
        Hit(visit.t("found_tagged", name=name), visit.url("contact_list", tag=key), group)
        for _, name, key, group in found[:SHOWN]
    ]


def _staff(visit: Visit, session: Session, q: str) -> list[Hit]:
    people = [
        row
        for row in list_reps(session, seen=visit.actor.sees)
        if fits(q, row.name) or row.userid.casefold() == q.casefold()
    ]
    return [
        Hit(visit.t("found_owned", name=plain(row.name)), visit.url("contact_list", owner=row.userid))
        for row in people[:SHOWN]
    ]
