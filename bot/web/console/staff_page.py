"""``/console/staff/<id>``: one member's channels and shifts, numbers, leave and logins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Response, request
from sqlalchemy.orm import Session

from bot.web.bidi import plain
from bot.web.console.door import Console, Visit, see_other
from bot.web.console.drill import tools
from bot.web.console.staff import moments, sees, since_day, state_of
from bot.web.times import Moment
from scrm.accounts import logins
from scrm.accounts.models import Login, Staff
from scrm.accounts.people import check_reach
from scrm.accounts.queries import accounts_of, departments_of, staff_by_userid
from scrm.accounts.roles import ACCOUNTS_WRITE, REACH_NAMES, ROLE_NAMES, Role
from scrm.accounts.service import get_staff, set_leave
from scrm.channels.rules import DAY
from scrm.channels.shifts import Effect, Place, Span, leave_effects, list_serving, places_of, week_of
from scrm.errors import NotFound, Refused
from scrm.reports.followups import response_times
from scrm.reports.staff import hands_of

HOUR = 60
WIDE, TALL, LEFT = 24, 28, 56  # of an hour, a day, and the names of days, in the week's picture
NAMED = 3
WEEK = range(1, 8)


@dataclass(frozen=True)
class Bar:
    """A time on duty in the picture."""

    x: int
    y: int
    width: int
    text: str


@dataclass(frozen=True)
class Row:
    """A channel of the member: when they are on, and whether they serve it now."""

    id: str
    name: str
    is_backup: bool
    serves_now: bool
    days: list[str]


@dataclass(frozen=True)
class Seat:
    """A session of the member's account."""

    id: str
    at: Moment
    way: str
    address: str
    agent: str


def register(console: Console) -> None:
    """Put the page at ``/console/staff/<id>``, and what changes the member."""

    @console.get("/staff/<staff_id>", "staff.read")
    def staff_page(visit: Visit, staff_id: str) -> Response:
        return _page(visit, staff_id)

    @console.post("/staff/<staff_id>/leave", "staff.read")
    def staff_leave(visit: Visit, staff_id: str) -> Response:
        goes = request.form.get("leave") == "1"
        with visit.write() as session:
            staff = get_staff(session, staff_id)
            if not _may_switch(visit, staff):
                raise Refused("not_permitted", "只能为自己或您管理的员工设置休假")
            if staff.on_leave != goes:
                set_leave(session, staff_id, goes)
                deed = "staff:on_leave" if goes else "staff:back"
                visit.record(session, deed, "staff", staff_id, name=staff.name)
        return see_other(visit.url("staff_page", staff_id=staff_id, done="left" if goes else "back"))

    @console.post("/staff/<staff_id>/logout", ACCOUNTS_WRITE)
    def staff_logout(visit: Visit, staff_id: str) -> Response:
        with visit.write() as session:
            account = accounts_of(session, [staff_id]).get(staff_id)
            if account is None:
                raise NotFound("account_not_found", "该员工还没有登录过")
            check_reach(visit.entered.account, account.reach)
            count = logins.end_all(session, account.id, now=visit.now)
            visit.record(session, "logins:ended", "account", account.id, name=account.name, sessions=count)
        return see_other(visit.url("staff_page", staff_id=staff_id, done="logout"))


def _may_switch(visit: Visit, staff: Staff) -> bool:
    """Members for themselves, managers for theirs, whoever may change channels for everybody they see."""
    if staff.id == visit.actor.staff_id:
        return True
    manages = visit.actor.role is Role.MANAGER or visit.may("channels.write")
    return manages and sees(visit, staff.id)


def _page(visit: Visit, staff_id: str) -> Response:
    tz, shows_logins = visit.site.tz, visit.may(ACCOUNTS_WRITE)
    with visit.site.database.read() as session:  # who serves where follows from everybody's scans of today
        staff = get_staff(session, staff_id)
        places = places_of(session, staff_id)
        effects = leave_effects(session, staff, now=visit.now, tz=tz)
        names = staff_by_userid(session, {userid for one in effects for userid in one.users})
        on = {
            one.channel.id for one in list_serving(session, now=visit.now, tz=tz) if staff.userid in one.users
        }
        departments = departments_of(session, staff_id)
        account = accounts_of(session, [staff_id]).get(staff_id) if shows_logins else None
        live = logins.list_live(session, [account.id], now=visit.now) if account else []
    with visit.read() as session:
        numbers = _numbers(visit, session, staff_id) if sees(visit, staff_id) else None
    weeks = {place.channel.id: week_of(place.channel.schedule, staff.userid) for place in places}
    return visit.page(
        "console/staff_page.html",
        staff=staff,
        name=plain(staff.name),
        state=state_of(staff.status, serves=staff.serves),
        departments=[plain(one.name) for one in departments],
        rows=[_row(visit, place, weeks[place.channel.id], on) for place in places],
        bars=_bars(visit, places, weeks),
        hours=range(0, 25, 4),
        size=(LEFT + 24 * WIDE + 12, 7 * TALL + 24),
        left=LEFT, wide=WIDE, tall=TALL, week=WEEK,
        effects=[_effect(visit, one, {key: plain(row.name) for key, row in names.items()}) for one in effects],
        numbers=numbers,
        may_switch=_may_switch(visit, staff),
        account=account,
        role=visit.t.of(ROLE_NAMES, account.role) if account else "",
        reach=visit.t.of(REACH_NAMES, account.reach) if account else "",
        shows_logins=shows_logins,
        sessions=[session_of(visit, row) for row in live],
        done=visit.t.find(f"staff_done_{request.args.get('done', '')}"),
        today=visit.calendar.today.isoformat(),
        since=since_day(visit),
        **tools(visit),
    )  # fmt: skip


def _numbers(visit: Visit, session: Session, staff_id: str) -> dict[str, object]:
    hands = hands_of(session, [staff_id], **moments(visit))[staff_id]
    week = moments(visit)["day"] - timedelta(days=6)
    times = response_times(session, [staff_id], since=week, until=visit.now, tz=visit.site.tz)[staff_id]
    return {
        "hands": hands,
        "median": times.working_s,
        "week_new": times.new,
        "week": visit.calendar.local(week).date(),
    }


def _row(visit: Visit, place: Place, spans: Sequence[Span], on: set[str]) -> Row:
    days = [
        visit.t("join_words").join(_times(visit, span) for span in spans if span.weekday == day) or "—"
        for day in WEEK
    ]
    channel = place.channel
    return Row(channel.id, plain(channel.name), place.is_backup, channel.id in on, days)


def _times(visit: Visit, span: Span) -> str:
    if (span.start, span.end) == (0, DAY):
        return visit.t("staff_all_day")
    return f"{_clock(span.start)}-{_clock(span.end)}"


def _clock(at: int) -> str:
    return f"{at // HOUR:02}:{at % HOUR:02}"


def _bars(visit: Visit, places: Sequence[Place], weeks: dict[str, list[Span]]) -> list[Bar]:
    """The times on duty in any channel, as a picture; a backup's are not: they serve when nobody else does."""
    found = []
    for place in places:
        if place.is_backup:
            continue
        for span in weeks[place.channel.id]:
            text = f"{visit.t(f'day_{span.weekday}')} {_times(visit, span)} {plain(place.channel.name)}"
            x, width = LEFT + span.start * WIDE // HOUR, (span.end - span.start) * WIDE // HOUR
            found.append(Bar(x, (span.weekday - 1) * TALL + 4, max(2, width), text))
    return found


def _effect(visit: Visit, effect: Effect, names: dict[str, str]) -> str:
    t = visit.t
    some = [names.get(userid, userid) for userid in effect.users]
    who = t("join_words").join(some[:NAMED]) + (t("staff_and_more", n=len(some)) if len(some) > NAMED else "")
    return t(f"leave_{effect.reason}", channel=plain(effect.channel.name), who=who)


def session_of(visit: Visit, row: Login) -> Seat:
    """A session as pages list it."""
    return Seat(
        row.id, visit.calendar.moment(row.seen_at), visit.t(f"way_{row.way}"), row.address, plain(row.agent)
    )
