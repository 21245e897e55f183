"""``/console/staff``: the members, by department, with what they have on their hands and where they serve now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Response, redirect, request
from sqlalchemy.orm import Session

from bot.api import paging
from bot.web.bidi import plain
from bot.web.console.door import Console, Visit
from bot.web.console.drill import tools
from scrm.accounts.models import Account, Department, StaffStatus
from scrm.accounts.queries import StaffRow, accounts_of, list_departments, list_staff
from scrm.accounts.roles import ACCOUNTS_WRITE, ROLE_NAMES
from scrm.channels.codes import day_start
from scrm.channels.shifts import Serving, list_serving
from scrm.errors import Invalid
from scrm.reports.staff import LOOKED_BACK, Hands, Leave, count_leave, hands_of, waiting_of

PAGE = 50
SERVING, EVERYBODY = "serving", "all"


@dataclass(frozen=True)
class Line:
    """One member; ``hands`` is None for those whose contacts the visitor may not see."""

    id: str
    userid: str
    name: str
    position: str
    departments: str
    state: str
    on_leave: bool
    hands: Hands | None
    duty: list[str]
    role: str


@dataclass(frozen=True)
class Branch:
    """A department in the tree, with how deep it is."""

    id: int
    name: str
    depth: int
    is_here: bool


def register(console: Console) -> None:
    """Put the page at ``/console/staff``."""

    @console.get("/staff", "staff.read")
    def staff_list(visit: Visit) -> Response:
        try:
            return _page(visit)
        except Invalid:  # a cursor we never made
            return redirect(visit.url("staff_list"), 303)  # type: ignore[return-value]


def _page(visit: Visit) -> Response:
    department = request.args.get("department", type=int)
    tab = EVERYBODY if request.args.get("show") == EVERYBODY else SERVING
    cursor = request.args.get("cursor", "")
    with visit.site.database.read() as session:  # who serves where is no customer's matter
        branches = tree(list_departments(session), department)
        page = list_staff(
            session,
            cursor=paging.decode(cursor, str)[0] if cursor else None,
            limit=PAGE,
            serves=True if tab == SERVING else None,
            department_id=department,
        )
        serving = list_serving(session, now=visit.now, tz=visit.site.tz)
        leave = count_leave(session)
        accounts = accounts_of(session, [row.staff.id for row in page.items])
    with visit.read() as session:
        seen = [row.staff.id for row in page.items if sees(visit, row.staff.id)]
        hands = hands_of(session, seen, **moments(visit))
        waiting = _waiting(visit, session)
    return visit.page(
        "console/staff.html",
        branches=branches,
        department=department,
        tab=tab,
        lines=_lines(visit, page.items, hands, serving, accounts),
        after=paging.encode(page.next_cursor) if page.next_cursor else None,
        answer=_answer(visit, serving, leave, waiting),
        shows_roles=visit.may(ACCOUNTS_WRITE),
        since=since_day(visit),
        today=visit.calendar.today.isoformat(),
        **tools(visit),
    )


def moments(visit: Visit) -> dict[str, datetime]:
    """When today began, from when waiting counts, and now."""
    day = day_start(visit.now, visit.site.tz)
    return {"day": day, "since": day - LOOKED_BACK, "now": visit.now}


def since_day(visit: Visit) -> str:
    """The day from which waiting counts, as the list of contacts takes it."""
    return (visit.calendar.today - LOOKED_BACK).isoformat()


def sees(visit: Visit, staff_id: str) -> bool:
    """Whether the visitor sees this member's contacts."""
    return visit.actor.sees is None or staff_id in visit.actor.sees


def _waiting(visit: Visit, session: Session) -> dict[str, Hands]:
    told = moments(visit)
    return waiting_of(session, since=told["since"], now=visit.now, seen=visit.actor.sees)


def _answer(visit: Visit, serving: Sequence[Serving], leave: Leave, waiting: dict[str, Hands]) -> str:
    t = visit.t
    on = {userid for one in serving for userid in one.users}
    late = sum(hands.late for hands in waiting.values())
    return t(
        "staff_answer",
        on=len(on),
        off=leave.on_leave,
        late=t("staff_late", n=late) if late else t("staff_none_late"),
    )


def _lines(
    visit: Visit,
    rows: Sequence[StaffRow],
    hands: dict[str, Hands],
    serving: Sequence[Serving],
    accounts: dict[str, Account],
) -> list[Line]:
    t = visit.t
    duty: dict[str, list[str]] = {}
    for one in serving:
        for userid in one.users:
            duty.setdefault(userid, []).append(plain(one.channel.name))
    found = []
    for row in rows:
        staff, account = row.staff, accounts.get(row.staff.id)
        found.append(
            Line(
                id=staff.id,
                userid=staff.userid,
                name=plain(staff.name),
                position=plain(staff.position),
                departments=t("join_words").join(plain(one.name) for one in row.departments),
                state=state_of(staff.status, serves=staff.serves),
                on_leave=staff.on_leave,
                hands=hands.get(staff.id),
                duty=duty.get(staff.userid, []),
                role=t.of(ROLE_NAMES, account.role) if account else "",
            )
        )
    return found


def state_of(status: StaffStatus, *, serves: bool) -> str:
    """A member's state in WeCom as one word: serving, or why not."""
    if status is not StaffStatus.ACTIVE:
        return status.value
    return "serving" if serves else "no_right"


def tree(departments: Sequence[Department], here: int | None) -> list[Branch]:
    """The departments as an indented list, each below its parent."""
    inside: dict[int, list[Department]] = {}
    known = {one.id for one in departments}
    for one in departments:
        inside.setdefault(one.parent_id if one.parent_id in known else 0, []).append(one)
    found: list[Branch] = []
    waiting = [(one, 0) for one in reversed(inside.get(0, []))]
    while waiting:
        one, depth = waiting.pop()
        found.append(Branch(one.id, plain(one.name), min(depth, 4), one.id == here))
        waiting += [(child, depth + 1) for child in reversed(inside.pop(one.id, []))]
    return found
