"""The contact way behind each channel: created once, its user list kept right, the platform's answers applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from hashlib import sha256
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff, StaffStatus
from scrm.channels import rules
from scrm.channels.models import Channel, ChannelCode, ChannelStaff, ChannelState, Scan
from scrm.errors import Refused
from scrm.ids import new_token
from scrm.outbox import service as outbox
from scrm.outbox.commands import AddContactWay, UpdateContactWay
from scrm.outbox.models import CallState, OutboxCall

CHUNK = 500  # channels looked at per round of queries
ASK_AGAIN = timedelta(hours=1)  # how long a refused user list rests before the job asks for it again
WAY_GONE = 41044
GONE = "渠道码在企业微信侧已被删除，已印出的二维码失效，请新建渠道"
NO_STAFF = "没有可以接待的成员，渠道码保持原有成员不变：请添加在职、已开通客户联系且未休假的成员"
OPEN = (CallState.PENDING, CallState.SENDING, CallState.UNKNOWN)

_UPDATE_FAILED, _CREATE_FAILED = "更新接待成员失败", "创建渠道码失败"


def new_state() -> str:
    """A fresh ``state`` for a contact way: opaque ASCII, 15 of the 30 characters the platform gives."""
    return f"ch_{new_token(9)}"


def create_code(session: Session, channel: Channel, *, now: datetime, tz: tzinfo) -> ChannelCode:
    """Make the channel's code row and owe the platform its contact way. Raises Refused when nobody can serve."""
    serving = _pool_of(session, channel, now=now, tz=tz)
    code = ChannelCode(
        channel_id=channel.id,
        state=new_state(),
        users=[],
        wanted=serving.users,
        pool_reason=serving.reason,
        updated_at=now,
    )
    session.add(code)
    _owe_creation(session, channel, code, now=now)
    return code


def sync_code(session: Session, channel: Channel, code: ChannelCode, *, now: datetime, tz: tzinfo) -> bool:
    """After a change of the channel: owe what its code needs now. Whether something was owed.

    A creation that definitely failed is tried anew, under a fresh state, with the members of now. Raises Refused
    when nobody can serve.
    """
    serving = _pool_of(session, channel, now=now, tz=tz)
    if code.config_id is not None:
        return _want(session, code, serving, now=now)
    if not _creation_failed(session, code):
        return False  # on its way: the job corrects the list once the code exists
    code.state, code.wanted, code.pool_reason = new_state(), serving.users, serving.reason
    code.error, code.updated_at = None, now
    _owe_creation(session, channel, code, now=now)
    return True


def _owe_creation(session: Session, channel: Channel, code: ChannelCode, *, now: datetime) -> None:
    command = AddContactWay(
        channel_id=channel.id,
        state=code.state,
        users=code.wanted,
        remark=channel.name,
        skip_verify=channel.skip_verify,
    )
    outbox.enqueue(session, command, now=now)


def _creation_failed(session: Session, code: ChannelCode) -> bool:
    key = AddContactWay(channel_id=code.channel_id, state=code.state, users=[]).effect_key
    call = select(OutboxCall.state).where(OutboxCall.effect_key == key)
    return session.scalar(call) == CallState.FAILED


def _pool_of(session: Session, channel: Channel, *, now: datetime, tz: tzinfo) -> rules.Pool:
    members = members_now(session, [channel.id], now=now, tz=tz).get(channel.id, [])
    return pool_now(channel, members, now.astimezone(tz))


def pool_now(channel: Channel, members: Sequence[rules.PoolMember], local: datetime) -> rules.Pool:
    """Who serves the channel at ``local``, paused or not. Raises Refused when nobody can."""
    if channel.state == ChannelState.PAUSED:
        return rules.paused_pool(members)
    return rules.pool(members, channel.schedule, channel.daily_limit, local)


def day_start(now: datetime, tz: tzinfo) -> datetime:
    """The instant the local day of ``now`` began."""
    return datetime.combine(now.astimezone(tz).date(), time.min, tzinfo=tz).astimezone(UTC)


def members_now(
    session: Session, channel_ids: Sequence[str], *, now: datetime, tz: tzinfo
) -> dict[str, list[rules.PoolMember]]:
    """Channel id → its pool as of now, in two queries."""
    today = (
        select(Scan.channel_id, Scan.staff_id, func.count(Scan.contact_id.distinct()))
        .where(Scan.channel_id.in_(channel_ids), Scan.at >= day_start(now, tz))
        .group_by(Scan.channel_id, Scan.staff_id)
    )
    taken = {(channel_id, staff_id): count for channel_id, staff_id, count in session.execute(today)}
    pools = (
        select(ChannelStaff, Staff)
        .join(Staff, Staff.id == ChannelStaff.staff_id)
        .where(ChannelStaff.channel_id.in_(channel_ids))
    )
    found: dict[str, list[rules.PoolMember]] = {}
    for link, staff in session.execute(pools):
        member = rules.PoolMember(
            userid=staff.userid,
            is_backup=link.is_backup,
            available=staff.status == StaffStatus.ACTIVE and staff.serves and not staff.on_leave,
            taken_today=taken.get((link.channel_id, link.staff_id), 0),
            daily_limit=link.daily_limit,
            on_leave=staff.on_leave and staff.status == StaffStatus.ACTIVE and staff.serves,
        )
        found.setdefault(link.channel_id, []).append(member)
    return found


def keep_codes_right(session: Session, *, now: datetime, tz: tzinfo, limit: int = 200) -> int:
    """Owe an update for each code whose user list is not the pool of now; how many, at most ``limit`` per run.

    Three queries per 500 channels. Paused channels are kept right too: their codes are printed and must work.
    What exceeds ``limit`` comes with the next run.
    """
    owed, after = 0, ""
    while rows := _codes_after(session, after):
        after = rows[-1][1].id
        members = members_now(session, [channel.id for channel, _ in rows], now=now, tz=tz)
        for channel, code in rows:
            owed += _keep(session, channel, code, members.get(channel.id, []), now=now, tz=tz)
            if owed >= limit:
                return owed
    return owed


def _codes_after(session: Session, code_id: str) -> list[tuple[Channel, ChannelCode]]:
    codes = (
        select(Channel, ChannelCode)
        .join(ChannelCode, ChannelCode.channel_id == Channel.id)
        .where(ChannelCode.id > code_id, ChannelCode.config_id.is_not(None))
        .order_by(ChannelCode.id)
        .limit(CHUNK)
    )
    return [(channel, code) for channel, code in session.execute(codes)]


def _keep(
    session: Session,
    channel: Channel,
    code: ChannelCode,
    members: Sequence[rules.PoolMember],
    *,
    now: datetime,
    tz: tzinfo,
) -> bool:
    try:
        serving = pool_now(channel, members, now.astimezone(tz))
    except Refused:
        code.error = code.error or NO_STAFF
        return False
    if code.error == NO_STAFF:
        code.error = None
    return _want(session, code, serving, now=now)


def _want(session: Session, code: ChannelCode, serving: rules.Pool, *, now: datetime) -> bool:
    """Owe an update where the list asked for last is not this one, or was refused a while ago."""
    if code.pool_reason != serving.reason:
        code.pool_reason = serving.reason
    if code.error == GONE:
        return False
    asked = set(code.wanted) == set(serving.users)
    refused = code.error and set(code.users) != set(serving.users) and code.updated_at <= now - ASK_AGAIN
    if asked and not refused:
        return False
    code.wanted, code.updated_at = serving.users, now
    digest = sha256(",".join(serving.users).encode()).hexdigest()[:8]
    command = UpdateContactWay(
        config_id=code.config_id or "",
        state=code.state,
        users=serving.users,
        unique=f"{int(now.timestamp() * 1000)}:{digest}",
    )
    return outbox.enqueue(session, command, now=now)


def on_way_created(
    session: Session,
    command: Mapping[str, Any],
    state: str,
    errcode: int | None,
    answer: Mapping[str, Any] | None,
    reason: str | None,
    *,
    now: datetime,
) -> None:
    """Apply what became of an AddContactWay (``state``: the call's). The same answer twice changes nothing more."""
    code = _code_by_state(session, command["state"])
    if code is None:
        return
    way = (answer or {}).get("contact_way") or answer or {}
    if state != CallState.SENT or errcode or not way.get("config_id"):
        if code.config_id is None:
            missing = "企业微信没有返回渠道码" if state == CallState.SENT and not errcode else reason
            code.error, code.updated_at = _told(_CREATE_FAILED, state, errcode, missing), now
        return
    code.config_id, code.qr_url = way["config_id"], way.get("qr_code") or code.qr_url
    code.users, code.error, code.updated_at = list(command["users"]), None, now


def on_way_updated(
    session: Session,
    command: Mapping[str, Any],
    state: str,
    errcode: int | None,
    answer: Mapping[str, Any] | None,  # noqa: ARG001 - the same shape as on_way_created
    reason: str | None,
    *,
    now: datetime,
) -> None:
    """Apply what became of an UpdateContactWay. A refused list is asked for again by the job after an hour."""
    code = _code_by_state(session, command["state"])
    if code is None:
        return
    code.updated_at = now
    if errcode == WAY_GONE:
        code.error = GONE
        return
    if state != CallState.SENT or errcode:
        code.error = _told(_UPDATE_FAILED, state, errcode, reason)
        return
    code.users, code.error = list(command["users"]), None
    if set(code.users) != set(code.wanted) and not _is_open(session, f"way:{code.state}"):
        code.wanted = code.users  # an old call was repeated by hand: let the job see the difference


def _code_by_state(session: Session, state: str) -> ChannelCode | None:
    return session.scalar(select(ChannelCode).where(ChannelCode.state == state))


def _is_open(session: Session, lane: str) -> bool:
    waiting = exists().where(
        OutboxCall.lane == lane, OutboxCall.state.in_(OPEN), OutboxCall.available_at.is_not(None)
    )
    return bool(session.scalar(select(waiting)))


def _told(what: str, state: str, errcode: int | None, reason: str | None) -> str:
    if state == CallState.UNKNOWN:
        return f"{what}：结果未知，请在「调用」中核对后重试"
    number = f"（错误码 {errcode}）" if errcode else ""
    return f"{what}：{reason or '原因未知'}{number}。可在「调用」中重试"
