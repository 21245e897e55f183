"""No hot query reads a whole table, on any engine.

The questions are those of the benchmark, on a corp of some thousand contacts whose statistics the engine knows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from benchmarks.population import Population, channel_id, contact_id, staff_id, tag_id
from benchmarks.scale import PAGE, QUESTIONS, World
from bot.metrics import database as measured
from migrations import runner
from scrm.contacts.models import Stage
from scrm.contacts.queries import ContactFilter, Presence, count_contacts, list_contacts
from scrm.db import Database
from scrm.inbox import service as inbox
from scrm.outbox import claims
from scrm.reports import changes
from scrm.reports import channels as report
from scrm.tasks.models import Task, TaskState
from scrm.tasks.queries import TaskFilter, count_tasks, list_by_due, list_tasks
from scrm.tasks.reminders import due_reminders
from tests.plans import Recorder, whole_reads

pytestmark = [pytest.mark.every_engine, pytest.mark.timeout(600)]  # the first of each engine fills a database

SHANGHAI = ZoneInfo("Asia/Shanghai")
SIZE, WAITING = 10_000, 2_000


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


@pytest.mark.parametrize("name", list(QUESTIONS))
def test_no_question_reads_a_whole_table(world: World, name: str):
    assert read(world, lambda session: QUESTIONS[name](world, session)) == []


def with_tag(**more: Any) -> ContactFilter:
    return ContactFilter(tag_ids=[tag_id(2)], **more)


@pytest.mark.parametrize(
    "more",
    [{}, {"stage": Stage.LEAD}, {"presence": Presence.ACTIVE}, {"created_to": True}],
    ids=["alone", "stage", "present", "until"],
)
@pytest.mark.parametrize("deep", [False, True], ids=["first", "deep"])
def test_those_with_one_tag_are_read_newest_first_along_its_index(
    world: World, more: dict[str, Any], deep: bool
):
    if "created_to" in more:
        more = {"created_to": world.population.now - timedelta(days=10)}
    before = world.deep() if deep else None
    with world.database.read() as session, Recorder(session) as recorder:
        assert list_contacts(session, with_tag(**more), before=before, limit=PAGE)
        plans = recorder.plans()

    assert whole_reads(plans) == []
    walked = [read for _, plan in plans for read in plan if read.index == "ix_contact_tag_recent"]
    assert walked, plans
    if not deep and "created_to" not in more:  # of few that are left PostgreSQL may rather sort what it found
        assert not any(read.is_sorted_after for read in walked), walked


@pytest.mark.parametrize("more", [{"q": "王"}, {"owner_id": staff_id(1)}], ids=["name", "owner"])
def test_where_few_are_left_they_are_looked_through_for_the_tag(world: World, more: dict[str, Any]):
    assert read(world, lambda session: list_contacts(session, with_tag(**more), limit=PAGE)) == []


def test_counting_those_with_one_tag_stops(world: World):
    with world.database.read() as session, Recorder(session) as recorder:
        assert count_contacts(session, with_tag(), most=100) == 100
        plans = recorder.plans()

    assert whole_reads(plans) == []
    assert len(plans) == 1  # nothing is counted before


@pytest.mark.parametrize(
    "ask",
    [
        lambda session: changes.contact_version(session, contact_id(7)),
        lambda session: changes.event_version(session, 7),
        lambda session: changes.count_entries_since(session, 7),
    ],
    ids=["contact", "event", "since"],
)
def test_asking_whether_anything_changed_reads_the_ends_of_indexes(world: World, ask: Callable[..., object]):
    assert read(world, ask) == []


@pytest.mark.parametrize(
    "claim",
    [
        lambda session, now: inbox.claim_events(session, owner="me", now=now),
        lambda session, now: inbox.claim_events(session, owner="me", now=now, urgent=True),
        lambda session, now: claims.claim_calls(session, owner="me", now=now, limit=8, welcome=True),
        lambda session, now: claims.claim_calls(session, owner="me", now=now, limit=8, welcome=False),
    ],
    ids=["events", "urgent", "welcomes", "others"],
)
def test_a_claim_reads_neither_the_history_nor_the_backlog(world: World, now, claim):
    with world.database.read() as session, Recorder(session) as recorder:
        assert claim(session, now)
        plans = recorder.plans()
        session.rollback()

    assert whole_reads(plans) == []
    due = [read for _, plan in plans for read in plan if read.index in ("ix_inbox_due", "ix_outbox_due")]
    assert due
    assert not any(read.is_sorted_after for read in due)


TASKS: dict[str, Callable[[World], TaskFilter]] = {
    "rep": lambda world: TaskFilter([staff_id(1)], state=TaskState.OPEN, due_before=world.population.now),
    "rep_done": lambda world: TaskFilter(
        [staff_id(1)], state=TaskState.DONE, closed_from=world.population.now - timedelta(days=7)
    ),
    "contact": lambda _: TaskFilter(contact_id=contact_id(7), state=TaskState.OPEN),
}


@pytest.mark.parametrize("which", TASKS)
@pytest.mark.parametrize("read_by", [list_by_due, list_tasks, count_tasks])
def test_tasks_of_a_rep_or_a_customer_are_sought(world: World, which: str, read_by: Callable[..., object]):
    assert read(world, lambda session: read_by(session, TASKS[which](world))) == []


@pytest.mark.parametrize("deep", [False, True], ids=["first", "deep"])
def test_all_tasks_are_read_newest_first_along_their_key(world: World, deep: bool):
    with world.database.read() as session:
        newest = list(session.scalars(select(Task.id).order_by(Task.id.desc()).limit(PAGE)))
    before = newest[-1] if deep else None
    with world.database.read() as session, Recorder(session) as recorder:
        assert list_tasks(session, TaskFilter(), before=before, limit=PAGE)
        ((_, plan),) = recorder.plans()

    assert plan
    assert all(read.index and not read.is_sorted_after for read in plan), plan


def test_what_members_are_reminded_of_is_sought(world: World):
    for hour in (9, 15):
        at = world.population.now.astimezone(SHANGHAI).replace(hour=hour, minute=30)
        assert read(world, lambda session, at=at: due_reminders(session, now=at, tz=SHANGHAI)) == []


@pytest.mark.parametrize("which", ["one", "compare"])
def test_no_report_reads_a_whole_table_of_customers(world: World, now, which: str):
    period = {"start": now.date() - timedelta(days=30), "end": now.date(), "tz": SHANGHAI}
    if which == "one":
        found = read(world, lambda session: report.channel_stats(session, channel_id(1), **period))
    else:
        found = read(world, lambda session: report.compare_channels(session, **period))

    assert found == []


def test_no_metric_reads_a_whole_table(world: World):
    def measure(session):
        for watched in measured.WATCHED:
            session.execute(watched.counts()).all()
            session.execute(watched.ages()).all()
        session.scalar(measured.LAST_SYNC_ENDED)

    assert read(world, measure) == []
