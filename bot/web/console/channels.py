"""``/console/channels``: which channel brings whom, at what cost; pictures of the library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Response, request
from sqlalchemy.orm import Session

from bot.api.channel_codes import CodeState, state_of
from bot.web import figures
from bot.web.bidi import plain
from bot.web.console import charts
from bot.web.console.door import Console, Visit
from bot.web.console.drill import tools
from bot.web.console.periods import Period, read_period
from bot.words.sentences import shown
from bot.words.texts import Words
from scrm.channels.models import ChannelCode, ChannelState
from scrm.channels.queries import codes_of, get_image
from scrm.reports.channels import ChannelRow, compare_channels
from scrm.reports.trend import new_by_day

PAGE = 50
TREND_DAYS = 14
TABS = ("all", *ChannelState)


@dataclass(frozen=True)
class Line:
    """One channel as the list shows it."""

    id: str
    name: str
    state: str
    code: CodeState
    code_error: str | None
    row: ChannelRow
    cost: str
    response: str
    points: str
    trend: list[int]


def code_error(words: Words, code: ChannelCode | None) -> str | None:
    """What is wrong with the code, in the page's language."""
    return shown(words, code.error) if code and code.error else None


def register(console: Console) -> None:
    """Put the list at ``/console/channels``."""

    @console.get("/channels", "channels.read")
    def channel_list(visit: Visit) -> Response:
        period = read_period(request.args, visit.calendar)
        tab = request.args.get("state", "all")
        tab = tab if tab in TABS else "all"
        wanted = request.args.get("q", "").strip()[:64]
        with visit.read() as session:
            rows = compare_channels(session, start=period.start, end=period.end, tz=visit.site.tz)
            found = [row for row in rows if wanted.casefold() in row.name.casefold()]
            page = [row for row in found if tab in ("all", row.state)]
            at = _page_number(len(page))
            lines = _lines(visit, session, page[(at - 1) * PAGE : at * PAGE])
        return visit.page(
            "console/channels.html",
            answer=answer(visit, rows, period),
            any_channel=bool(rows),
            period=period,
            tab=tab,
            tabs=[(name, sum(name in ("all", row.state) for row in found)) for name in TABS],
            wanted=wanted,
            lines=lines,
            at=at,
            more=len(page) > at * PAGE,
            **tools(visit),
        )

    @console.get("/channels/images/<media_file_id>", "channels.read")
    def channel_image(visit: Visit, media_file_id: str) -> Response:
        with visit.read() as session:
            content = get_image(session, media_file_id).content
        kind = "image/png" if content.startswith(b"\x89PNG") else "image/jpeg"
        return Response(content, mimetype=kind)


def answer(visit: Visit, rows: Sequence[ChannelRow], period: Period) -> str:
    """The page's sentence: how many came, and where they cost least."""
    t = visit.t
    brought = [row for row in rows if row.figures.new]
    when = period_name(visit, period)
    if not brought:
        return t("channels_nothing", period=when) if rows else t("channels_lead")
    new = sum(row.figures.new for row in brought)
    said = t("channels_answer", period=when, n=len(brought), new=figures.count(new, t))
    priced = [row for row in brought if row.cost_fen and row.figures.cost_per_contact_fen is not None]
    if not priced or not sees_costs(visit):
        return said + t("full_stop")
    best = min(priced, key=lambda row: row.figures.cost_per_contact_fen or 0)
    cost = figures.money(best.figures.cost_per_contact_fen)
    return said + t("channels_cheapest", name=plain(best.name), cost=cost) + t("full_stop")


def period_name(visit: Visit, period: Period) -> str:
    """``近 7 天``."""
    return visit.t(f"period_{period.name}", start=period.start, end=period.end)


def sees_costs(visit: Visit) -> bool:
    """A cost per contact is told only to those who see all contacts: of some of them it would be wrong."""
    return visit.actor.sees is None


def _page_number(count: int) -> int:
    asked = request.args.get("page", "")
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 1  # noqa: PLR2004
    return max(1, min(number, -(-count // PAGE)))


def _lines(visit: Visit, session: Session, rows: Sequence[ChannelRow]) -> list[Line]:
    today = visit.calendar.today
    ids = [row.channel_id for row in rows]
    trends = new_by_day(
        session, ids, start=today - timedelta(days=TREND_DAYS - 1), end=today, tz=visit.site.tz
    )
    codes = {code.channel_id: code for code in codes_of(session, ids)}
    return [_line(visit, row, codes.get(row.channel_id), trends[row.channel_id]) for row in rows]


def _line(visit: Visit, row: ChannelRow, code: ChannelCode | None, trend: list[int]) -> Line:
    shown = row.figures.cost_per_contact_fen if row.cost_fen and sees_costs(visit) else None
    return Line(
        id=row.channel_id,
        name=plain(row.name),
        state=row.state,
        code=state_of(code),
        code_error=code_error(visit.t, code),
        row=row,
        cost=figures.money(shown),
        response=figures.worked(row.figures.first_response_working_s, visit.t),
        points=charts.spark(trend),
        trend=trend,
    )
