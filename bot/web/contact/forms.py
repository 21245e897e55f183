"""The follow-up form: what was sent, whether it can be kept, and that it is kept once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.web.times import Calendar
from scrm.accounts.models import IdempotencyKey
from scrm.dialects import insert_ignore
from scrm.followups.models import FollowupKind
from scrm.followups.service import MAX_CONTENT, MAX_NEXT_STEP

NEXT_DAYS = {"1": 1, "3": 3, "7": 7}
NEXT_CHOICES = ("none", *NEXT_DAYS, "pick")
MORNING, EVENING, MIDNIGHT = time(9), time(18), time(23, 59, 59)
FARTHEST = timedelta(days=730)
_FIRST_PRINTABLE, _DELETE = 32, 127


@dataclass(frozen=True)
class Draft:
    """The form as it was sent, or as it is first shown."""

    kind: str = "note"
    content: str = ""
    next: str = "none"
    date: str = ""
    next_step: str = ""

    @property
    def fingerprint(self) -> str:
        """What makes two sendings the same one."""
        parts = (self.kind, self.content, self.next, self.date, self.next_step)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Checked:
    """A follow-up that can be kept, unless ``errors`` (field → text key and its values) says why not."""

    kind: FollowupKind = FollowupKind.NOTE
    content: str = ""
    next_step: str | None = None
    next_at: datetime | None = None
    errors: dict[str, tuple[str, dict[str, int]]] = field(default_factory=dict)


class Claim(StrEnum):
    """What became of a form's one chance."""

    FIRST = "first"
    AGAIN = "again"  # the same content was kept before
    OTHER = "other"  # it was used for another content


def read(form: Mapping[str, str]) -> Draft:
    """What was sent, without what no database keeps and nobody sees."""
    chosen = form.get("next", "none")
    day = form.get("date", "").strip()[:10]
    return Draft(
        kind=form.get("kind", "note"),
        content=clean(form.get("content", "")),
        next="pick" if chosen == "none" and day else chosen,
        date=day,
        next_step=" ".join(clean(form.get("next_step", "")).split()),
    )


def clean(text: str) -> str:
    """Lines end in one way; control characters are gone."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        c for c in text if c in "\n\t" or (ord(c) >= _FIRST_PRINTABLE and ord(c) != _DELETE)
    ).strip()


def check(draft: Draft, calendar: Calendar) -> Checked:
    """The follow-up, or what is wrong with it."""
    errors: dict[str, tuple[str, dict[str, int]]] = {}
    if draft.kind not in list(FollowupKind):
        errors["kind"] = ("error_kind", {})
    if not draft.content:
        errors["content"] = ("error_content_empty", {})
    elif len(draft.content) > MAX_CONTENT:
        errors["content"] = ("error_content_long", {"most": MAX_CONTENT, "now": len(draft.content)})
    if len(draft.next_step) > MAX_NEXT_STEP:
        errors["next_step"] = ("error_next_step_long", {"most": MAX_NEXT_STEP})
    next_at, problem = due(draft, calendar)
    if problem:
        errors["date"] = (problem, {})
    if errors:
        return Checked(errors=errors)
    return Checked(FollowupKind(draft.kind), draft.content, draft.next_step or None, next_at)


def due(draft: Draft, calendar: Calendar) -> tuple[datetime | None, str | None]:
    """When the chosen day's work is due, or the key of what is wrong with the choice."""
    day, problem = _day(draft, calendar)
    return (_instant(day, calendar) if day else None), problem


def _day(draft: Draft, calendar: Calendar) -> tuple[date | None, str | None]:
    """The day of the next follow-up, or the key of what is wrong with it."""
    if draft.next in NEXT_DAYS:
        return calendar.in_days(NEXT_DAYS[draft.next]), None
    if draft.next != "pick":
        return None, None
    if not draft.date:
        return None, "error_date_missing"
    try:
        day = date.fromisoformat(draft.date)
    except ValueError:
        return None, "error_date_wrong"
    if day < calendar.today:
        return None, "error_date_past"
    return (day, None) if day <= calendar.today + FARTHEST else (None, "error_date_far")


def _instant(day: date, calendar: Calendar) -> datetime:
    """The morning of that day; today, the next hour that makes sense."""
    hours = (MORNING, EVENING, MIDNIGHT)
    moments = (datetime.combine(day, hour, calendar.tz) for hour in hours)
    return next((moment for moment in moments if moment > calendar.now), calendar.now + timedelta(minutes=1))


def claim(session: Session, nonce: str, owner_id: str, draft: Draft, *, now: datetime) -> Claim:
    """Use the one chance of this person's form, in the transaction of the follow-up."""
    key = f"form:{nonce}"
    row = {"token_id": owner_id, "key": key, "request_hash": draft.fingerprint, "created_at": now}
    if insert_ignore(session, IdempotencyKey, [row]) == 1:
        return Claim.FIRST
    kept = session.scalar(
        select(IdempotencyKey.request_hash).where(
            IdempotencyKey.token_id == owner_id, IdempotencyKey.key == key
        )
    )
    return Claim.AGAIN if kept == draft.fingerprint else Claim.OTHER
