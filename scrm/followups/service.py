"""Write follow-ups."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff, StaffStatus
from scrm.contacts.models import Relation
from scrm.contacts.service import find_relation, get_contact
from scrm.db import affected
from scrm.errors import Invalid
from scrm.followups.models import Followup, FollowupKind
from scrm.ids import new_id
from scrm.tasks import service as tasks
from scrm.tasks.models import TaskSource
from scrm.timeline import service as timeline

MAX_CONTENT = 2000
MAX_NEXT_STEP = 200
CLOCK_SKEW = timedelta(minutes=5)  # a phone's clock may run ahead of ours
UNNAMED_STEP = "下次跟进"


def add_followup(  # noqa: PLR0913 - one per column, all by keyword
    session: Session,
    contact_id: str,
    *,
    staff_id: str,
    kind: FollowupKind,
    content: str,
    now: datetime,
    actor: str,
    at: datetime | None = None,
    next_step: str | None = None,
    next_at: datetime | None = None,
) -> Followup:
    """Write down what a rep did with a contact; the timeline tells it, and the rep has responded since then.

    What the rep had planned for this contact and is due by now, is done with it; what is planned next, with a time,
    becomes a task.

    ``at`` is when it happened (now, if not said). Raises NotFound for the contact, Invalid for the rest.
    """
    get_contact(session, contact_id)
    at = at or now
    staff = session.get(Staff, staff_id)
    _check(staff, content=content, at=at, next_step=next_step, next_at=next_at, now=now)
    followup = Followup(
        id=new_id(),
        contact_id=contact_id,
        staff_id=staff_id,
        kind=kind,
        content=content.strip(),
        at=at,
        next_step=(next_step or "").strip() or None,
        next_at=next_at,
        created_at=now,
        created_by=actor[:128],
    )
    session.add(followup)
    session.flush()
    _note_response(session, contact_id, staff_id, at)
    tasks.close_due(session, contact_id, staff_id, actor=actor, now=now)
    _plan(session, followup, staff, actor)
    detail = {"staff": staff.name if staff else None, "content": followup.content, "followup_id": followup.id}
    if followup.next_step:
        detail["next_step"] = followup.next_step
    timeline.append(
        session,
        contact_id,
        f"followup.{kind.value}",
        at=at,
        actor=actor,
        detail=detail,
        key=f"followup:{followup.id}",
    )
    return followup


def _plan(session: Session, followup: Followup, staff: Staff | None, actor: str) -> None:
    """The next step, if it has a time, is something to do; for nobody who has left."""
    if followup.next_at is None or staff is None or staff.status is not StaffStatus.ACTIVE:
        return
    tasks.create_task(
        session,
        followup.contact_id,
        staff_id=followup.staff_id,
        title=followup.next_step or UNNAMED_STEP,
        due_at=followup.next_at,
        source=TaskSource.FOLLOWUP,
        actor=actor,
        now=followup.created_at,
        key=f"followup:{followup.id}",
    )


def _check(
    staff: Staff | None,
    *,
    content: str,
    at: datetime,
    next_step: str | None,
    next_at: datetime | None,
    now: datetime,
) -> None:
    fields = {}
    if staff is None:
        fields["staff"] = "没有这位员工"
    if not 1 <= len(content.strip()) <= MAX_CONTENT:
        fields["content"] = f"请填写 1-{MAX_CONTENT} 个字的跟进内容"
    if at > now + CLOCK_SKEW:
        fields["at"] = "跟进时间不能晚于现在"
    if next_step is not None and len(next_step.strip()) > MAX_NEXT_STEP:
        fields["next_step"] = f"最多 {MAX_NEXT_STEP} 个字"
    if next_at is not None and next_at <= now:
        fields["next_at"] = "下次跟进时间应晚于现在"
    if fields:
        told = "；".join(fields.values())
        raise Invalid("followup_invalid", f"跟进没有保存：{told}", fields)


def _note_response(session: Session, contact_id: str, staff_id: str, at: datetime) -> None:
    """The first follow-up after the add is the rep's first response; later ones change nothing."""
    relation = find_relation(session, contact_id, staff_id)
    if relation is None:
        return
    # One conditional UPDATE: of two follow-ups at once, one is the first.
    first = update(Relation).where(
        Relation.id == relation.id, Relation.first_response_at.is_(None), Relation.added_at <= at
    )
    changed = session.execute(first.values(first_response_at=at).execution_options(synchronize_session=False))
    if affected(changed):
        session.refresh(relation, ["first_response_at"])
