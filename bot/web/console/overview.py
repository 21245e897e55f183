"""``/console``: what came in, who followed up, what was lost, compared with the period before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from flask import Response, request

from bot.web import figures
from bot.web.console import changes, charts, sheet
from bot.web.console.channels import period_name
from bot.web.console.door import ANYBODY, Console, Visit
from bot.web.console.drill import tools
from bot.web.console.periods import Period, read_period
from scrm.reports.channels import brought_most
from scrm.reports.firsts import Firsts, firsts
from scrm.reports.overview import Numbers, Overview
from scrm.reports.overview import overview as overview_of

MOST_ROWS = 10  # of channels and of members; the rest is in the lists they open


@dataclass(frozen=True)
class Step:
    """A step of the first run: whether it is done, by looking, and where to do it."""

    name: str
    is_done: bool
    url: str | None = None


def register(console: Console) -> None:
    """Put the page at ``/console``, and its days as a file."""

    @console.get("/overview.csv", ANYBODY)
    def overview_csv(visit: Visit) -> Response:
        return _csv(visit)

    @console.get("", ANYBODY)
    def overview(visit: Visit) -> Response:
        period, live = read_period(request.args, visit.calendar), changes.watch(visit, "people")
        with visit.read() as session:
            seen = overview_of(session, start=period.start, end=period.end, tz=visit.site.tz)
            brought = brought_most(
                session, start=period.start, end=period.end, tz=visit.site.tz, limit=MOST_ROWS
            )
        with (
            visit.site.database.read() as session
        ):  # of the whole corp: a new rep without customers is no new corp
            begun = firsts(session)
        days = [(day.day, day.new, day.new_before) for day in seen.days]
        return visit.page(
            "console/overview.html",
            live=live,
            answer=_answer(visit, seen, period),
            period=period,
            steps=None if begun.has_contacts else _steps(visit, begun),
            seen=seen,
            chart=charts.bars(days),
            points=charts.points(days, lambda day: _contacts_of(visit, day)),
            channels=brought.channels,
            direct=seen.total.new - brought.new,
            members=seen.members[:MOST_ROWS],
            more_members=max(0, len(seen.members) - MOST_ROWS),
            compared=visit.t("compared", n=period.length),
            chart_text=visit.t("chart_text", period=period_name(visit, period), new=seen.total.new),
            **tools(visit),
        )


def _contacts_of(visit: Visit, day: date) -> str:
    iso = day.isoformat()
    return visit.url("contact_list", **{"from": iso, "to": iso}) if visit.may("contacts.read") else ""


def _csv(visit: Visit) -> Response:
    period, t = read_period(request.args, visit.calendar), visit.t
    with visit.read() as session:
        seen = overview_of(session, start=period.start, end=period.end, tz=visit.site.tz)
    columns = ("day", "new", "chart_before", "lost", "followups", "csv_response_worked", "csv_response")
    header = [t(key) for key in columns]
    rows = (
        [
            day.day.isoformat(),
            *map(str, (day.new, day.new_before, day.lost, day.followups)),
            _minutes(day.first_response.working_s),
            _minutes(day.first_response.plain_s),
        ]
        for day in seen.days
    )
    return sheet.answer(f"overview-{period.start}-{period.end}.csv", header, rows)


def _minutes(seconds: int | None) -> str:
    return "" if seconds is None else f"{seconds / 60:.1f}"


def _answer(visit: Visit, seen: Overview, period: Period) -> str:
    """The page's sentence."""
    t, now, before = visit.t, seen.total, seen.before
    said = t("overview_new", period=period_name(visit, period), new=figures.count(now.new, t))
    said += t(_trend(now, before), n=figures.count(abs(now.new - before.new), t))
    said += t("overview_lost", lost=figures.count(now.lost, t), followups=figures.count(now.followups, t))
    return said


def _trend(now: Numbers, before: Numbers) -> str:
    if now.new == before.new:
        return "overview_same"
    return "overview_more" if now.new > before.new else "overview_fewer"


def _steps(visit: Visit, begun: Firsts) -> list[Step]:
    channels = visit.url("channel_list") if visit.may("channels.read") else None
    new = visit.url("channel_new") if visit.may("channels.write") else channels
    return [
        Step("connected", begun.is_connected, visit.url("start")),
        Step("staff", begun.has_staff),
        Step("channel", begun.has_channel, new),
        Step("scan", begun.has_scan, channels),
    ]
