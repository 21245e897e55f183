"""A rep is told of a customer who was handed to them by a person."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.contacts.models import Contact
from scrm.outbox import service as outbox
from scrm.outbox.commands import NotifyStaff
from scrm.routing.models import Assignment


def tell_new_owner(
    session: Session,
    contact: Contact,
    staff: Staff,
    made: Assignment,
    *,
    by: str,
    agent_id: int,
    url: str,
    now: datetime,
) -> None:
    """Owe the new owner a message: who it is, who decided, and why; ``url`` is where they read about the contact."""
    note = str(made.detail.get("note") or "")
    notice = NotifyStaff(
        userid=staff.userid,
        staff=staff.name,
        agent_id=agent_id,
        title=f"客户转给您：{contact.name or '一位微信客户'}"[:40],
        description=(f"{by} 把这位客户分配给您" + (f"\n原因：{note}" if note else ""))[:170],
        url=url,
        unique=f"owner:{made.id}",
    )
    outbox.enqueue(session, notice, now=now, contact_id=contact.id)
