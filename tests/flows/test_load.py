"""Short forms of ``make load``: a burst on a cluster, and two hours of a night in simulated time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.databases import Place
from tests.load import runs
from tests.load.soak import soak

pytestmark = [pytest.mark.redis, pytest.mark.timeout(600)]
SCANS, NIGHT = 300, 80


def silent(_line: str) -> None:
    pass


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_burst_of_scans_is_stored_and_worked_off_once(place: Place, tmp_path: Path):
    loaded = runs.burst(tmp_path, place, count=SCANS, seed=1, few=True, tell=silent)

    assert loaded.found.wrong == []
    assert loaded.found.events == SCANS
    assert sum(loaded.found.welcomes.values()) == SCANS


def test_two_hours_of_the_night_leave_nothing_behind(place: Place, tmp_path: Path):
    loaded = soak(tmp_path, place, hours=2, begins="02:45", count=NIGHT, seed=1, tell=silent)

    assert loaded.found.wrong == []
    assert loaded.found.lines["events older than 30 days"] > 0  # there was something to prune
    assert "fault:cut" in loaded.figures["faults suffered"]
    assert loaded.found.welcomes["sent"] > 0
