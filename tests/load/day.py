"""A day of a corp in simulated time: when its callbacks come, what goes wrong at the platform, and when."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.load.crowd import Act

HOURS = [1, 1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 12, 8, 10, 12, 12, 11, 10, 9, 10, 12, 10, 6, 3]  # shares of a day
SHIFTS = {  # of the channel that is staffed by hours: who answers from when to when
    ("00:00", "03:00"): ["zhangsan", "lisi"],
    ("03:00", "04:00"): ["wangwu"],
    ("04:00", "09:00"): ["rep00"],
    ("09:00", "13:00"): ["zhangsan", "rep01"],
    ("13:00", "18:00"): ["lisi", "wangwu"],
    ("18:00", "24:00"): ["rep02"],
}
FAULTS: Sequence[dict[str, Any]] = (
    {"api": "externalcontact/mark_tag", "mode": "http", "status": 502, "times": 3},
    {"api": "externalcontact/get", "mode": "cut", "times": 2},
    {"api": "externalcontact/send_welcome_msg", "mode": "cut", "times": 2},
    {"api": "message/send", "mode": "timeout", "times": 2, "delay_ms": 50},
    {"api": "externalcontact/send_welcome_msg", "mode": "errcode", "errcode": 45009, "times": 1},
    {"api": "externalcontact/mark_tag", "mode": "errcode", "errcode": -1, "times": 2},
    {"api": "message/send", "mode": "cut", "times": 2},
    {"api": "externalcontact/get", "mode": "errcode", "errcode": 45009, "times": 1},
    {"api": "gettoken", "mode": "http", "status": 500, "times": 1},
)
PAUSED = timedelta(seconds=90)  # a spent quota stops an API for a minute: welcomes owed then may expire


@dataclass(frozen=True)
class Moment:
    """Something that happens at a time: a control call of the sandbox."""

    at: datetime
    path: str
    body: dict[str, Any]
    kind: str


def timed(acts: Sequence[Act], start: datetime, end: datetime, *, seed: int) -> list[Moment]:
    """The acts, spread over the hours as a day spreads them."""
    chance = random.Random(seed)
    minutes = [start + timedelta(minutes=n) for n in range(int((end - start).total_seconds() // 60) - 5)]
    chosen = chance.choices(minutes, [HOURS[minute.hour] for minute in minutes], k=len(acts))
    times = sorted(minute + timedelta(seconds=chance.uniform(0, 60)) for minute in chosen)
    return [Moment(at, act.path, act.body, act.kind) for at, act in zip(times, acts, strict=True)]


def faults(start: datetime, end: datetime) -> list[Moment]:
    """The platform's bad moments, evenly over the later two thirds; all tokens are revoked once."""
    first = start + (end - start) / 3
    step = (end - first) / (len(FAULTS) + 2)
    moments = [Moment(first + step * n, "/faults", fault, "fault") for n, fault in enumerate(FAULTS)]
    return [*moments, Moment(first + step * len(FAULTS), "/tokens/expire", {"errcode": 40014}, "fault")]


def on_shift(at: datetime) -> list[str]:
    """Who must be on the contact way at this local time."""
    now = at.strftime("%H:%M")
    return next(staff for (begins, ends), staff in SHIFTS.items() if begins <= now < ends)


def shifts() -> list[dict[str, Any]]:
    """As a channel has them."""
    return [{"from": begins, "to": ends, "staff": staff} for (begins, ends), staff in SHIFTS.items()]
