"""What lies below the head: a page of the timeline, or of follow-ups, grouped by day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from bot.api import paging
from bot.api.people import staff_by_id
from bot.web.bidi import isolated, plain
from bot.web.site import Screen
from bot.web.times import Moment
from bot.words.sentences import shown
from bot.words.texts import Words
from scrm.accounts.queries import staff_by_userid
from scrm.contacts.queries import ContactCard
from scrm.followups.comments import comments_of
from scrm.followups.models import Followup, FollowupComment
from scrm.followups.queries import list_followups
from scrm.timeline.models import TimelineEntry
from scrm.timeline.queries import list_entries
from scrm.timeline.rules import title

PAGE = 30
KINDS = (
    "followup",
    "task",
    "contact",
    "scan",
    "welcome",
    "tag",
    "owner",
    "group",
    "message",
)  # what one may filter by
TROUBLE = ("failed", "unknown", "expired", "transfer_failed", "lost", "removed")
Row = TypeVar("Row")


@dataclass(frozen=True)
class Entry:
    """One thing that happened."""

    at: Moment
    noun: str
    text: str
    by: str
    next_step: str
    is_trouble: bool


@dataclass(frozen=True)
class CommentLine:
    """What somebody said about a follow-up."""

    at: Moment
    who: str
    text: str


@dataclass(frozen=True)
class FollowupLine:
    """One follow-up in full."""

    at: Moment
    kind: str
    kind_name: str
    staff: str
    content: str
    next: str
    id: str = ""
    comments: list[CommentLine] = field(default_factory=list)


@dataclass(frozen=True)
class Stream:
    """A page of lines under headings of days, and the cursor of the next page."""

    days: list[tuple[str, list[Any]]]
    cursor: str | None


def timeline(
    screen: Screen, session: Session, card: ContactCard, *, kind: str | None, cursor: str | None
) -> Stream:
    """A page of the contact's timeline, newest first."""
    before = paging.decode(cursor, datetime, int) if cursor else None
    rows = list_entries(session, card.contact.id, before=before, limit=PAGE + 1, kind=kind)
    page, after = paging.cut(rows, PAGE, lambda row: (row.at, row.id))
    names = _names(session, card, page)
    return Stream(_by_day(screen, page, lambda row: _entry(screen, row, names)), after)


def followups(screen: Screen, session: Session, contact_id: str, *, cursor: str | None) -> Stream:
    """A page of the contact's follow-ups, newest first."""
    before = paging.decode(cursor, datetime, str) if cursor else None
    rows = list_followups(session, before=before, limit=PAGE + 1, contact_id=contact_id)
    page, after = paging.cut(rows, PAGE, lambda row: (row.at, row.id))
    names = {key: staff.name for key, staff in staff_by_id(session, {row.staff_id for row in page}).items()}
    said = comments_of(session, [row.id for row in page])
    return Stream(
        _by_day(screen, page, lambda row: _followup(screen, row, names, said.get(row.id, []))), after
    )


def comment_lines(screen: Screen, comments: Sequence[FollowupComment]) -> list[CommentLine]:
    """Comments as pages show them."""
    return [
        CommentLine(screen.calendar.moment(row.at), plain(row.author_name), plain(row.text))
        for row in comments
    ]


def _by_day(screen: Screen, rows: Sequence[Row], line: Callable[[Row], Any]) -> list[tuple[str, list[Any]]]:
    grouped = groupby(rows, key=lambda row: screen.calendar.day(row.at))  # type: ignore[attr-defined]
    return [(day, [line(row) for row in inside]) for day, inside in grouped]


def _names(session: Session, card: ContactCard, page: Sequence[TimelineEntry]) -> dict[str, str]:
    """Names by userid: of the members the contact knows and of others who did something here."""
    names = {person.userid: person.name for _, person in card.relations}
    actors = {row.actor.removeprefix("staff:") for row in page if row.actor.startswith("staff:")}
    return names | {key: staff.name for key, staff in staff_by_userid(session, actors - names.keys()).items()}


def _entry(screen: Screen, row: TimelineEntry, names: dict[str, str]) -> Entry:
    noun, _, verb = row.kind.partition(".")
    detail = {key: isolated(value) for key, value in in_page_language(screen.t, row).items()}
    text = title(row.kind, detail, screen.t.locale)
    return Entry(
        at=screen.calendar.clock(row.at),
        noun=noun,
        text=text,
        by=_actor(screen, row.actor, names, text),
        next_step=str(detail.get("next_step") or ""),
        is_trouble=verb in TROUBLE,
    )


def in_page_language(t: Words, row: TimelineEntry) -> dict[str, Any]:
    """The entry's detail; its reason, and the names of our own fields, in the page's language."""
    detail = dict(row.detail)
    if isinstance(detail.get("reason"), str):
        detail["reason"] = shown(t, detail["reason"])
    if row.kind == "contact.changed":
        detail["names"] = [shown(t, str(name)) for name in detail.get("names") or ()]
    return detail


def _followup(
    screen: Screen, row: Followup, names: dict[str, str], said: Sequence[FollowupComment]
) -> FollowupLine:
    planned = [screen.calendar.day(row.next_at)] if row.next_at else []
    planned += [row.next_step] if row.next_step else []
    return FollowupLine(
        at=screen.calendar.clock(row.at),
        kind=row.kind.value,
        kind_name=screen.t(f"followup_{row.kind.value}"),
        staff=names[row.staff_id],
        content=row.content,
        next=" · ".join(planned),
        id=row.id,
        comments=comment_lines(screen, said),
    )


def _actor(screen: Screen, actor: str, names: dict[str, str], text: str) -> str:
    """Who did it, where the sentence does not say so: a member, an account of the console, or a program."""
    kind, _, name = actor.partition(":")
    if kind == "staff":
        member = names.get(name, name)
        return "" if member in text else member
    if kind == "account":
        return isolated(name)  # type: ignore[no-any-return]
    return screen.t("by_token", name=name) if kind == "token" else ""
