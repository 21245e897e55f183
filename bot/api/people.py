"""How staff, channels and contacts appear inside other objects, and how a request names them."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.api.types import Answer
from scrm.accounts.models import Staff
from scrm.channels.models import Channel
from scrm.contacts.models import Contact
from scrm.errors import Invalid


class Ref(Answer):
    """Something by its id and name."""

    id: str
    name: str


class StaffRef(Answer):
    """A member by our id, WeCom's userid and name."""

    id: str
    userid: str
    name: str


def staff_ref(staff: Staff) -> StaffRef:
    """A member as other objects name them."""
    return StaffRef(id=staff.id, userid=staff.userid, name=staff.name)


def find_staff(session: Session, named: str) -> Staff | None:
    """The member a request names, by userid or by our id."""
    query = select(Staff).where(or_(Staff.userid == named, Staff.id == named)).order_by(Staff.userid != named)
    return session.scalars(query.limit(1)).first()


def get_staff(session: Session, named: str, field: str = "staff") -> Staff:
    """The member a request names. Raises Invalid at ``field``."""
    staff = find_staff(session, named)
    if staff is None:
        raise Invalid("staff_unknown", f"没有账号为「{named}」的员工，请核对", {field: "没有这位员工"})
    return staff


def staff_by_id(session: Session, ids: set[str]) -> dict[str, Staff]:
    """Our id → member, in one query."""
    if not ids:
        return {}
    return {row.id: row for row in session.scalars(select(Staff).where(Staff.id.in_(ids)))}


def contact_names(session: Session, ids: set[str]) -> dict[str, str]:
    """Contact id → name, in one query."""
    if not ids:
        return {}
    rows = session.execute(select(Contact.id, Contact.name).where(Contact.id.in_(ids)))
    return {contact_id: name for contact_id, name in rows}  # noqa: C416 - a Row is no plain pair to mypy


def get_channel(session: Session, named: str) -> Channel:
    """The channel a request names by id. Raises Invalid at ``channel``."""
    channel = session.get(Channel, named)
    if channel is None:
        raise Invalid("channel_unknown", f"没有编号为「{named}」的渠道，请核对", {"channel": "没有这个渠道"})
    return channel
