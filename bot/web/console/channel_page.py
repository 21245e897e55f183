"""``/console/channels/<id>``: the code, who answers now and why, what is said, what it brings; and its changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from flask import Response, make_response, redirect, request
from sqlalchemy.orm import Session

from bot.api.channel_codes import CodeState, state_of
from bot.web.bidi import plain
from bot.web.console import changes, charts
from bot.web.console import channel_forms as forms
from bot.web.console.channel_forms import Draft, Errors
from bot.web.console.channels import code_error, period_name, sees_costs
from bot.web.console.door import Console, Visit
from bot.web.console.drill import tools
from bot.web.console.periods import read_period
from bot.web.console.phone import Phone, phone_of
from bot.web.console.qr import SIZES
from scrm.accounts.queries import list_reps
from scrm.channels import service
from scrm.channels.duty import DutyNow, duty_now
from scrm.channels.logo import has_logo
from scrm.channels.queries import ChannelDetails, describe, get_channel
from scrm.errors import ScrmError
from scrm.reports.channels import channel_stats

TOLD = {"made": "channel_made", "saved": "channel_saved"}
EVERY_DAY = 7


@dataclass(frozen=True)
class Person:
    """Somebody to choose: those who may serve, and those who are in the pool although they may not any more."""

    userid: str
    name: str
    on_leave: bool


@dataclass(frozen=True)
class Said:
    """A welcome with when it is said; empty when always."""

    when: str
    phone: Phone


def register(console: Console) -> None:
    """Put the page at ``/console/channels/<id>``, and what changes the channel."""

    @console.get("/channels/<channel_id>", "channels.read")
    def channel_page(visit: Visit, channel_id: str) -> Response:
        return _page(visit, channel_id)

    @console.post("/channels/<channel_id>/welcome", "channels.write")
    def channel_welcome(visit: Visit, channel_id: str) -> Response:
        draft = forms.read(request.form)
        return _change_welcome(visit, channel_id, draft)

    @console.post("/channels/<channel_id>/staff", "channels.write")
    def channel_staff(visit: Visit, channel_id: str) -> Response:
        draft = forms.read(request.form)
        errors = forms.pool_problems(draft, visit.t)
        changes = {
            "staff": draft.staff,
            "backup_staff": draft.backup_staff,
            "daily_limit": forms.limit_of(draft),
        }
        return _change(visit, channel_id, changes, draft, errors, "staff")

    @console.post("/channels/<channel_id>/pause", "channels.write")
    def channel_pause(visit: Visit, channel_id: str) -> Response:
        return _set_state(visit, channel_id, is_paused=True)

    @console.post("/channels/<channel_id>/resume", "channels.write")
    def channel_resume(visit: Visit, channel_id: str) -> Response:
        return _set_state(visit, channel_id, is_paused=False)


# The sessions that change or explain a channel are not limited to the visitor's contacts: who may serve now follows
# from everybody's scans of today. Its figures are limited.


def _change_welcome(visit: Visit, channel_id: str, draft: Draft) -> Response:
    with visit.site.database.read() as session:
        welcomes = get_channel(session, channel_id).welcomes
    kept = (welcomes[0].get("attachments") or []) if len(welcomes) == 1 else []
    errors = {} if kept and not draft.text else forms.welcome_problems(draft, visit.t)
    welcome: dict[str, Any] = {"text": draft.text, **({"attachments": kept} if kept else {})}
    if len(welcomes) > 1 or any(_when(visit, one) for one in welcomes):
        errors = {"text": visit.t("welcome_timed", n=len(welcomes))}
    return _change(visit, channel_id, {"welcome": welcome}, draft, errors, "welcome")


def _change(
    visit: Visit, channel_id: str, changes: Mapping[str, Any], draft: Draft, errors: Errors, part: str
) -> Response:
    if not errors:
        try:
            with visit.site.database.write() as session:
                actor = visit.actor.audit_name
                service.update_channel(
                    session, channel_id, changes, actor=actor, now=visit.now, tz=visit.site.tz
                )
                visit.record(session, "channel:changed", "channel", channel_id, fields=", ".join(changes))
            visit.site.wake()
            return _back(visit, channel_id, told="saved")
        except ScrmError as error:
            errors = forms.told(error, visit.t)
    return _page(visit, channel_id, draft=draft, errors=errors, part=part)


def _set_state(visit: Visit, channel_id: str, *, is_paused: bool) -> Response:
    change, deed = (
        (service.pause_channel, "channel:paused")
        if is_paused
        else (service.resume_channel, "channel:resumed")
    )
    with visit.site.database.write() as session:
        actor = visit.actor.audit_name
        channel = change(session, channel_id, actor=actor, now=visit.now, tz=visit.site.tz)
        visit.record(session, deed, "channel", channel_id, name=channel.name)
    visit.site.wake()
    return _back(visit, channel_id)


def _back(visit: Visit, channel_id: str, **more: str) -> Response:
    return make_response(redirect(visit.url("channel_page", channel_id=channel_id, **more), 303))


def _page(
    visit: Visit,
    channel_id: str,
    *,
    draft: Draft | None = None,
    errors: Errors | None = None,
    part: str = "",
) -> Response:
    period, live = read_period(request.args, visit.calendar, "30"), changes.watch(visit, "people")
    with visit.site.database.read() as session:
        details = describe(session, [get_channel(session, channel_id)])[channel_id]
        duty = duty_now(session, details, now=visit.now, tz=visit.site.tz)
        people = _people(session, details) if visit.may("channels.write") else []
        has = has_logo(session)
    with visit.read() as session:
        stats = channel_stats(session, channel_id, start=period.start, end=period.end, tz=visit.site.tz)
    if not sees_costs(visit) or not details.channel.cost_fen:
        stats = replace(stats, total=replace(stats.total, cost_per_contact_fen=None))
    return visit.page(
        "console/channel.html",
        422 if errors else 200,
        live=live,
        details=details,
        channel=details.channel,
        name=plain(details.channel.name),
        code=details.code,
        code_error=code_error(visit.t, details.code),
        code_state=state_of(details.code),
        is_pending=state_of(details.code) is CodeState.PENDING,
        qr_sizes=SIZES,
        has_logo=has,
        logo=1 if has and request.args.get("logo") != "0" else None,
        asked={name: request.args[name] for name in ("range", "from", "to") if name in request.args},
        rep=plain(details.only_rep or ""),
        try_url=_try_url(visit, details),
        duty=duty,
        duty_text=_duty_text(visit, duty),
        shifts=[shift_text(visit, shift) for shift in details.channel.schedule],
        said=_said(visit, details),
        period=period,
        period_text=period_name(visit, period),
        stats=stats,
        chart=charts.bars([(day.day, day.new, 0) for day in stats.days]),
        points=charts.points([(day.day, day.new, 0) for day in stats.days], contacts_of(visit, channel_id)),
        people=people,
        draft=draft or _draft(details),
        errors=errors or {},
        part=part,
        is_timed=len(details.channel.welcomes) > 1 or any(_when(visit, w) for w in details.channel.welcomes),
        kept=sum(len(one.get("attachments") or []) for one in details.channel.welcomes[:1]),
        **tools(visit),
        told=visit.t.find(TOLD.get(request.args.get("told", ""), "")),
    )


def contacts_of(visit: Visit, channel_id: str) -> Callable[[date], str]:
    """Where the customers are whom the channel brought on a day; nowhere for somebody who may not see them."""

    def url(day: date) -> str:
        iso = day.isoformat()
        if not visit.may("contacts.read"):
            return ""
        return visit.url("contact_list", **{"channel": channel_id, "from": iso, "to": iso})

    return url


def _people(session: Session, details: ChannelDetails) -> list[Person]:
    serving = [Person(row.userid, row.name, row.on_leave) for row in list_reps(session, seen=None)]
    known = {person.userid for person in serving}
    others = [
        Person(one.userid, one.name, on_leave=True) for one in details.members if one.userid not in known
    ]
    return [*others, *serving]


def _draft(details: ChannelDetails) -> Draft:
    channel = details.channel
    welcome = channel.welcomes[0] if channel.welcomes else {}
    limit = str(channel.daily_limit or "")
    return Draft(
        staff=details.staff,
        backup_staff=details.backup_staff,
        daily_limit=limit,
        text=welcome.get("text") or "",
    )


def _try_url(visit: Visit, details: ChannelDetails) -> str | None:
    """The sandbox's phone on this very code."""
    if visit.site.sandbox_url is None or details.code is None or details.code.config_id is None:
        return None
    return f"{visit.site.sandbox_url}/?code={details.code.config_id}&lang={visit.t.language}"


def _duty_text(visit: Visit, duty: DutyNow) -> str:
    return visit.t(f"duty_{duty.reason}", n=len(duty.serving))


def _said(visit: Visit, details: ChannelDetails) -> list[Said]:
    first = next((member.name for member in details.members if not member.is_backup), "")
    return [
        Said(_when(visit, one), phone_of(visit.t, one.get("text") or "", one.get("attachments") or [], first))
        for one in details.channel.welcomes
    ]


def _when(visit: Visit, span: Mapping[str, Any]) -> str:
    """When a welcome is said; empty for always."""
    return shift_text(visit, span) if {"weekdays", "from", "to"} & span.keys() else ""


def shift_text(visit: Visit, span: Mapping[str, Any]) -> str:
    """A shift, or the hours of a welcome, in words."""
    t = visit.t
    days = span.get("weekdays") or []
    named = t("join_words").join(t(f"day_{day}") for day in days) if 0 < len(days) < EVERY_DAY else ""
    start, end = span.get("from") or "00:00", span.get("to") or "24:00"
    return t("shift_line", days=named or t("every_day"), start=start, end=end)
