"""Members seen from their channels: their week, and what their leave would change."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.channels.models import Channel, ChannelStaff
from scrm.channels.shifts import Span, leave_effects, list_serving, week_of

TZ = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ([], [Span(day, 0, 1440) for day in range(1, 8)]),
        ([{"weekdays": [1], "from": "09:00", "to": "18:00"}], [Span(1, 540, 1080)]),
        ([{"weekdays": [1], "from": "09:00", "to": "18:00", "staff": ["else"]}], []),
        ([{"weekdays": [7], "from": "22:00", "to": "06:00"}], [Span(1, 0, 360), Span(7, 1320, 1440)]),
        ([{"weekdays": [2], "from": "22:00", "to": "00:00"}], [Span(2, 1320, 1440)]),
        ([{"weekdays": [3]}], [Span(3, 0, 1440)]),
    ],
)
def test_a_week_is_told_by_weekday_and_minutes(schedule: list, expected: list[Span]) -> None:
    assert week_of(schedule, "wangmin") == expected


def test_leave_says_who_takes_over_each_channel(session: Session, now: datetime) -> None:
    people = [Staff(userid=userid, name=userid, updated_at=now) for userid in ("a", "b", "c")]
    channels = [Channel(name=name, created_at=now, welcomes=[], schedule=[]) for name in ("1", "2", "3")]
    session.add_all([*people, *channels])
    session.flush()
    me, peer, backup = people
    first, second, _ = channels
    session.add_all(ChannelStaff(channel_id=one.id, staff_id=me.id) for one in channels)
    session.add(ChannelStaff(channel_id=first.id, staff_id=peer.id))
    session.add(ChannelStaff(channel_id=second.id, staff_id=backup.id, is_backup=True))
    session.flush()

    effects = leave_effects(session, me, now=now, tz=TZ)

    assert [(one.channel.name, one.reason, one.users) for one in effects] == [
        ("1", "shift", ["b"]),
        ("2", "backup", ["c"]),
        ("3", "nobody", []),
    ]
    serving = {one.channel.name: one.users for one in list_serving(session, now=now, tz=TZ)}
    assert serving == {"1": ["a", "b"], "2": ["a"], "3": ["a"]}
