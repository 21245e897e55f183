"""No hot query reads a whole table, on any engine.

The questions are those of the benchmark, on a corp of some thousand contacts whose statistics the engine knows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from benchmarks.population import BACKLOG, Population, channel_id
from benchmarks.scale import QUESTIONS, World
from bot.metrics import database as measured
from migrations import runner
from scrm.db import Database
from scrm.inbox import service as inbox
from scrm.outbox import service as outbox
from scrm.reports import channels as report
from tests.plans import Recorder, whole_reads

pytestmark = pytest.mark.every_engine

SIZE, WAITING = 8_000, 2_000


@pytest.fixture(scope="module")
def worlds() -> Iterator[dict[str, World]]:
    made: dict[str, World] = {}
    yield made
    for world in made.values():
        world.database.dispose()


@pytest.fixture
def world(engine, place, worlds, now, tmp_path_factory) -> World:
    if engine not in worlds:
        database = Database(place.empty(tmp_path_factory.mktemp("filled")))
        runner.upgrade(database)
        population = Population(SIZE, now, backlog=WAITING)
        population.fill(database)
        worlds[engine] = World(database, population, random.Random(1))
    return worlds[engine]


def read(world: World, ask: Callable[..., object]) -> list[str]:
    """The large tables that are read from end to end while ``ask(session)`` runs."""
    with world.database.read() as session, Recorder(session) as recorder:
        ask(session)
        assert recorder.sent
        return whole_reads(recorder.plans())


@pytest.mark.parametrize("name", [name for name in QUESTIONS])
def test_no_question_reads_a_whole_table(world: World, name: str):
    assert read(world, lambda session: QUESTIONS[name](world, session)) == []
