"""A serving process killed again and again while scans pour in loses nothing and doubles nothing."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests import chaos

KILLS = int(os.environ.get("LIANKE_CHAOS_KILLS", "5"))
SEED = int(os.environ.get("LIANKE_CHAOS_SEED", "0")) or random.randrange(1, 2**31)


@pytest.mark.chaos
@pytest.mark.timeout(240 + 30 * KILLS)
def test_sigkill_at_random_moments_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    print(f"repeat the plan with LIANKE_CHAOS_SEED={SEED} LIANKE_CHAOS_KILLS={KILLS}")  # noqa: T201
    verdict = chaos.run(tmp_path, seed=SEED, kills=KILLS, rate=3.0)

    assert verdict.wrong == [], verdict
    assert verdict.scans >= 5, verdict  # it did rain
    assert verdict.welcomes["sent"] > 0, verdict
