"""One of many processes leads: a row says who, and until when. Whoever fails to renew it in time is succeeded.

Not a lock: for a moment two may believe that they lead (a paused process, clocks that differ by seconds). So only work
that does no harm twice may depend on it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import String, Table, or_, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from scrm.db import Base, affected
from scrm.dialects import UtcDateTime, insert_ignore


class Leadership(Base):
    """Who leads in a matter, and until when if he does not renew it. Written by this module only."""

    __tablename__ = "leadership"

    matter: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(96))
    until: Mapped[datetime] = mapped_column(UtcDateTime)


_TABLE = cast("Table", Leadership.__table__)


def lead(session: Session, matter: str, owner: str, *, now: datetime, term: timedelta) -> bool:
    """Take or renew the leadership for ``term``; False while somebody else's has not ended."""
    insert_ignore(session, Leadership, [{"matter": matter, "owner": owner, "until": now}])
    free = or_(_TABLE.c.owner == owner, _TABLE.c.until <= now)
    taken = update(_TABLE).where(_TABLE.c.matter == matter, free).values(owner=owner, until=now + term)
    return affected(session.execute(taken)) == 1


def resign(session: Session, matter: str, owner: str, *, now: datetime) -> None:
    """Let somebody else lead at once."""
    mine = update(_TABLE).where(_TABLE.c.matter == matter, _TABLE.c.owner == owner)
    session.execute(mine.values(until=now))
