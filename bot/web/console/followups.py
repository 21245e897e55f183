"""``/console/followups``: the manager's log, who answered how soon, and the same log as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask import Response, redirect, request
from sqlalchemy.orm import Session

from bot.api import paging
from bot.api.people import contact_names, find_staff, staff_by_id
from bot.api.types import end_of, start_of
from bot.listings import LISTINGS, FollowupFilter
from bot.web.bidi import plain
from bot.web.console import changes, exports, filters, sheet
from bot.web.console.contact_filter import DONE, NONE
from bot.web.console.contacts import Part
from bot.web.console.door import Console, Visit
from bot.web.console.filters import Asked
from bot.web.contact.stream import CommentLine, comment_lines
from bot.web.figures import worked
from bot.web.times import Moment
from scrm.accounts.models import Staff
from scrm.accounts.queries import list_reps
from scrm.accounts.roles import EXPORT
from scrm.errors import Invalid
from scrm.followups.comments import comments_of
from scrm.followups.models import Followup, FollowupKind
from scrm.followups.queries import list_followups
from scrm.ids import new_token
from scrm.reports.followups import RepFigures, count_followups, response_times

FOLLOWUPS = LISTINGS["followups"]
PAGE = 50
NAMES = ("staff", "kind", "from", "to")
MAX_DAYS = 92  # figures over more would read too many rows for a page
NAMED = 3  # idle reps named in the sentence
MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True)
class Which:
    """The follow-ups that were asked for."""

    staff: Staff | None
    kind: FollowupKind | None
    since: date | None
    until: date | None


@dataclass(frozen=True)
class Period:
    """The local days the figures are about, both included."""

    first: date
    last: date
    text: str

    @property
    def days(self) -> dict[str, str]:
        """The period as filters of this page."""
        return {"from": self.first.isoformat(), "to": self.last.isoformat()}


@dataclass(frozen=True)
class Line:
    """One follow-up in the log."""

    at: Moment
    staff: str
    kind: str
    contact: str
    contact_url: str
    content: str
    next: str
    id: str
    comments: list[CommentLine]


@dataclass(frozen=True)
class Rep:
    """One rep's figures, each with the rows behind it."""

    name: str
    figures: RepFigures
    median: str
    url: str
    new_url: str
    answered_url: str
    waiting_url: str


def register(console: Console) -> None:
    """Put the pages at ``/console/followups``."""

    @console.get("/followups", "contacts.read")
    def followup_log(visit: Visit) -> Response:
        try:
            return _log(visit)
        except Invalid:  # a cursor we never made
            return redirect(visit.url("followup_log"), 303)  # type: ignore[return-value]

    @console.post("/followups/export", EXPORT)
    def export_followups(visit: Visit) -> Response:
        return _export(visit)

    @console.post("/followups/export/all", EXPORT)
    def export_all_followups(visit: Visit) -> Response:
        return _export_all(visit)


def _log(visit: Visit) -> Response:
    cursor = request.args.get("cursor", "")
    before = paging.decode(cursor, datetime, str) if cursor else None
    live = None if cursor else changes.watch(visit, "people")
    with visit.read() as session:
        asked, which = _read(visit, session)
        reps = list_reps(session, seen=visit.actor.sees)
        found = [] if asked.wrong else _page(visit, session, which, before, PAGE + 1)
        page, after = paging.cut(found, PAGE, lambda row: (row.at, row.id))
        lines = _lines(visit, session, page)
        period = _period(visit, which)
        answer, figures = _figures(visit, session, asked, which, period, reps)
    return visit.page(
        "console/followups.html",
        422 if asked.wrong else 200,
        live=live,
        asked=asked,
        answer=answer,
        period=period,
        lines=lines,
        nonce=new_token(12),
        is_wrong=request.args.get("wrong") == "comment",
        reps=figures,
        after=after,
        cursor=cursor,
        choices=_choices(visit, reps),
        too_long=MAX_DAYS if period is None else None,
        most=f"{sheet.MOST:,}",
    )


def _read(visit: Visit, session: Session, given: Mapping[str, str] | None = None) -> tuple[Asked, Which]:
    asked, t = filters.read(visit, "followup_log", NAMES, given), visit.t
    staff = asked.find(
        "staff", lambda named: find_staff(session, named), lambda row: t("read_staff", value=plain(row.name))
    )
    kind = asked.find(
        "kind",
        lambda text: FollowupKind(text) if text in list(FollowupKind) else None,
        lambda one: t("read_kind", value=t(f"followup_{one}")),
    )
    since = asked.find("from", filters.day, lambda one: t("read_log_from", value=one.isoformat()))
    until = asked.find("to", filters.day, lambda one: t("read_log_to", value=one.isoformat()))
    return asked, Which(staff, kind, since, until)


def _page(
    visit: Visit, session: Session, which: Which, before: tuple[datetime, str] | None, limit: int
) -> list[Followup]:
    return list_followups(
        session,
        before=before,
        limit=limit,
        staff_id=which.staff.id if which.staff else None,
        since=start_of(which.since, visit.site.tz),
        until=end_of(which.until, visit.site.tz),
        kinds=[which.kind] if which.kind else [],
    )


def _lines(visit: Visit, session: Session, page: list[Followup]) -> list[Line]:
    people = staff_by_id(session, {row.staff_id for row in page})
    names = contact_names(session, {row.contact_id for row in page})
    said = comments_of(session, [row.id for row in page])
    return [
        Line(
            at=visit.calendar.moment(row.at, name_today=False),
            staff=plain(people[row.staff_id].name),
            kind=visit.t(f"followup_{row.kind}"),
            contact=plain(names[row.contact_id]).strip() or visit.t("no_name"),
            contact_url=visit.url("contact_page", contact_id=row.contact_id),
            content=plain(row.content),
            next=_next(visit, row),
            id=row.id,
            comments=comment_lines(visit, said.get(row.id, [])),
        )
        for row in page
    ]


def _next(visit: Visit, row: Followup) -> str:
    planned = [visit.calendar.day(row.next_at)] if row.next_at else []
    return " · ".join(planned + ([plain(row.next_step)] if row.next_step else []))


def _period(visit: Visit, which: Which) -> Period | None:
    """What the figures are about: the days asked for, this week where none are; None where they are too many."""
    today = visit.calendar.today
    if which.since is None and which.until is None:
        return Period(today - timedelta(days=today.weekday()), today, visit.t("log_period_week"))
    last = which.until or today
    first = which.since or last - timedelta(days=MAX_DAYS - 1)
    if (last - first).days >= MAX_DAYS:
        return None
    return Period(first, last, visit.t("log_period", since=first, until=last))


def _figures(
    visit: Visit, session: Session, asked: Asked, which: Which, period: Period | None, reps: list[Staff]
) -> tuple[list[Part], list[Rep]]:
    """The answer's sentence, and the table of reps behind it."""
    if period is None or asked.wrong:
        return [], []
    since, until = start_of(period.first, visit.site.tz), end_of(period.last, visit.site.tz)
    assert since is not None and until is not None  # noqa: PT018, S101 - of days
    shown = [which.staff] if which.staff else reps
    counts = count_followups(
        session, since=since, until=until, staff_id=which.staff.id if which.staff else None, kind=which.kind
    )
    times = response_times(session, [row.id for row in shown], since=since, until=until, tz=visit.site.tz)
    names = {row.id: plain(row.name) for row in shown}
    names |= {key: plain(row.name) for key, row in staff_by_id(session, counts.keys() - names.keys()).items()}
    userids = {row.id: row.userid for row in shown}
    for staff_id, figures in times.items():
        figures.followups = counts.get(staff_id, 0)
    order = sorted(shown, key=lambda row: (-times[row.id].followups, -times[row.id].new, row.name))
    table = [_rep(visit, asked, row, times[row.id], period) for row in order]
    return _answer(visit, asked, counts, names, userids, period), table


def _answer(
    visit: Visit,
    asked: Asked,
    counts: dict[str, int],
    names: dict[str, str],
    userids: dict[str, str],
    period: Period,
) -> list[Part]:
    """This week's count, who wrote most of it, and who wrote nothing."""
    t, total = visit.t, sum(counts.values())
    count = t("log_count", n=f"{total:,}") if total else t("log_none")
    space = " " if t.language == "zh" else ": "
    parts = [Part(f"{period.text}{space}{count}", asked.url(**period.days), t("log_count_why"))]
    if not counts:
        return parts
    best = next(iter(counts))
    if len(counts) > 1 and best in userids:
        url = asked.url(**period.days, staff=userids[best])
        parts.append(Part(t("log_most", name=names[best], n=f"{counts[best]:,}"), url, t("log_count_why")))
    idle = [names[staff_id] for staff_id in userids if staff_id not in counts]
    if idle:
        joined = t("comma").join(idle[:NAMED]) if t.language == "en" else "、".join(idle[:NAMED])
        key = "log_idle" if len(idle) <= NAMED else "log_idle_more"
        parts.append(Part(t(key, names=joined, n=len(idle)), "#speed", t("log_count_why")))
    return parts


def _rep(visit: Visit, asked: Asked, staff: Staff, figures: RepFigures, period: Period) -> Rep:
    days = {"rep_from": period.first.isoformat(), "rep_to": period.last.isoformat()}

    def contacts(**more: str) -> str:
        return visit.url("contact_list", rep=staff.userid, **days, **more)

    return Rep(
        name=plain(staff.name),
        figures=figures,
        median=worked(figures.working_s, visit.t),
        url=asked.url(**period.days, staff=staff.userid),
        new_url=contacts(),
        answered_url=contacts(rep_first=DONE),
        waiting_url=contacts(rep_first=NONE),
    )


def took(visit: Visit, seconds: int | None) -> str:
    """A span as people say it."""
    t = visit.t
    if seconds is None:
        return t("nothing")
    if seconds < MINUTE:
        return t("took_s", n=seconds)
    if seconds < HOUR:
        return t("took_m", n=seconds // MINUTE)
    if seconds < DAY:
        return t("took_h", h=seconds // HOUR, m=seconds % HOUR // MINUTE)
    return t("took_d", d=seconds // DAY, h=seconds % DAY // HOUR)


def _choices(visit: Visit, reps: list[Staff]) -> dict[str, list[tuple[str, list[tuple[str, str]]]]]:
    return {
        "staff": [("", [(row.userid, plain(row.name)) for row in reps])],
        "kind": [("", [(kind.value, visit.t(f"followup_{kind}")) for kind in FollowupKind])],
    }


def _export(visit: Visit) -> Response:
    with visit.write() as session:
        asked, which = _read(visit, session, request.form)
        if asked.wrong:
            return redirect(asked.url(), 303)  # type: ignore[return-value]
        visit.record(session, "followups:exported", "followup", "", most=sheet.MOST, filters=asked.told())
    return exports.at_once(visit, FOLLOWUPS, _filter(visit, which))


def _export_all(visit: Visit) -> Response:
    with visit.read() as session:
        asked, which = _read(visit, session, request.form)
    if asked.wrong:
        return redirect(asked.url(), 303)  # type: ignore[return-value]
    return exports.as_job(visit, FOLLOWUPS, asked, _filter(visit, which))


def _filter(visit: Visit, which: Which) -> FollowupFilter:
    return FollowupFilter(
        staff_id=which.staff.id if which.staff else None,
        since=start_of(which.since, visit.site.tz),
        until=end_of(which.until, visit.site.tz),
        kind=which.kind,
    )
