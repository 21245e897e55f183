"""``/console/groups``: the group chats with customers, and who is in each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Response, redirect, request
from sqlalchemy.orm import Session

from bot.api import paging
from bot.api.people import find_staff, staff_by_id
from bot.web import group_view
from bot.web.bidi import plain
from bot.web.console import filters
from bot.web.console.contacts import Part
from bot.web.console.door import Console, Visit
from bot.web.console.filters import Asked
from bot.web.times import Moment
from scrm.accounts.models import Staff
from scrm.accounts.queries import list_reps
from scrm.errors import Invalid
from scrm.groups import queries
from scrm.groups.models import GroupChat
from scrm.groups.queries import GroupFilter, Moves

PAGE = 50
NAMES = ("group_q", "group_owner", "group_state")
STATES = {"active": True, "over": False}


@dataclass(frozen=True)
class Row:
    """One group in the list."""

    url: str
    name: str
    owner: str
    customers: int
    colleagues: int
    moves: Moves
    joined_url: str
    left_url: str
    opened: Moment
    over: str


def register(console: Console) -> None:
    """Put the pages at ``/console/groups``."""

    @console.get("/groups", "contacts.read")
    def group_list(visit: Visit) -> Response:
        try:
            return _list(visit)
        except Invalid:  # a cursor we never made
            return redirect(visit.url("group_list"), 303)  # type: ignore[return-value]

    @console.get("/groups/<group_id>", "contacts.read")
    def group_page(visit: Visit, group_id: str) -> Response:
        try:
            with visit.read() as session:
                view = group_view.build(visit, session, queries.get_group(session, group_id), "contact_page")
        except Invalid:  # a cursor we never made
            return redirect(visit.url("group_page", group_id=group_id), 303)  # type: ignore[return-value]
        return visit.page("console/group.html", group=view, tabs=("customers", "colleagues", "gone"))


def _list(visit: Visit) -> Response:
    cursor = request.args.get("cursor", "")
    before = paging.decode(cursor, datetime, str) if cursor else None
    with visit.read() as session:
        asked, which = _read(visit, session)
        found = (
            [] if asked.wrong else queries.list_groups(session, which, before=before, limit=PAGE + 1)  # type: ignore[arg-type]
        )
        page, after = paging.cut(found, PAGE, lambda row: (row.opened_at, row.id))
        rows = _rows(visit, session, page)
        answer = [] if asked.wrong else _answer(visit, session, asked, which)
        reps = list_reps(session, seen=visit.actor.sees)
    return visit.page(
        "console/groups.html",
        422 if asked.wrong else 200,
        asked=asked,
        answer=answer,
        rows=rows,
        after=after,
        cursor=cursor,
        choices=_choices(visit, reps),
    )


def _read(visit: Visit, session: Session) -> tuple[Asked, GroupFilter]:
    asked, t = filters.read(visit, "group_list", NAMES), visit.t
    q = asked.find("group_q", lambda text: text, lambda text: t("read_group_q", value=plain(text)))
    owner = asked.find(
        "group_owner",
        lambda named: find_staff(session, named),
        lambda row: t("read_group_owner", value=plain(row.name)),
    )
    state = asked.find(
        "group_state",
        lambda text: text if text in STATES else None,
        lambda text: t(f"group_state_{text}"),
    )
    return asked, GroupFilter(owner.id if owner else None, q or "", STATES.get(state or ""))


def _answer(visit: Visit, session: Session, asked: Asked, which: GroupFilter) -> list[Part]:
    """How many groups there are, how many go on, and how many customers are in them."""
    t, totals = visit.t, queries.count_groups(session, which)
    key = "groups_found" if asked.values else "groups_total"
    parts = [Part(t(key, n=f"{totals.groups:,}"), asked.url(), t("groups_total_why"))]
    if totals.active:
        active = asked.url(group_state="active")
        parts.append(Part(t("groups_active", n=f"{totals.active:,}"), active, t("groups_active_why")))
        parts.append(Part(t("groups_people", n=f"{totals.customers:,}"), active, t("groups_people_why")))
    return parts


def _rows(visit: Visit, session: Session, page: list[GroupChat]) -> list[Row]:
    owners = staff_by_id(session, {group.owner_id for group in page if group.owner_id})
    moves = queries.count_moves(session, [group.id for group in page], since=visit.now - group_view.LATELY)
    return [
        Row(
            url=visit.url("group_page", group_id=group.id),
            name=group_view.name_of(visit, group),
            owner=plain(owners[group.owner_id].name) if group.owner_id else "",
            customers=group.customers,
            colleagues=group.colleagues,
            moves=moves[group.id],
            joined_url=visit.url("group_page", group_id=group.id, who="joined"),
            left_url=visit.url("group_page", group_id=group.id, who="left"),
            opened=visit.calendar.moment(group.opened_at, name_today=False),
            over=group_view.over_of(visit, group),
        )
        for group in page
    ]


def _choices(visit: Visit, reps: list[Staff]) -> dict[str, list[tuple[str, list[tuple[str, str]]]]]:
    return {
        "group_owner": [("", [(row.userid, plain(row.name)) for row in reps])],
        "group_state": [("", [(state, visit.t(f"group_state_{state}")) for state in STATES])],
    }
