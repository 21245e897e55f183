"""``/console/audit``: who did what, and whether the trail is whole."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, request
from sqlalchemy import select

from bot.web.bidi import plain
from bot.web.console.door import Console, Visit
from bot.web.times import Moment
from scrm.accounts.roles import AUDIT_READ
from scrm.audit import service
from scrm.audit.models import AuditEntry

PAGE = 50


@dataclass(frozen=True)
class Line:
    """One deed as the page shows it."""

    n: int
    at: Moment
    who: str
    action: str
    target: str
    detail: str
    address: str


def register(console: Console) -> None:
    """Put the pages at ``/console/audit``."""

    @console.get("/audit", AUDIT_READ)
    def audit_trail(visit: Visit) -> Response:
        before = request.args.get("before", "")
        entries = _entries(visit, int(before) if before.isascii() and before.isdigit() else None)
        more = entries[PAGE - 1].n if len(entries) > PAGE else None
        lines = [_line(visit, entry) for entry in entries[:PAGE]]
        return visit.page("console/audit.html", lines=lines, more=more, before=before, verdict=None)

    @console.post("/audit/verify", AUDIT_READ)
    def verify_audit(visit: Visit) -> Response:
        with visit.read() as session:
            verdict = service.verify(session)
        lines = [_line(visit, entry) for entry in _entries(visit, None)[:PAGE]]
        return visit.page("console/audit.html", lines=lines, more=None, before="", verdict=verdict)


def _entries(visit: Visit, before: int | None) -> list[AuditEntry]:
    query = select(AuditEntry).order_by(AuditEntry.n.desc()).limit(PAGE + 1)
    if before is not None:
        query = query.where(AuditEntry.n < before)
    with visit.read() as session:
        return list(session.scalars(query))


def _line(visit: Visit, entry: AuditEntry) -> Line:
    detail = " · ".join(f"{key}: {value}" for key, value in entry.detail.items())
    target = f"{entry.object_kind} {entry.object_id}".strip()
    action = visit.t.find(f"deed_{entry.action}") or entry.action
    return Line(
        entry.n,
        visit.calendar.moment(entry.at),
        plain(entry.actor_name),
        action,
        target,
        plain(detail),
        entry.address,
    )
