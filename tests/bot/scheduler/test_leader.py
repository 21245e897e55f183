"""One scheduler of many ticks; another takes over when it resigns, dies or loses the database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.app import Product, build
from bot.scheduler.leader import TERM, Candidate
from scrm.db import Database
from tests.bot.workers.platform import Clock
from tests.stand import config_for


class Ticking:
    """Stands in for APScheduler: whether it runs."""

    def __init__(self) -> None:
        self.runs = True

    def shutdown(self, *, wait: bool) -> None:
        assert not wait  # a job that takes long must not keep the next leader waiting
        self.runs = False


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stand_for(database: Database, database_url: str, clock: Clock, tmp_path: Path) -> Callable[[], Any]:
    product = build(config_for(database_url, 8000, "http://127.0.0.1:9"), clock=clock)
    product.database.dispose()
    made: Product = replace(product, database=database)

    def candidate() -> Any:
        started: list[Ticking] = []

        def start(*_: Any) -> Ticking:
            started.append(Ticking())
            return started[-1]

        one = Candidate(made, start)  # type: ignore[arg-type]
        one.started = started  # type: ignore[attr-defined]
        return one

    return candidate


def test_one_ticks_and_the_other_stands_by(stand_for: Callable[[], Any], clock: Clock):
    first, second = stand_for(), stand_for()
    for _ in range(5):
        first.step()
        second.step()
        clock.advance(2)
    assert (first.leads, second.leads) == (True, False)
    assert (len(first.started), second.started) == (1, [])


def test_who_stops_renewing_is_succeeded_and_stops_ticking_when_he_wakes(
    stand_for: Callable[[], Any], clock: Clock
):
    first, second = stand_for(), stand_for()
    first.step()
    clock.advance(TERM.total_seconds())  # paused for as long
    second.step()
    assert second.leads
    first.step()
    assert not first.leads
    assert not first.started[0].runs


def test_who_is_told_to_stop_resigns(stand_for: Callable[[], Any]):
    first, second = stand_for(), stand_for()
    first.step()
    stopping = threading.Event()
    stopping.set()
    first.run(stopping)
    second.step()
    assert (first.leads, second.leads) == (False, True)


def test_a_database_that_is_away_does_not_end_a_term_at_once(
    stand_for: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
):
    one = stand_for()
    one.step()
    monkeypatch.setattr("bot.scheduler.leader.lead", _away)
    one.step()
    assert one.leads
    monkeypatch.setattr("bot.scheduler.leader.TERM", timedelta(0))
    one.step()
    assert not one.leads


def _away(*_: Any, **__: Any) -> bool:
    raise ConnectionError("no database")
