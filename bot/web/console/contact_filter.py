"""Which contacts a visitor asks for: the address as ``ContactFilter``, in words, and as saved views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.api.people import find_staff
from bot.api.types import end_of, start_of
from bot.web.bidi import plain
from bot.web.console import filters
from bot.web.console.door import Visit
from bot.web.console.filters import Asked
from scrm.accounts.models import Staff
from scrm.channels.models import Channel
from scrm.contacts.models import Stage
from scrm.contacts.queries import Added, ContactFilter, Presence
from scrm.tags.models import Tag
from scrm.timeline.rules import STAGES

NAMES = (
    *("q", "owner", "channel", "tag", "stage", "state", "first", "from", "to", "lost_from", "lost_to"),
    *("rep", "rep_from", "rep_to", "rep_first"),
)
NONE, DONE = "none", "done"


@dataclass(frozen=True)
class View:
    """A saved view: a tab that is a set of filters."""

    text: str
    url: str
    is_here: bool


def read(
    visit: Visit, session: Session, given: Mapping[str, str] | None = None
) -> tuple[Asked, ContactFilter]:
    """What was asked for. Where ``wrong`` is not empty the filter means nothing."""
    asked, t = filters.read(visit, "contact_list", NAMES, given), visit.t
    owner = asked.find("owner", lambda named: find_staff(session, named), _reads(visit, "owner"))
    channel = asked.find(
        "channel", lambda key: session.get(Channel, key), lambda row: t("read_channel", value=plain(row.name))
    )
    tag = asked.find("tag", lambda key: _tag(session, key), lambda row: t("read_tag", value=plain(row.name)))
    stage = asked.find(
        "stage",
        lambda text: Stage(text) if text in list(Stage) else None,
        lambda one: t("read_stage", value=t.of(STAGES, one)),
    )
    state = asked.find(
        "state",
        lambda text: Presence(text) if text in list(Presence) else None,
        lambda one: t("read_state", value=t(f"presence_{one}")),
    )
    first = asked.find("first", _one_of(NONE), lambda one: t(f"read_first_{one}"))
    q = asked.find("q", lambda text: text, lambda text: t("read_q", value=plain(text)))
    since, until = _day(asked, "from"), _day(asked, "to")
    left_from, left_to = _day(asked, "lost_from"), _day(asked, "lost_to")
    return asked, ContactFilter(
        owner_id=owner.id if owner else None,
        channel_id=channel.id if channel else None,
        tag_ids=[tag.id] if tag else None,
        stage=stage,
        presence=state,
        q=q,
        created_from=start_of(since, visit.site.tz),
        created_to=end_of(until, visit.site.tz),
        waits=first == NONE,
        added=_added(asked, session),
        left_from=start_of(left_from, visit.site.tz),
        left_to=end_of(left_to, visit.site.tz),
    )


def _added(asked: Asked, session: Session) -> Added | None:
    visit = asked.visit
    rep = asked.find("rep", lambda named: find_staff(session, named), _reads(visit, "rep"))
    since, until = _day(asked, "rep_from"), _day(asked, "rep_to")
    answered = asked.find("rep_first", _one_of(NONE, DONE), lambda one: visit.t(f"read_rep_first_{one}"))
    if rep is None:
        if "rep" not in asked.values and (since or until or answered):
            asked.wrong.append(visit.t("f_rep"))
        return None
    return Added(
        rep.id,
        start_of(since, visit.site.tz),
        end_of(until, visit.site.tz),
        None if answered is None else answered == DONE,
    )


def _reads(visit: Visit, name: str) -> Callable[[Staff], str]:
    def reads(staff: Staff) -> str:
        return visit.t(f"read_{name}", value=plain(staff.name))

    return reads


def _one_of(*choices: str) -> Callable[[str], str | None]:
    def look(text: str) -> str | None:
        return text if text in choices else None

    return look


def _tag(session: Session, key: str) -> Tag | None:
    return session.scalars(select(Tag).where(Tag.id == key, Tag.deleted_at.is_(None))).one_or_none()


def _day(asked: Asked, name: str) -> date | None:
    return asked.find(name, filters.day, lambda one: asked.visit.t(f"read_{name}", value=one.isoformat()))


def today(visit: Visit) -> dict[str, str]:
    """The filters of those who are new today."""
    return {"from": visit.calendar.today.isoformat()}


def views(visit: Visit, asked: Asked, me: Staff | None) -> list[View]:
    """The tabs; the one whose filters are exactly those of the address is marked."""
    sets: list[tuple[str, dict[str, str]]] = [("all", {})]
    if me is not None:
        sets.append(("mine", {"owner": me.userid}))
    sets += [
        ("today", today(visit)),
        ("waiting", {"first": NONE}),
        ("lost", {"state": Presence.LOST.value}),
    ]
    return [
        View(visit.t(f"tab_{name}"), visit.url("contact_list", **values), is_here=values == asked.values)
        for name, values in sets
    ]
