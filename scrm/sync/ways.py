"""Contact ways as the platform has them: user lists that differ, ways that vanished, ways we did not know of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.channels.codes import GONE, WAY_GONE, on_way_created
from scrm.channels.models import Channel, ChannelCode
from scrm.jobs import service as jobs
from scrm.outbox.models import OutboxCall
from scrm.tags.marking import UNSETTLED


def apply_way(
    session: Session,
    config_id: str,
    way: Mapping[str, Any] | None,
    *,
    errcode: int | None,
    job_id: int | None,
    at: datetime,
    now: datetime,
) -> None:
    """Compare one contact way with its channel. One whose ``state`` is none of ours is left alone.

    A user list that differs is taken over as what the platform has, so that the job which keeps lists right asks
    for the wanted one again. While a call for the way is open nothing is judged.
    """
    code = session.scalar(select(ChannelCode).where(ChannelCode.config_id == config_id))
    if way is None:
        if code is not None and errcode == WAY_GONE and code.error != GONE:
            code.error, code.updated_at = GONE, now
            jobs.add_to_report(session, job_id, {"ways_gone": [_name(session, code)]})
        return
    if code is None:
        _adopt(session, config_id, way, job_id=job_id, now=now)
        return
    users = [str(userid) for userid in way.get("user") or ()]
    if set(users) == set(code.users) or _is_moving(session, code, at):
        return
    code.users, code.updated_at = users, now
    if set(users) != set(code.wanted):
        code.wanted = users  # what differs from the pool of now is asked for by ``keep_codes_right``
        jobs.add_to_report(session, job_id, {"ways_healed": [_name(session, code)]})


def _adopt(
    session: Session, config_id: str, way: Mapping[str, Any], *, job_id: int | None, now: datetime
) -> None:
    """A way that carries the state of a channel without one is that channel's: its creation went unanswered."""
    state = str(way.get("state") or "")
    code = session.scalar(select(ChannelCode).where(ChannelCode.state == state)) if state else None
    if code is None or code.config_id is not None:
        return
    command = {"state": state, "users": [str(userid) for userid in way.get("user") or ()]}
    answer = {"contact_way": {**way, "config_id": config_id}}
    on_way_created(session, command, "sent", 0, answer, None, now=now)
    jobs.add_to_report(session, job_id, {"ways_healed": [_name(session, code)]})


def _is_moving(session: Session, code: ChannelCode, at: datetime) -> bool:
    if code.updated_at >= at:
        return True
    calls = select(OutboxCall.id).where(
        OutboxCall.lane == f"way:{code.state}", OutboxCall.state.in_(UNSETTLED)
    )
    return session.scalar(calls.limit(1)) is not None


def _name(session: Session, code: ChannelCode) -> str:
    channel = session.get(Channel, code.channel_id)
    return channel.name if channel else code.state
