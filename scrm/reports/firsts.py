"""How far a new corp has come: what the first-run checklist looks at. Each is one look that ends at the first row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.channels.models import ChannelCode, Scan
from scrm.contacts.models import Contact
from scrm.inbox.models import InboxEvent


@dataclass(frozen=True)
class Firsts:
    """What has happened at least once."""

    is_connected: bool  # the platform has sent or answered something
    has_staff: bool
    has_channel: bool  # with a code that works
    has_scan: bool
    has_contacts: bool


def firsts(session: Session) -> Firsts:
    """Look: five short queries."""
    return Firsts(
        is_connected=_any(session, select(InboxEvent.id)),
        has_staff=_any(session, select(Staff.id)),
        has_channel=_any(session, select(ChannelCode.id).where(ChannelCode.config_id.is_not(None))),
        has_scan=_any(session, select(Scan.id)),
        has_contacts=_any(session, select(Contact.id)),
    )


def _any(session: Session, query: Any) -> bool:
    return session.execute(query.limit(1)).first() is not None
