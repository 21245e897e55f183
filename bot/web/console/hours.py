"""``/console/settings/hours``: when the corp works, which public days count, and days of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from flask import Response, request

from bot.web.console import settings
from bot.web.console.door import Console, Visit, see_other
from bot.web.contact.forms import clean
from bot.words.sentences import shown
from scrm.accounts import hours as rules
from scrm.accounts.hours import WEEK, Hours, clock, get_hours, set_hours
from scrm.errors import Invalid

AHEAD = timedelta(days=120)
LONGEST = 4000


@dataclass(frozen=True)
class Draft:
    """The form: weekday → (from, to), and days one per line."""

    week: Mapping[int, tuple[str, str]]
    keeps_public: bool
    off: str
    on: str
    errors: dict[str, str] = field(default_factory=dict)

    def given(self) -> dict[str, object]:
        """As the domain reads it; a weekday without times is off."""
        return {
            "week": {day: list(times) for day, times in self.week.items() if any(times)},
            "keeps_public": self.keeps_public,
            "off": self.off.split(),
            "on": self.on.split(),
        }


@dataclass(frozen=True)
class PublicDay:
    """A public day that is near, in words."""

    day: str
    text: str


def register(console: Console) -> None:
    """Put the page at ``/console/settings/hours``."""

    @console.get("/settings/hours", "channels.read")
    def settings_hours(visit: Visit) -> Response:
        with visit.read() as session:
            kept = get_hours(session)
        return _page(visit, kept, _draft(kept))

    @console.post("/settings/hours", "settings.write")
    def hours_save(visit: Visit) -> Response:
        draft = _sent()
        try:
            with visit.write() as session:
                set_hours(session, draft.given(), actor=visit.actor.audit_name, now=visit.now)
                visit.record(session, "hours:changed", "setting", rules.KEY)
        except Invalid as error:
            draft.errors.update({name: shown(visit.t, text) for name, text in error.fields.items()})
            with visit.read() as session:
                kept = get_hours(session)
            return _page(visit, kept, draft)
        return see_other(visit.url("settings_hours", done=1))


def _sent() -> Draft:
    form = request.form
    text = lambda name: clean(form.get(name, ""))[:LONGEST]  # noqa: E731
    week = {day: (text(f"from_{day}").strip(), text(f"to_{day}").strip()) for day in WEEK}
    return Draft(week, "keeps_public" in form, text("off"), text("on"))


def _draft(kept: Hours) -> Draft:
    week = {day: (clock(start), clock(end)) for day, (start, end) in kept.week.items()}
    return Draft(week, kept.keeps_public, _lines(kept.off), _lines(kept.on))


def _lines(days: Collection[date]) -> str:
    return "\n".join(str(day) for day in sorted(days))


def _page(visit: Visit, kept: Hours, draft: Draft) -> Response:
    t, today = visit.t, visit.calendar.today
    span = kept.span_of(today)
    until = rules.public_until()
    near = rules.public_days(today, min(today + AHEAD, until)) if kept.keeps_public else []
    return visit.page(
        "console/hours.html",
        422 if draft.errors else 200,
        tabs=settings.tabs(visit),
        answer=t("hours_today", start=clock(span[0]), end=clock(span[1])) if span else t("hours_today_off"),
        is_open=kept.is_working(visit.now, visit.site.tz),
        draft=draft,
        week=WEEK,
        near=[
            PublicDay(str(day), t("hours_worked" if worked else "hours_off", name=t.pick((chinese, english))))
            for day, chinese, english, worked in near
        ],
        until=until.isoformat(),
        is_over=today + AHEAD > until,
        may_change=visit.may("settings.write"),
        is_done=request.args.get("done") == "1" and not draft.errors,
    )
