"""Wrong passwords are counted by all processes together, and go on being counted while Redis is away."""

from __future__ import annotations

import os
import uuid

import pytest

from bot.web.console.guesses import Guesses

URL = os.environ.get("LIANKE_TEST_REDIS", "redis://127.0.0.1:6379/15")
NOWHERE = "redis://127.0.0.1:9/0"


@pytest.mark.redis
def test_guesses_at_one_process_count_at_the_other():
    one, other, name = Guesses(URL), Guesses(URL), f"test-{uuid.uuid4().hex}"
    for guesses in (one, other, one, other, one):
        guesses.count(name, "198.51.100.1")

    assert one.is_over(name.upper(), "198.51.100.1")
    assert other.is_over(name, "198.51.100.1")
    assert not other.is_over(name, "198.51.100.2")


def test_while_redis_is_away_each_process_counts_its_own():
    guesses = Guesses(NOWHERE)
    for _ in range(5):
        assert not guesses.is_over("admin", "198.51.100.1")
        guesses.count("admin", "198.51.100.1")

    assert guesses.is_over("admin", "198.51.100.1")
