"""Quota windows that processes share through a real Redis, and what becomes of them without one."""

from __future__ import annotations

import math
import os
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from redis import Redis

from bot.workers.limits import Gate, Policy, Reason
from bot.workers.windows import HOUR, Room, Windows

URL = os.environ.get("LIANKE_TEST_REDIS", "redis://127.0.0.1:6379/15")
NOWHERE = "redis://127.0.0.1:9/0"
API = "externalcontact/get"

pytestmark = pytest.mark.redis


def room(limit: int, *, seconds: int = HOUR, name: str = API, reserved_too: bool = True) -> Room:
    return Room(name, seconds, limit, reserved_too)


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis.from_url(URL) as connected:
        yield connected


@pytest.fixture
def namespace(redis: Redis) -> Iterator[str]:
    made = f"test-{uuid.uuid4().hex[:8]}"
    yield made
    for key in redis.scan_iter(f"lianke:rate:{made}:*"):
        redis.delete(key)


def made(windows: Windows, rooms: list[Room], tries: int) -> int:
    return sum(windows.take(rooms) == 0 for _ in range(tries))


def test_two_processes_share_one_room(namespace: str):
    one, other = (Windows(redis_url=URL, namespace=namespace) for _ in range(2))

    assert made(one, [room(10)], 7) == 7
    assert made(other, [room(10)], 7) == 3
    assert 0 < one.take([room(10)]) <= 5


def test_a_call_is_taken_out_of_all_windows_or_of_none(namespace: str, redis: Redis):
    windows = Windows(redis_url=URL, namespace=namespace)
    wide, narrow = room(10), room(2, name="*")

    assert made(windows, [wide, narrow], 5) == 2
    assert redis.hget(f"lianke:rate:{namespace}:{API}:{HOUR}:1", "count") == b"2"
    assert made(windows, [wide], 20) == 8


def test_of_the_period_before_the_share_that_overlaps_still_counts(namespace: str, redis: Redis):
    """One call a second has slid out of the hour before."""
    limit, now = HOUR, time.time()
    before = {"number": int(now // HOUR) - 1, "count": limit, "before": 0}
    redis.hset(f"lianke:rate:{namespace}:{API}:{HOUR}:1", mapping=before)
    windows = Windows(redis_url=URL, namespace=namespace)

    taken = made(windows, [room(limit)], int(now % HOUR) + 100)

    assert (
        math.floor(now % HOUR) <= taken <= math.ceil(time.time() % HOUR) or time.time() // HOUR > now // HOUR
    )


def test_an_old_period_counts_no_more_and_windows_end_by_themselves(namespace: str, redis: Redis):
    key = f"lianke:rate:{namespace}:{API}:{HOUR}:1"
    redis.hset(key, mapping={"number": int(time.time() // HOUR) - 2, "count": 10, "before": 10})

    assert made(Windows(redis_url=URL, namespace=namespace), [room(10)], 12) == 10
    assert 0 < redis.ttl(key) <= 2 * HOUR


def test_a_redis_that_forgot_the_script_learns_it_again(namespace: str, redis: Redis):
    windows = Windows(redis_url=URL, namespace=namespace)
    windows.take([room(10)])
    redis.script_flush()

    assert made(windows, [room(10)], 12) == 9


def test_a_redis_that_is_away_leaves_each_process_to_count_alone():
    gate = Gate(Policy(per_minute=10, use=1.0), redis_url=NOWHERE)

    granted = [gate.admit("a/b", 0, datetime.now(UTC)).granted for _ in range(12)]

    assert granted == [True] * 10 + [False] * 2


def test_shared_windows_keep_a_fifth_for_welcomes(namespace: str):
    gate = Gate(Policy(per_minute=100))
    gate._windows = Windows(redis_url=URL, namespace=namespace)

    ordinary = [gate.admit(API, 5, datetime.now(UTC)).reason for _ in range(60)]
    first = [gate.admit(API, 0, datetime.now(UTC)).reason for _ in range(20)]

    assert (ordinary.count(Reason.NONE), first.count(Reason.NONE)) == (32, 0)  # 32 under way at most
    for _ in range(32):
        gate.done(API, None)
    more = [gate.admit(API, 5, datetime.now(UTC)).reason for _ in range(20)]
    assert (more.count(Reason.NONE), more[-1]) == (16, Reason.QUOTA)
    assert gate.admit(API, 0, datetime.now(UTC)).granted
