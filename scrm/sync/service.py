"""Start and end a sync, keep its pages, and say what is still to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from scrm.accounts import service as accounts
from scrm.accounts.models import Department, Staff, StaffStatus
from scrm.accounts.rules import StaffProfile
from scrm.channels.models import ChannelCode
from scrm.errors import Conflict
from scrm.groups.models import GroupChat
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent
from scrm.jobs import service as jobs
from scrm.jobs.models import Job, JobState
from scrm.outbox.commands import SendWelcome
from scrm.outbox.models import OutboxCall
from scrm.sync import rules
from scrm.timeline import service as timeline

KIND = "sync"
PRIORITY = 6  # behind everything that happens now
MISSED = "missed"  # where the report keeps missed welcomes until the end of the job
BATCH = 100  # members per call of batch/get_by_user (path/92994)


def start_sync(session: Session, *, created_by: str, now: datetime) -> Job:
    """The sync to run: a new one, or the one a killed process left. Raises Conflict while another is at work."""
    left = jobs.find_open_job(session, KIND)
    if left is not None and jobs.is_abandoned(left, now=now):
        return left
    if left is not None:
        how_far = f"已完成 {left.done}/{left.total or '?'}"
        raise Conflict(
            "sync_running",
            f"核对任务 {left.id} 正在进行（{how_far}）；若执行它的进程已中断，最多 2 分钟后即可接着做",
        )
    since = watched_since(session)
    params = {"since": since.isoformat() if since else None}
    return jobs.start_job(session, KIND, params=params, created_by=created_by, now=now)


def watched_since(session: Session) -> datetime | None:
    """From when on an add we do not know of was missed: the last sync, else our first callback. None: never.

    A little earlier, for clocks that differ: what was there before is known, so this names nobody wrongly.
    """
    last = select(func.max(Job.started_at)).where(Job.kind == KIND, Job.state == JobState.DONE)
    found: datetime | None = session.scalar(last)
    if found is None:
        first = select(InboxEvent.received_at).where(InboxEvent.kind.like("wecom.%"))
        found = session.scalar(first.order_by(InboxEvent.id).limit(1))
    return found - rules.CLOCKS_APART if found else None


def last_sync(session: Session) -> Job | None:
    """The sync that started last."""
    return session.scalars(select(Job).where(Job.kind == KIND).order_by(Job.id.desc()).limit(1)).first()


@dataclass(frozen=True)
class Page:
    """One answer of the platform within a sync; ``answer`` is None when it refused with ``errcode``."""

    api: str
    key: str
    command: Mapping[str, Any]
    answer: Mapping[str, Any] | None
    at: datetime
    errcode: int | None = None
    reason: str | None = None


def keep_page(session: Session, job: Job, page: Page) -> None:
    """Record a page as an event, once. The caller saves the job's progress in the same transaction."""
    body = {
        "call_id": None,
        "state": "sent" if page.answer is not None else "failed",
        "errcode": page.errcode,
        "reason": page.reason,
        "command": {"job_id": job.id, **page.command},
        "answer": page.answer,
    }
    inbox.record_answer(
        session, page.api, body, key=page.key, now=page.at, lane=rules.lane(job.id), priority=PRIORITY
    )


def count_waiting(session: Session, job_id: int) -> int:
    """How many pages of the job have not taken effect yet."""
    waiting = InboxEvent.state.in_((EventState.PENDING, EventState.LEASED))
    query = select(func.count()).select_from(InboxEvent).where(InboxEvent.lane == rules.lane(job_id), waiting)
    return session.scalar(query) or 0


def count_dead(session: Session, job_id: int) -> int:
    """How many pages of the job could not be applied."""
    query = select(func.count()).select_from(InboxEvent).where(InboxEvent.lane == rules.lane(job_id))
    return session.scalar(query.where(InboxEvent.state == EventState.DEAD)) or 0


# --- what is to be read


def department_ids(session: Session, *, after: int) -> list[int]:
    """Departments still to be read, in order."""
    return list(session.scalars(select(Department.id).where(Department.id > after).order_by(Department.id)))


def unseen_staff(session: Session, *, before: datetime, after: str, limit: int = 500) -> list[Staff]:
    """Members who should be here but were in no department read since ``before``: to be read one by one."""
    unseen = select(Staff).where(
        Staff.status != StaffStatus.LEFT, Staff.updated_at < before, Staff.id > after
    )
    return list(session.scalars(unseen.order_by(Staff.id).limit(limit)))


def next_batch(session: Session, *, after: str) -> list[Staff]:
    """The next members whose contacts are to be read; at most BATCH."""
    serving = select(Staff).where(
        Staff.serves.is_(True), Staff.status == StaffStatus.ACTIVE, Staff.id > after
    )
    return list(session.scalars(serving.order_by(Staff.id).limit(BATCH)))


def codes_after(session: Session, *, after: str, limit: int = 200) -> list[ChannelCode]:
    """Our contact ways still to be read."""
    codes = select(ChannelCode).where(ChannelCode.config_id.is_not(None), ChannelCode.id > after)
    return list(session.scalars(codes.order_by(ChannelCode.id).limit(limit)))


def has_codeless_channel(session: Session) -> bool:
    """Whether a channel waits for its contact way, which may exist at the platform unknown to us."""
    return session.scalar(select(ChannelCode.id).where(ChannelCode.config_id.is_(None)).limit(1)) is not None


def known_config_ids(session: Session, config_ids: Sequence[str]) -> set[str]:
    """Which of these contact ways are ours already."""
    known = select(ChannelCode.config_id).where(ChannelCode.config_id.in_(config_ids))
    return {config_id for config_id in session.scalars(known) if config_id}


def count_staff(session: Session, *, after: str = "") -> int:
    """How many members' contacts are still to be read."""
    serving = select(func.count()).select_from(Staff).where(Staff.serves.is_(True), Staff.id > after)
    return session.scalar(serving.where(Staff.status == StaffStatus.ACTIVE)) or 0


def count_codes(session: Session) -> int:
    """How many contact ways a sync reads."""
    return session.scalar(select(func.count()).select_from(ChannelCode)) or 0


def unread_groups(session: Session, *, before: datetime, after: str, limit: int = 200) -> list[str]:
    """Chat ids of groups that are not over and were not read since ``before``, in order."""
    unread = _unread_groups(before, GroupChat.chat_id).where(GroupChat.chat_id > after)
    return list(session.scalars(unread.order_by(GroupChat.chat_id).limit(limit)))


def count_unread_groups(session: Session, *, before: datetime) -> int:
    """How many groups are still to be read."""
    return session.scalar(_unread_groups(before, func.count())) or 0


def _unread_groups(before: datetime, what: Any) -> Select[Any]:
    """A read of the table of groups: some thousand rows, once a night."""
    is_old = or_(GroupChat.read_at.is_(None), GroupChat.read_at < before)
    return select(what).select_from(GroupChat).where(GroupChat.dismissed_at.is_(None), is_old)


# --- staff pages


def apply_staff_page(
    session: Session, members: Sequence[Mapping[str, Any]], *, job_id: int | None, at: datetime
) -> None:
    """Take over the members of one department; rows that know something newer stay."""
    profiles = [StaffProfile.from_wecom(member) for member in members if member.get("userid")]
    query = select(Staff).where(Staff.userid.in_([profile.userid for profile in profiles]))
    before = {staff.userid: (staff, staff.status) for staff in session.scalars(query)} if profiles else {}
    news = [
        profile
        for profile in profiles
        if profile.userid not in before or accounts.is_news(before[profile.userid][0], at)
    ]
    rows = accounts.upsert_staff_rows(session, news, now=at)
    left = StaffStatus.LEFT
    report = {
        "staff_added": [rows[p.userid].name for p in news if p.userid not in before],
        "staff_back": [
            rows[p.userid].name
            for p in news
            if p.userid in before and before[p.userid][1] == left and rows[p.userid].status != left
        ],
        "staff_left": [
            rows[p.userid].name
            for p in news
            if p.userid in before and before[p.userid][1] != left and rows[p.userid].status == left
        ],
    }
    jobs.add_to_report(session, job_id, report)


def apply_followers(session: Session, userids: Sequence[str], *, job_id: int | None, now: datetime) -> None:
    """Who may serve customers. An empty list is taken for a lost permission of ours, and changes nothing."""
    if not userids:
        text = "企业微信没有返回任何可服务客户的成员：请检查应用是否在「客户联系 → 可调用接口的应用」中"
        jobs.add_to_report(session, job_id, {"warnings": [text]})
        return
    changes = accounts.set_followers(session, userids, now=now)
    jobs.add_to_report(session, job_id, {"followers_gained": changes.gained, "followers_lost": changes.lost})


# --- the end


def finish_sync(session: Session, job: Job, *, now: datetime) -> dict[str, Any]:
    """Close the job and its report: a welcome counts as missed when none was owed after all. Raises LeaseLost."""
    row = jobs.get_job(session, job.id)
    report = dict(row.report)
    missed: list[dict[str, Any]] = report.pop(MISSED, [])
    count = report.pop(f"{MISSED}_count", 0)
    owed = set(
        session.scalars(
            select(OutboxCall.contact_id).where(
                OutboxCall.contact_id.in_({entry["contact_id"] for entry in missed}),
                OutboxCall.command_kind == SendWelcome.__name__,
                OutboxCall.created_at >= (job.started_at or now),
            )
        )
    )
    told = [entry for entry in missed if entry["contact_id"] not in owed]
    for entry in told:
        timeline.append(
            session,
            entry["contact_id"],
            "welcome.not_owed",
            at=now,
            detail={"reason": "callback_missed", "userid": entry["userid"]},
            key=f"welcome.missed:{entry['contact_id']}:{entry['userid']}:{entry['since']}",
        )
    report["missed_welcomes"] = [entry["text"] for entry in told]
    report["missed_welcomes_count"] = count - len(missed) + len(told)
    if dead := count_dead(session, job.id):
        report["failed_pages"] = dead
    row.report = job.report = report
    session.flush()
    jobs.finish(session, job, now=now)
    return report
