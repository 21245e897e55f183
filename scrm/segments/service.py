"""Keep filters under names. A segment holds what was asked for, never who fits: each looks with their own reach."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from scrm.errors import Conflict, Invalid, NotFound, Refused
from scrm.ids import new_id
from scrm.segments.models import Segment

LONGEST_NAME = 64
MOST = 50  # of one account


def list_segments(session: Session, account_id: str, *, limit: int) -> list[Segment]:
    """One's own in their order, then what others share."""
    mine = Segment.account_id == account_id
    query = select(Segment).where(or_(mine, Segment.is_shared.is_(True)))
    return list(session.scalars(query.order_by(mine.desc(), Segment.position, Segment.id).limit(limit)))


def list_shared(session: Session, *, after: str = "", limit: int) -> list[Segment]:
    """What everybody sees, oldest first; ``after`` is the last id of the page before."""
    query = select(Segment).where(Segment.is_shared.is_(True), Segment.id > after)
    return list(session.scalars(query.order_by(Segment.id).limit(limit)))


def get_segment(session: Session, account_id: str, segment_id: str) -> Segment:
    """One's own, or a shared one. Raises NotFound."""
    found = session.get(Segment, segment_id)
    if found is None or not (found.is_shared or found.account_id == account_id):
        raise NotFound("segment_not_found", "没有这个人群，可能已被删除；请刷新页面")
    return found


def save_segment(
    session: Session,
    account_id: str,
    name: str,
    query: Mapping[str, str],
    *,
    is_shared: bool,
    now: datetime,
) -> Segment:
    """A new one behind one's others. Raises Invalid, and Conflict where one's own has that name."""
    if not query:
        raise Invalid("segment_empty", "请先选好条件，再存为人群", {"name": "没有条件"})
    count, last = session.execute(
        select(func.count(), func.max(Segment.position)).where(Segment.account_id == account_id)
    ).one()
    if count >= MOST:
        raise Invalid("segments_full", f"每人最多保存 {MOST} 个人群，请先删除不用的", {"name": "已达上限"})
    made = Segment(
        id=new_id(),
        account_id=account_id,
        name=_free_name(session, account_id, name),
        is_shared=is_shared,
        query={key: [value] for key, value in query.items()},
        position=(last or 0) + 1,
        created_at=now,
        updated_at=now,
    )
    session.add(made)
    session.flush()
    return made


def change_segment(
    session: Session, account_id: str, segment_id: str, *, name: str, is_shared: bool, now: datetime
) -> Segment:
    """Another name, shown to all or to oneself. Raises NotFound, Refused, Invalid, Conflict."""
    segment = _own(session, account_id, segment_id)
    segment.name = _free_name(session, account_id, name, but=segment_id)
    segment.is_shared, segment.updated_at = is_shared, now
    return segment


def delete_segment(session: Session, account_id: str, segment_id: str) -> Segment:
    """It is gone; what it was can be saved again. Raises NotFound, Refused."""
    segment = _own(session, account_id, segment_id)
    session.delete(segment)
    session.flush()
    return segment


def asked_for(segment: Segment) -> dict[str, str]:
    """The filters, as the list's address has them."""
    return {name: values[0] for name, values in segment.query.items() if values}


def _own(session: Session, account_id: str, segment_id: str) -> Segment:
    segment = get_segment(session, account_id, segment_id)
    if segment.account_id != account_id:
        raise Refused("segment_of_other", "这个人群由同事共享，只有建立者可以修改或删除")
    return segment


def _free_name(session: Session, account_id: str, name: str, *, but: str = "") -> str:
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise Invalid(
            "segment_name", f"人群名称为 1-{LONGEST_NAME} 个字符", {"name": f"1-{LONGEST_NAME} 个字符"}
        )
    same = select(Segment.id).where(Segment.account_id == account_id, Segment.name == name, Segment.id != but)
    if session.scalar(same.limit(1)) is not None:
        raise Conflict("segment_exists", f"您已有名为「{name}」的人群，请换一个名称")
    return name
