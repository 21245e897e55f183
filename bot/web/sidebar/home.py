"""``/sidebar/home``: a rep's own day, outside a customer's chat; each number opens the rows it counts."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from flask import Blueprint, Response, redirect, request
from sqlalchemy.orm import Session

from bot.api import paging
from bot.api.people import contact_names
from bot.web.bidi import plain
from bot.web.console.door import Visit
from bot.web.contact.profile import HUES, initial
from bot.web.contact.tasks import cards
from bot.web.figures import count, span, worked
from bot.web.links import Grant
from bot.web.sidebar import toasts
from bot.web.sidebar.access import find_rep, is_client, to_sidebar_login
from bot.web.sidebar.chat import explain
from bot.web.site import Screen, Site
from scrm.accounts.models import Staff
from scrm.contacts.models import Contact, Relation
from scrm.contacts.queries import ContactFilter, list_contacts
from scrm.errors import Invalid, NotFound
from scrm.followups.queries import list_followups
from scrm.reports.mine import Pairs, count_pairs, figures, list_pairs
from scrm.tasks.models import TaskState
from scrm.tasks.queries import TaskFilter, count_tasks, list_by_due

FEW, PAGE, FOUND = 5, 50, 10
TASKS_SHOWN = 5
WEEK_DAYS = 7
LONGEST_QUERY = 64
FIGURES = ("new", "lost", "followups", "done", "median")
PERIODS = ("today", "week")
ROWS = ("new", "lost", "followups", "done", "waiting", "tasks")


@dataclass(frozen=True)
class Person:
    """A customer in a list; ``under`` says why they are in it."""

    id: str
    name: str
    initial: str
    hue: int
    under: str
    waits: str = ""


@dataclass(frozen=True)
class Figure:
    """A number of a period and the address of its rows."""

    text: str
    url: str | None


def register(blueprint: Blueprint, site: Site) -> None:
    """Put ``/sidebar/home`` and the lists below it on the blueprint."""

    @blueprint.get("/sidebar/home")
    def sidebar_home() -> Response:
        rep = find_rep(site)
        return _home(rep) if rep is not None else _outside(site)

    @blueprint.get("/sidebar/home/<which>")
    def sidebar_rows(which: str) -> Response:
        rep = find_rep(site)
        if which not in ROWS:
            raise NotFound("no_such_list", "没有这个列表")
        return _rows(rep, which) if rep is not None else _outside(site)


def _outside(site: Site) -> Response:
    return to_sidebar_login() if is_client() else explain(Screen(site))


def _period(rep: Visit, name: str) -> tuple[datetime, datetime]:
    """Today, or the seven days that end with it."""
    days = 1 if name == "today" else WEEK_DAYS
    ends = rep.calendar.in_days(1)
    starts = ends - timedelta(days=days)
    tz = rep.calendar.tz
    return datetime.combine(starts, time(), tz), datetime.combine(ends, time(), tz)


def _home(rep: Visit) -> Response:
    rep.actor.require("contacts.read")
    staff_id = str(rep.actor.staff_id)
    q = request.args.get("q", "").strip()[:LONGEST_QUERY]
    with rep.read() as session:
        me = session.get_one(Staff, staff_id)
        due = _due(rep, staff_id)
        may_write = rep.may("followups.write")
        tasks = cards(
            rep, session, list_by_due(session, due, limit=TASKS_SHOWN), acts=lambda _task: may_write
        )
        tasks_count = count_tasks(session, due)
        waiting = count_pairs(session, staff_id, Pairs.WAITING)
        since, until = _period(rep, "week")
        about, done = request.args.get("about", ""), request.args.get("done", "")
        return rep.page(
            "sidebar/home.html",
            q=q,
            found=_search(rep, session, q) if q else [],
            most_found=FOUND,
            lead=_lead(rep, tasks_count, waiting),
            tasks=tasks,
            tokens={row.contact_id: _token(rep, me, row.contact_id) for row in tasks},
            tasks_count=tasks_count,
            waiting=[_waiting(rep, *row) for row in list_pairs(session, staff_id, Pairs.WAITING, limit=FEW)],
            waiting_count=waiting,
            new=[
                _added(rep, *row)
                for row in list_pairs(session, staff_id, Pairs.NEW, since=since, until=until, limit=FEW)
            ],
            figures=_figures(rep, session, staff_id),
            toast=toasts.task(rep, session, about, done) if done in toasts.TASKS else _problem(rep),
            toast_token=_token(rep, me, about) if about else "",
        )


def _problem(rep: Visit) -> toasts.Toast | None:
    name = request.args.get("problem")
    return toasts.Toast(rep.t(f"problem_{name}"), is_problem=True) if name in toasts.PROBLEMS else None


def _token(rep: Visit, me: Staff, contact_id: str) -> str:
    """What the forms about this contact carry."""
    grant = Grant(contact_id, me.userid, rep.entered.login.until)
    return rep.site.links.sign_form(grant, now=rep.now)


def _due(rep: Visit, staff_id: str) -> TaskFilter:
    """One's open tasks that are due before tomorrow."""
    return TaskFilter([staff_id], state=TaskState.OPEN, due_before=_period(rep, "today")[1])


def _lead(rep: Visit, due: int, waiting: int) -> str:
    if not due and not waiting:
        return rep.t("home_lead_calm")
    return rep.t("home_lead", due=count(due, rep.t), waiting=count(waiting, rep.t))


def _figures(rep: Visit, session: Session, staff_id: str) -> list[tuple[str, list[Figure]]]:
    """Name of the figure → its values, by period."""
    by_period = {}
    for period in PERIODS:
        since, until = _period(rep, period)
        by_period[period] = figures(session, staff_id, since=since, until=until, tz=rep.site.tz)
    lines = []
    for name in FIGURES:
        values = []
        for period in PERIODS:
            mine = by_period[period]
            if name == "median":
                values.append(Figure(worked(mine.working_s, rep.t), None))
                continue
            number = int(getattr(mine, name))
            url = rep.url("sidebar_rows", which=name, period=period) if number else None
            values.append(Figure(count(number, rep.t), url))
        lines.append((name, values))
    return lines


def _search(rep: Visit, session: Session, q: str) -> list[Person]:
    rows = list_contacts(session, ContactFilter(q=q), limit=FOUND)
    return [_person(rep, row, rep.t("since", at=rep.calendar.moment(row.created_at).text)) for row in rows]


def _person(rep: Visit, contact: Contact, under: str, waits: str = "") -> Person:
    name = plain(contact.name).strip() or rep.t("no_name")
    hue = zlib.crc32(contact.id.encode()) % HUES
    return Person(contact.id, name, initial(name), hue, under, waits)


def _added(rep: Visit, relation: Relation, contact: Contact) -> Person:
    at = rep.calendar.moment(relation.added_at or contact.created_at).text
    return _person(rep, contact, rep.t("since", at=at))


def _waiting(rep: Visit, relation: Relation, contact: Contact) -> Person:
    added = relation.added_at or contact.created_at
    waits = span(max(0, int((rep.now - added).total_seconds())), rep.t)
    at = rep.calendar.moment(added).text
    return _person(rep, contact, rep.t("since", at=at), rep.t("waits_since", span=waits))


def _lost(rep: Visit, relation: Relation, contact: Contact) -> Person:
    at = rep.calendar.moment(relation.lost_at or relation.event_at).text
    return _person(rep, contact, rep.t("lost_at", at=at))


def _rows(rep: Visit, which: str) -> Response:
    """The rows that a number of the page counts, a page of them."""
    rep.actor.require("contacts.read")
    period = request.args.get("period") if request.args.get("period") in PERIODS else "today"
    cursor = request.args.get("cursor")
    try:
        after = paging.decode(cursor, datetime, str) if cursor else None
    except Invalid:  # a cursor we never made
        return redirect(rep.url("sidebar_rows", which=which, period=period), 303)  # type: ignore[return-value]
    with rep.read() as session:
        people, following = _list(rep, session, which, str(period), after)
    titled = which in ("waiting", "tasks")
    title = rep.t(f"list_{which}") if titled else f"{rep.t(f'fig_{which}')} · {rep.t(f'home_{period}')}"
    return rep.page(
        "sidebar/rows.html",
        title=title,
        people=people,
        following=rep.url("sidebar_rows", which=which, period=period, cursor=following)
        if following
        else None,
    )


def _list(
    rep: Visit, session: Session, which: str, period: str, after: tuple[datetime, str] | None
) -> tuple[list[Person], str | None]:
    staff_id = str(rep.actor.staff_id)
    since, until = _period(rep, period)
    if which in list(Pairs):
        pairs = Pairs(which)
        show = {Pairs.NEW: _added, Pairs.LOST: _lost, Pairs.WAITING: _waiting}[pairs]
        span_of = {} if pairs is Pairs.WAITING else {"since": since, "until": until}
        rows = list_pairs(session, staff_id, pairs, after=after, limit=PAGE + 1, **span_of)
        at = (lambda row: row.lost_at) if pairs is Pairs.LOST else (lambda row: row.added_at)
        page, following = paging.cut(rows, PAGE, lambda row: (at(row[0]), row[0].id))
        return [show(rep, *row) for row in page], following
    if which == "followups":
        notes = list_followups(
            session, before=after, limit=PAGE + 1, staff_id=staff_id, since=since, until=until
        )
        written, following = paging.cut(notes, PAGE, lambda row: (row.at, row.id))
        return _touched(rep, session, [(row.contact_id, row.at, row.content) for row in written]), following
    closed = TaskFilter([staff_id], state=TaskState.DONE, closed_from=since, closed_before=until)
    asked = closed if which == "done" else _due(rep, staff_id)
    tasks = list_by_due(session, asked, after=after, limit=PAGE + 1)
    shown, following = paging.cut(tasks, PAGE, lambda row: (row.due_at, row.id))
    lines = [(row.contact_id, row.closed_at or row.due_at, row.title) for row in shown]
    return _touched(rep, session, lines), following


def _touched(rep: Visit, session: Session, lines: list[tuple[str, datetime, str]]) -> list[Person]:
    """Customers with what was done for them."""
    names = contact_names(session, {contact_id for contact_id, _, _ in lines})
    return [
        _person(
            rep,
            Contact(id=contact_id, name=names.get(contact_id, "")),
            f"{rep.calendar.moment(at).text} · {plain(said)[:80]}",
        )
        for contact_id, at, said in lines
    ]
