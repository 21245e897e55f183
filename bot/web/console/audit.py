"""``/console/audit``: who did what, and whether the trail is whole."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from bot.web.bidi import plain
from bot.web.console import logs
from bot.web.console.door import Console, Visit
from bot.web.times import Moment
from scrm.accounts.models import Account, Staff
from scrm.accounts.roles import AUDIT_READ
from scrm.audit import service
from scrm.audit.models import AuditEntry
from scrm.channels.models import Channel
from scrm.contacts.models import Contact
from scrm.library.models import Material, Reply
from scrm.tags.models import Tag, TagGroup

PAGE = 50
_ID = re.compile(r"01[0-9A-Z]{24}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?\+\d\d:\d\d")
NAMED: Mapping[str, InstrumentedAttribute[str]] = {
    "account": Account.name,
    "channel": Channel.name,
    "contact": Contact.name,
    "material": Material.title,
    "reply": Reply.title,
    "staff": Staff.name,
    "tag": Tag.name,
    "tag_group": TagGroup.name,
}
PAGES: Mapping[str, tuple[str, str]] = {  # where an object is shown: endpoint, name of its id
    "account": ("account_page", "account_id"),
    "call": ("call_page", "call_id"),
    "channel": ("channel_page", "channel_id"),
    "contact": ("contact_page", "contact_id"),
    "event": ("event_page", "event_id"),
    "job": ("job_page", "job_id"),
    "material": ("material_edit", "item_id"),
    "reply": ("reply_edit", "item_id"),
    "staff": ("staff_page", "staff_id"),
    "tag": ("tag_page", "tag_id"),
    "tag_group": ("tag_group_page", "group_id"),
}


@dataclass(frozen=True)
class Line:
    """One deed as the page shows it; ``url`` leads to its object where that is still there."""

    n: int
    at: Moment
    who: str
    action: str
    target: str
    url: str
    detail: str
    address: str


def register(console: Console) -> None:
    """Put the pages at ``/console/audit``."""

    @console.get("/audit", AUDIT_READ)
    def audit_trail(visit: Visit) -> Response:
        before = logs.wanted_number("before")
        lines, more = _lines(visit, before)
        return visit.page("console/audit.html", lines=lines, more=more, before=before, verdict=None)

    @console.post("/audit/verify", AUDIT_READ)
    def verify_audit(visit: Visit) -> Response:
        with visit.read() as session:
            verdict = service.verify(session)
        lines, more = _lines(visit, None)
        return visit.page("console/audit.html", lines=lines, more=more, before=None, verdict=verdict)


def _lines(visit: Visit, before: int | None) -> tuple[list[Line], int | None]:
    """A page of deeds, newest first, and where the next one begins."""
    query = select(AuditEntry).order_by(AuditEntry.n.desc()).limit(PAGE + 1)
    if before is not None:
        query = query.where(AuditEntry.n < before)
    with visit.read() as session:
        entries = list(session.scalars(query))
        shown = entries[:PAGE]
        names = {
            kind: _names(session, column, {entry.object_id for entry in shown if entry.object_kind == kind})
            for kind, column in NAMED.items()
        }
    lines = [_line(visit, entry, names.get(entry.object_kind, {}).get(entry.object_id)) for entry in shown]
    return lines, shown[-1].n if len(entries) > PAGE else None


def _names(session: Session, column: InstrumentedAttribute[str], ids: Collection[str]) -> dict[str, str]:
    if not ids:
        return {}
    key = column.class_.id
    return dict(session.execute(select(key, column).where(key.in_(ids))).all())


def _line(visit: Visit, entry: AuditEntry, name: str | None) -> Line:
    kind = visit.t.find(f"object_{entry.object_kind}") or entry.object_kind
    kept = entry.detail.get("name") or entry.detail.get("title")
    called = name or kept or entry.object_id
    is_there = name is not None or (entry.object_kind in PAGES and entry.object_kind not in NAMED)
    return Line(
        entry.n,
        visit.calendar.moment(entry.at),
        plain(entry.actor_name),
        visit.t.find(f"deed_{entry.action}") or entry.action,
        plain(f"{kind} {called}".strip()),
        _url(visit, entry) if is_there else "",
        plain(_detail(visit, entry.detail)),
        entry.address,
    )


def _url(visit: Visit, entry: AuditEntry) -> str:
    endpoint, argument = PAGES[entry.object_kind]
    return visit.url(endpoint, **{argument: entry.object_id})


def _detail(visit: Visit, detail: Mapping[str, Any]) -> str:
    """What is kept with a deed, in words; what is empty says nothing."""
    told = []
    for key, value in detail.items():
        text = _text(visit, value)
        if text:
            told.append(f"{visit.t.find(f'detail_{key}') or key}{visit.t('colon')}{text}")
    return " · ".join(told)


def _text(visit: Visit, value: Any) -> str:
    if isinstance(value, bool):
        return visit.t("yes" if value else "no")
    if isinstance(value, list):
        return visit.t("join_words").join(_text(visit, each) for each in value)
    if isinstance(value, dict):
        return _detail(visit, value)
    text = "" if value is None else str(value)
    if _ID.fullmatch(text):  # what is meant stands beside it by name
        return ""
    return visit.calendar.moment(datetime.fromisoformat(text)).full if _INSTANT.fullmatch(text) else text
