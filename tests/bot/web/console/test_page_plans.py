"""No page of the console reads a whole large table, on any engine, and none asks more with more rows.

The pages are all that are declared, with the ids of a filled installation, as the benchmark of pages asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import pytest

from benchmarks.pages import Visitor, entered, pages_of
from benchmarks.population import Population
from migrations import runner
from scrm.db import Database
from tests.plans import Read, Recorder, whole_reads

pytestmark = pytest.mark.timeout(600)  # the first of each engine fills a database

SIZE, FEW = 10_000, 300
MOST_STATEMENTS = 40
EMPTY = ("group_member", "library_use")  # of this population: no engine's plan for no rows says anything

Opened = dict[str, tuple[AbstractContextManager[Visitor], Visitor]]


def fill(url: str, size: int) -> AbstractContextManager[Visitor]:
    population = Population(size, datetime.now(UTC).replace(microsecond=0), backlog=200)
    database = Database(url)
    runner.upgrade(database)
    population.fill(database)
    database.dispose()
    return entered(url, population)


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    made: Opened = {}
    yield made
    for manager, _ in made.values():
        manager.__exit__(None, None, None)


@pytest.fixture
def visitor(engine, place, opened, keyring, tmp_path_factory) -> Visitor:
    if engine not in opened:
        manager = fill(place.empty(tmp_path_factory.mktemp("filled")), SIZE)
        opened[engine] = (manager, manager.__enter__())
    return opened[engine][1]


def visit(visitor: Visitor, rule: str) -> Recorder:
    """Ask for the page; what it sent to the database."""
    address = visitor.fill_in(rule)
    assert address is not None
    with Recorder(visitor.product.database.engine) as recorder:
        assert visitor.client.get(address).status_code == 200, address
    return recorder


def is_end_of_table(statement: str, reads: Sequence[Read]) -> bool:
    """Whether it takes the newest rows, or any, and stops: it looks for nothing and sorts nothing."""
    return (
        "WHERE" not in statement and "LIMIT" in statement and not any(read.is_sorted_after for read in reads)
    )


@pytest.mark.every_engine
def test_no_page_reads_a_whole_table(visitor: Visitor):
    found = {}
    for name, rule in pages_of(visitor):
        recorder = visit(visitor, rule)
        assert recorder.sent, name
        plans = [plan for plan in recorder.plans() if not is_end_of_table(*plan)]
        found[name] = [
            said for said in whole_reads(plans) if not any(f" {table} " in said for table in EMPTY)
        ]
    assert len(found) > 30
    told = [f"{name}: {read}" for name, reads in found.items() for read in reads]
    assert not told, "\n\n".join(told)


def counts(visitor: Visitor) -> dict[str, int]:
    return {name: len(visit(visitor, rule).sent) for name, rule in pages_of(visitor)}


def test_no_page_asks_more_with_more_rows(tmp_path, keyring):
    with fill(f"sqlite:///{tmp_path / 'few.db'}", FEW) as few:
        asked_of_few = counts(few)
    with fill(f"sqlite:///{tmp_path / 'many.db'}", 4 * FEW) as many:
        asked_of_many = counts(many)

    more = {
        name: (asked_of_few[name], count)
        for name, count in asked_of_many.items()
        if count > asked_of_few[name]
    }
    assert more == {}
    assert {name: count for name, count in asked_of_many.items() if count > MOST_STATEMENTS} == {}
