"""A corp with two reps and two channels, to which things happen: a payload in, rows and owed calls out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.context import Context, Corp
from handlers.dispatch import dispatch
from handlers.events import envelope
from handlers.xml import parse
from scrm.accounts.models import Staff
from scrm.channels.models import Channel, Scan
from scrm.contacts import service as contacts
from scrm.contacts.models import Contact, Relation
from scrm.inbox import service as inbox
from scrm.inbox.models import InboxEvent
from scrm.inbox.service import Arrival
from scrm.models import Base
from scrm.outbox.models import OutboxCall
from scrm.routing.models import Assignment
from scrm.timeline.models import TimelineEntry
from tests.envelopes import NOW, event_xml
from tests.scrm.channels.factory import code_of, make_channel, make_tag

CORP = Corp(ZoneInfo("Asia/Shanghai"), 1000002, "https://crm.example")
WHOM = "wm1"
HALF, ADD, EDIT = "add_half_external_contact", "add_external_contact", "edit_external_contact"
REMOVED, LOST, FAILED = "del_external_contact", "del_follow_user", "transfer_fail"


def second(number: float) -> datetime:
    return NOW + timedelta(seconds=number)


@dataclass
class Corporation:
    """A database, a channel, and ``happen`` to tell it what the platform says."""

    session: Session
    channel: Channel
    other: Channel
    rows: list[InboxEvent] = field(default_factory=list)

    def happen(
        self,
        change: str,
        at: float = 0,
        *,
        now: float | None = None,
        who: str = "zhangsan",
        whom: str = WHOM,
        **more: str,
    ) -> InboxEvent:
        """One event of second ``at``, received and handled at ``now`` (at once unless said)."""
        text = event_xml(
            change, UserID=who, ExternalUserID=whom, CreateTime=int(second(at).timestamp()), **more
        )
        about = envelope(parse(text))
        received_at = second(at if now is None else now)
        arrival = Arrival("wecom", about.kind, text, received_at, about.lane, about.priority, about.at)
        assert inbox.record(self.session, [arrival]) == 1, "the same event twice: use again()"
        row = self.session.scalars(select(InboxEvent).order_by(InboxEvent.id.desc()).limit(1)).one()
        self.rows.append(row)
        self.again(row)
        return row

    def again(self, row: InboxEvent, *, now: datetime | None = None) -> None:
        """Handle an event (again), as a replay does."""
        context = Context(now or row.received_at, row.received_at, row.id, CORP)
        assert dispatch(self.session, row, context) is True
        self.session.flush()
        self.session.expire_all()

    @property
    def state(self) -> str:
        return code_of(self.session, self.channel).state

    @property
    def contact(self) -> Contact:
        found = contacts.find_by_external_userid(self.session, WHOM)
        assert found is not None
        return found

    def staff(self, who: str = "zhangsan") -> Staff:
        return self.session.scalars(select(Staff).where(Staff.userid == who)).one()

    def relation(self, who: str = "zhangsan") -> Relation:
        found = contacts.find_relation(self.session, self.contact.id, self.staff(who).id)
        assert found is not None
        return found

    def calls(self, kind: str) -> list[OutboxCall]:
        query = select(OutboxCall).where(OutboxCall.command_kind == kind, OutboxCall.caused_by.is_not(None))
        return list(self.session.scalars(query.order_by(OutboxCall.id)))

    def timeline(self) -> list[str]:
        return list(self.session.scalars(select(TimelineEntry.kind).order_by(TimelineEntry.id)))

    def assignments(self) -> list[tuple[str, dict[str, Any]]]:
        found = self.session.scalars(select(Assignment).order_by(Assignment.id))
        return [(one.reason, one.detail) for one in found]

    def scans(self) -> list[tuple[str, datetime, bool]]:
        found = self.session.scalars(select(Scan).order_by(Scan.at))
        return [(scan.channel_id, scan.at, scan.is_new) for scan in found]


def make_corporation(session: Session) -> Corporation:
    """Two reps, a channel that tags and greets, another that does neither; no default welcome."""
    past = second(-86_400)
    make_tag(session, "展会", wecom_id="etFAIR")
    channel = make_channel(
        session,
        now=past,
        tags=["展会"],
        welcomes=[{"text": "{customer}您好，我是{rep}"}],
    )
    other = make_channel(session, now=past, name="官网", welcomes=[])
    session.flush()
    return Corporation(session, channel, other)


TABLES = [table for table in Base.metadata.sorted_tables if table.name != "inbox"]


def snapshot(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    session.flush()
    return {
        table.name: sorted((tuple(map(repr, row)) for row in session.execute(select(table))), key=repr)
        for table in TABLES
    }


def changes(session: Session, before: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """The rows that are new, gone or different, by table."""
    after = snapshot(session)
    found = {name: sorted(set(rows) ^ set(after[name]), key=repr) for name, rows in before.items()}
    return {name: rows for name, rows in found.items() if rows}
