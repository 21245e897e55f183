"""What is stuck: events, calls, codes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.check.findings import Check, Finding, listed
from scrm.accounts.models import Staff, StaffStatus
from scrm.channels.models import Channel, ChannelCode
from scrm.inbox import queries as inbox
from scrm.inbox.models import EventState
from scrm.outbox.models import CallState, OutboxCall
from scrm.outbox.pause import find_pause, list_waiting

EVENTS = Check("events", "收到的事件")
WAITING = Check("waiting", "等待处理")
CALLS = Check("calls", "结果未知的调用")
PAUSED = Check("paused", "发送开关")
CODES = Check("codes", "渠道码")
MEMBERS = Check("code_members", "渠道码成员")

LATE = timedelta(minutes=2)


def check_backlog(session: Session, now: datetime, followers: Sequence[str] | None) -> list[Finding]:
    """Events, calls and codes; ``followers`` is who may serve customers according to the platform, if it was asked."""
    events = inbox.count_by_state(session)
    return [
        *_events(events),
        _waiting(inbox.oldest_pending(session), now),
        _calls(session),
        _paused(session, now),
        _codes(session),
        _members(session, followers),
    ]


def _events(counts: dict[str, int]) -> list[Finding]:
    dead, quarantined = counts.get(EventState.DEAD, 0), counts.get(EventState.QUARANTINED, 0)
    found = []
    if dead:
        advice = "先用 lianke dry-run 编号 看原因，修好后运行 lianke replay --dead"
        found.append(EVENTS.warn(f"{dead} 个事件多次处理失败，已停下", advice))
    if quarantined:
        advice = "时间戳与服务器相差超过 5 分钟：确认时钟和来源后运行 lianke replay --quarantined"
        found.append(EVENTS.warn(f"{quarantined} 个事件被隔离", advice))
    return found or [EVENTS.ok(f"{sum(counts.values())} 个，没有失败或被隔离的")]


def _waiting(oldest: datetime | None, now: datetime) -> Finding:
    if oldest is None or now - oldest < LATE:
        return WAITING.ok("没有积压")
    minutes = int((now - oldest).total_seconds() // 60)
    return WAITING.warn(
        f"最早的事件已等了 {minutes} 分钟", "确认 lianke serve（或工作进程）在运行，并查看它的日志"
    )


def _calls(session: Session) -> Finding:
    stuck = (OutboxCall.state == CallState.UNKNOWN, OutboxCall.available_at.is_(None))
    count = session.scalar(select(func.count()).select_from(OutboxCall).where(*stuck)) or 0
    if not count:
        return CALLS.ok("没有")
    apis = list(session.scalars(select(OutboxCall.api).where(*stuck).distinct().limit(20)))
    return CALLS.warn(
        f"{count} 个调用不知道是否生效：{listed(apis)}",
        "请人工核对后决定是否重发：GET /api/v1/calls?state=unknown，POST /api/v1/calls/编号/retry",
    )


def _paused(session: Session, now: datetime) -> Finding:
    found = find_pause(session)
    if found is None:
        return PAUSED.ok("没有暂停")
    count = sum(item.count for item in list_waiting(session, now=now))
    return PAUSED.warn(
        f"发送已暂停（{found.reason}），{count} 个调用在等，新客户也收不到欢迎语",
        "运行 lianke outbox status 看会发什么，再运行 lianke outbox resume",
    )


def _codes(session: Session) -> Finding:
    rows = session.execute(
        select(Channel.name, ChannelCode.config_id, ChannelCode.error)
        .join(ChannelCode, ChannelCode.channel_id == Channel.id)
        .order_by(Channel.name)
    ).all()
    without = [
        f"「{name}」{f'（{error}）' if error else ''}" for name, config_id, error in rows if config_id is None
    ]
    gone = [f"「{name}」（{error}）" for name, config_id, error in rows if config_id is not None and error]
    if without:
        return CODES.warn(
            f"{len(without)} 个渠道还没有二维码：{listed(without)}",
            "刚新建的稍等片刻；一直没有时运行 lianke sync",
        )
    if gone:
        return CODES.warn(
            f"{len(gone)} 个渠道码有问题：{listed(gone)}", "运行 lianke sync；已在企业微信删除的需要新建渠道"
        )
    return CODES.ok(f"{len(rows)} 个，都有二维码")


def _members(session: Session, followers: Sequence[str] | None) -> Finding:
    """Codes that lead to people who have left, or may not serve."""
    staff = {row.userid: row for row in session.scalars(select(Staff))}
    rows = session.execute(
        select(Channel.name, ChannelCode.users).join(ChannelCode, ChannelCode.channel_id == Channel.id)
    )
    problems = []
    for name, users in rows:
        bad = [
            _called(staff, userid) for userid in users if not _serves(staff.get(userid), userid, followers)
        ]
        if bad:
            problems.append(f"「{name}」的 {listed(bad)}")
    if not problems:
        return MEMBERS.ok("渠道码里都是能服务客户的员工")
    return MEMBERS.warn(
        f"渠道码里有已离职或没有客户联系权限的员工：{listed(problems)}",
        "运行 lianke sync 更新员工，并在渠道里换人；只剩这些人的渠道扫码后没人接待",
    )


def _serves(staff: Staff | None, userid: str, followers: Sequence[str] | None) -> bool:
    if staff is not None and staff.status is not StaffStatus.ACTIVE:
        return False
    if followers is not None:
        return userid in followers
    return staff is not None and staff.serves


def _called(staff: dict[str, Staff], userid: str) -> str:
    return staff[userid].name if userid in staff else userid
