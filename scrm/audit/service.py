"""Append to the audit trail and check that nobody touched it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from scrm.audit.models import AuditEntry, AuditHead
from scrm.dialects import insert_ignore

HEAD = 1
GENESIS = "0" * 64
PAGE = 1000


@dataclass(frozen=True)
class Deed:
    """Who did what to which object. ``detail`` holds no secret and no phone number."""

    actor: str
    actor_name: str
    action: str
    object_kind: str = ""
    object_id: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    address: str = ""


@dataclass(frozen=True)
class Verdict:
    """How many entries were checked, and the first that is not what was written; None when all are."""

    checked: int
    broken_at: int | None = None


def append(session: Session, deed: Deed, *, now: datetime) -> AuditEntry:
    """Write a deed down, in the transaction that does it: both happen or neither. Entries queue at one row."""
    head = _lock_head(session)
    entry = AuditEntry(
        n=head.n + 1,
        at=now,
        actor=deed.actor[:80],
        actor_name=deed.actor_name[:128],
        action=deed.action,
        object_kind=deed.object_kind,
        object_id=deed.object_id[:80],
        detail=deed.detail,
        address=deed.address[:64],
    )
    entry.digest = digest(entry, head.digest)
    session.add(entry)
    session.flush()
    session.execute(update(AuditHead).where(AuditHead.id == HEAD).values(n=entry.n, digest=entry.digest))
    return entry


def _lock_head(session: Session) -> AuditHead:
    """The head, ours until the transaction ends; made before the first entry."""
    head = select(AuditHead).where(AuditHead.id == HEAD).with_for_update()
    found = session.scalars(head.execution_options(populate_existing=True)).one_or_none()
    if found is not None:
        return found
    insert_ignore(session, AuditHead, [{"id": HEAD, "n": 0, "digest": GENESIS}])
    return session.scalars(head).one()


def count_deeds(session: Session, actor: str, action: str, *, since: datetime) -> int:
    """How often somebody did this since then. After an ``append`` of the same transaction nobody can slip between."""
    found = select(func.count()).where(
        AuditEntry.actor == actor, AuditEntry.action == action, AuditEntry.at >= since
    )
    return session.scalar(found) or 0


def verify(session: Session) -> Verdict:
    """Walk the whole chain: an entry changed, removed, added or moved breaks it, and so does a cut tail."""
    checked, before = 0, GENESIS
    for entry in _walk(session):
        if entry.n != checked + 1 or not hmac.compare_digest(entry.digest, digest(entry, before)):
            return Verdict(checked, checked + 1)
        checked, before = entry.n, entry.digest
    head = session.get(AuditHead, HEAD)
    if head is not None and (head.n, head.digest) != (checked, before):
        return Verdict(checked, checked + 1)
    return Verdict(checked)


def _walk(session: Session) -> Iterator[AuditEntry]:
    last = 0
    while True:
        page = session.scalars(
            select(AuditEntry).where(AuditEntry.n > last).order_by(AuditEntry.n).limit(PAGE)
        ).all()
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1].n
        session.expunge_all()


def digest(entry: AuditEntry, before: str) -> str:
    """What ties an entry to the one before it."""
    told = {
        "n": entry.n,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "actor_name": entry.actor_name,
        "action": entry.action,
        "object": [entry.object_kind, entry.object_id],
        "detail": entry.detail,
        "address": entry.address,
    }
    text = json.dumps(told, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()
