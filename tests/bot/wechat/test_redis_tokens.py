"""Tokens shared through a real Redis, and without one."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator

import pytest
from redis import Redis

from bot.wechat.redis_tokens import RedisBackend
from bot.wechat.tokens import Fetched, TokenStore
from scrm import seal

URL = os.environ.get("LIANKE_TEST_REDIS", "redis://127.0.0.1:6379/15")
NOWHERE = "redis://127.0.0.1:9/0"
KEY = "wechat:access_token:ww1:abc"
KEYS = ["a key for tests only"]

pytestmark = pytest.mark.redis


@pytest.fixture
def prefix() -> Iterator[str]:
    made = f"lianke-test-{os.getpid()}:"
    yield made
    redis = Redis.from_url(URL)
    for name in redis.scan_iter(f"{made}*"):
        redis.delete(name)


def test_a_second_process_finds_the_token(prefix: str) -> None:
    RedisBackend(URL, prefix=prefix).set(KEY, "token-1", 7200.0)

    held = RedisBackend(URL, prefix=prefix).get(KEY)

    assert held is not None
    assert (held.value, held.lifetime) == ("token-1", 7200.0)
    assert 7190 < held.left <= 7200


def test_the_token_cannot_be_read_from_redis(prefix: str) -> None:
    RedisBackend(URL, prefix=prefix).set(KEY, "token-canary", 60.0)

    kept = Redis.from_url(URL, decode_responses=True).get(prefix + KEY)

    assert isinstance(kept, str)
    assert "token-canary" not in kept


def _fetch_once(prefix: str, counter: str) -> str:
    seal.use(seal.Keyring(KEYS))

    def fetch() -> Fetched:
        Redis.from_url(URL).incr(counter)
        return Fetched("token-shared", 7200.0)

    return TokenStore(RedisBackend(URL, prefix=prefix)).get(KEY, fetch).value


def test_many_processes_fetch_one_token(prefix: str) -> None:
    counter = f"{prefix}fetches"

    with multiprocessing.get_context("spawn").Pool(4) as pool:
        values = pool.starmap(_fetch_once, [(prefix, counter)] * 12)

    assert set(values) == {"token-shared"}
    assert int(Redis.from_url(URL).get(counter) or 0) == 1


def test_a_dead_redis_costs_only_an_own_token() -> None:
    store = TokenStore(RedisBackend(NOWHERE))
    fetched = []

    def fetch() -> Fetched:
        fetched.append(1)
        return Fetched("token-own", 7200.0)

    assert [store.get(KEY, fetch).value for _ in range(3)] == ["token-own"] * 3
    assert len(fetched) == 1
