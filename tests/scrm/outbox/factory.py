"""Calls in every shape, and short ways to put, claim and look at them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.contacts.models import Contact
from scrm.ids import new_id
from scrm.outbox import claims
from scrm.outbox import service as outbox
from scrm.outbox.commands import (
    AddContactWay,
    Command,
    FetchContact,
    MarkTags,
    NotifyStaff,
    SendWelcome,
    SetRemark,
)
from scrm.outbox.models import OutboxAttempt, OutboxCall, Recovery
from scrm.outbox.service import Outcome, Verdict
from tests.envelopes import NOW

WHO, WHOM = "zhangsan", "wm1"


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def welcome(code: str = "CODE", *, whom: str = WHOM, text: str = "您好") -> SendWelcome:
    return SendWelcome(welcome_code=code, userid=WHO, external_userid=whom, text=text)


def remark(unique: str = "1", *, whom: str = WHOM) -> SetRemark:
    return SetRemark(userid=WHO, external_userid=whom, remark="王总", unique=unique)


def mark(unique: str = "1", *, whom: str = WHOM) -> MarkTags:
    return MarkTags(userid=WHO, external_userid=whom, add=["et1"], unique=unique)


def notice(unique: str = "1", *, who: str = WHO) -> NotifyStaff:
    return NotifyStaff(
        userid=who,
        agent_id=1000002,
        title="新客户：王",
        description="来源：展会",
        url="https://x/1",
        unique=unique,
    )


def way(state: str = "ch_1") -> AddContactWay:
    return AddContactWay(channel_id="c1", state=state, users=[WHO])


def fetch(unique: str = "1", *, whom: str = WHOM) -> FetchContact:
    return FetchContact(external_userid=whom, unique=unique)


RECOVERIES: dict[Recovery, Command] = {
    Recovery.REPEAT: remark(),
    Recovery.WINDOW: notice(),
    Recovery.LOOKUP: way(),
    Recovery.OPERATOR: remark("operator"),
}


def put(session: Session, command: Command, **changes: Any) -> bool:
    return outbox.enqueue(session, command, **{"now": NOW, **changes})


def put_with(session: Session, recovery: Recovery, **changes: Any) -> OutboxCall:
    """A row that recovers this way. No command of today is an operator's, so that one is told by its row."""
    put(session, RECOVERIES[recovery], **changes)
    row = rows(session)[-1]
    row.recovery = recovery
    session.flush()
    return row


def make_contact(session: Session) -> str:
    contact = Contact(id=new_id(), name="王", created_at=NOW)
    session.add(contact)
    session.flush()
    return contact.id


def claim(
    session: Session, *, at: datetime = NOW, owner: str = "w1", limit: int = 20, **more: Any
) -> list[OutboxCall]:
    return claims.claim_calls(session, owner=owner, now=at, limit=limit, **more)


def rows(session: Session) -> list[OutboxCall]:
    """All calls as the database has them."""
    session.flush()
    session.expire_all()
    return list(session.scalars(select(OutboxCall).order_by(OutboxCall.id)))


def attempts(session: Session) -> list[OutboxAttempt]:
    session.flush()
    session.expire_all()
    return list(session.scalars(select(OutboxAttempt).order_by(OutboxAttempt.outbox_id, OutboxAttempt.n)))


def facts(row: OutboxCall) -> tuple[Any, ...]:
    return (
        row.state,
        row.attempts,
        row.available_at,
        row.lease_owner,
        row.lease_token,
        row.uncertain,
        row.errcode,
        row.reason,
        row.done_at,
    )


def outcome(verdict: Verdict, **more: Any) -> Outcome:
    return Outcome(verdict, **more)


def finish(
    session: Session, row: OutboxCall, verdict: Verdict, *, at: datetime = NOW, **more: Any
) -> OutboxCall:
    """Record it; the row as the database has it then."""
    outbox.finish(session, row, outcome(verdict, **more), now=at)
    session.flush()
    session.expire(row)
    return row


def claimed(session: Session, command: Command, *, at: datetime = NOW, **changes: Any) -> OutboxCall:
    put(session, command, **changes)
    (row,) = claim(session, at=at)
    return row
