"""``/console/settings/tokens``: the REST tokens of programs: made and shown once, their last use, their end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from flask import Response, request
from sqlalchemy import select

from bot.web.bidi import plain
from bot.web.console import settings
from bot.web.console.door import Console, Visit, see_other
from bot.web.console.logs import need_whole_reach
from bot.web.console.once import made_once
from bot.web.console.refusals import said
from bot.web.contact.forms import clean
from bot.web.times import Moment
from scrm.accounts import tokens
from scrm.accounts.models import Account, ApiToken
from scrm.accounts.roles import ACCOUNTS_WRITE
from scrm.errors import Conflict, Invalid

DAYS = (30, 90, 180, 365)
USUAL_DAYS = 90
SOON = timedelta(days=14)
LONGEST = 64


@dataclass(frozen=True)
class Line:
    """A token in the list; never its plaintext."""

    id: str
    name: str
    role: str
    scopes: list[str]
    person: str
    state: str
    made: Moment
    until: Moment
    used: Moment | None


@dataclass(frozen=True)
class Draft:
    """The form as it was sent, with what is wrong with it."""

    name: str = ""
    role: str = ""
    days: int = USUAL_DAYS
    person: str = ""
    problem: str = ""


def register(console: Console) -> None:
    """Put the page at ``/console/settings/tokens``. Programs may see all customers: who does not gives no token."""

    @console.get("/settings/tokens", ACCOUNTS_WRITE)
    def settings_tokens(visit: Visit) -> Response:
        need_whole_reach(visit)
        return _page(visit, Draft())

    @console.post("/settings/tokens", ACCOUNTS_WRITE)
    def token_make(visit: Visit) -> Response:
        need_whole_reach(visit)
        return _make(visit)

    @console.post("/settings/tokens/<token_id>/revoke", ACCOUNTS_WRITE)
    def token_revoke(visit: Visit, token_id: str) -> Response:
        need_whole_reach(visit)
        try:
            with visit.write() as session:
                token = tokens.revoke(session, token_id, now=visit.now)
                visit.record(session, "token:revoked", "token", token_id, name=token.name)
        except Conflict:  # revoked before: what was wanted is so
            return see_other(visit.url("settings_tokens"))
        return see_other(visit.url("settings_tokens", done="revoked"))


def _make(visit: Visit) -> Response:
    form = request.form
    days = form.get("days", type=int) or 0
    person = clean(form.get("person", "")).strip()[:LONGEST]
    draft = Draft(clean(form.get("name", "")).strip(), form.get("role", ""), days, person)
    plaintext = ""

    def make() -> str:
        nonlocal plaintext
        row, plaintext = tokens.create_token(
            session,
            name=draft.name,
            role=draft.role,
            ttl=timedelta(days=min(days, 10_000)),
            now=visit.now,
            person=person,
        )
        told = {"name": row.name, "role": row.role, "days": days}
        visit.record(session, "token:created", "token", row.id, **told, person=person)
        return row.id

    try:
        with visit.write() as session:
            made_once(visit, session, "token", make)
    except Invalid as error:
        return _page(visit, replace(draft, problem=_told(visit, error)))
    visit.renew_form()
    return _page(visit, Draft(), made=draft.name, plaintext=plaintext)


def _told(visit: Visit, error: Invalid) -> str:
    """What is wrong with the form; in English the person has a sentence of their own."""
    if visit.t.language != "zh" and "person" in error.fields:
        return visit.t("tokens_no_person")
    return said(error, visit.t)


def _page(visit: Visit, draft: Draft, *, made: str = "", plaintext: str = "") -> Response:
    """The tokens; one that was ``made`` now with its plaintext, without where the same form had made it before."""
    with visit.read() as session:
        rows = tokens.list_tokens(session)
        ids = {row.account_id for row in rows if row.account_id}
        named = select(Account.id, Account.name).where(Account.id.in_(ids))
        people = {row.id: row.name for row in session.execute(named)}
    lines = [_line(visit, row, plain(people.get(row.account_id or "", ""))) for row in rows]
    live = [line for line in lines if line.state in ("live", "soon")]
    return visit.page(
        "console/tokens.html",
        422 if draft.problem else 200,
        tabs=settings.tabs(visit),
        lines=lines,
        valid=len(live),
        never=sum(1 for line in live if line.used is None),
        draft=draft,
        roles=[
            (role, visit.t(f"token_role_{role}"), [visit.t(f"may_{scope}") for scope in scopes])
            for role, scopes in tokens.ROLES.items()
        ],
        days=DAYS,
        made=plain(made),
        plaintext=plaintext,
        example=f"curl -H 'Authorization: Bearer {plaintext}' {visit.site.base_url}/api/v1/contacts?limit=1",
        is_done=request.args.get("done") == "revoked",
    )


def _line(visit: Visit, row: ApiToken, person: str) -> Line:
    moment = visit.calendar.moment
    if row.revoked_at is not None:
        state = "revoked"
    elif row.expires_at <= visit.now:
        state = "expired"
    else:
        state = "soon" if row.expires_at - visit.now < SOON else "live"
    role = visit.t.find(f"token_role_{row.role}") or row.role
    used = moment(row.last_used_at) if row.last_used_at else None
    return Line(
        row.id,
        plain(row.name),
        role,
        [visit.t.find(f"may_{scope}") or scope for scope in row.scopes],
        person,
        state,
        moment(row.created_at),
        moment(row.expires_at),
        used,
    )
