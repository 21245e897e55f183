"""(4) How the hot reads and the claims grow from 10,000 to 1,000,000 contacts, on each engine.

Each size is a database of its own, filled by ``population``. One round asks every question once at every size, with
contacts, reps, tags and names drawn anew, so that a busy moment hits all sizes alike; p99 is over the rounds.
Each question is the function that REST or a worker calls; ``key`` is the baseline, a row by its primary key.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

from benchmarks.load import percentile
from benchmarks.places import Place, places
from benchmarks.population import (
    CHANNELS,
    COMMON_TAGS,
    RARE_TAGS,
    Population,
    channel_id,
    contact_id,
    name_of,
    staff_id,
    tag_id,
)
from bot import memory
from migrations import runner
from scrm import seal
from scrm.contacts.models import Contact, Stage
from scrm.contacts.queries import ContactFilter, Presence, list_contacts, load_cards
from scrm.db import Database
from scrm.followups.models import FollowupKind
from scrm.followups.queries import list_followups
from scrm.inbox import service as inbox
from scrm.outbox import claims
from scrm.outbox.models import CallState, OutboxCall
from scrm.spelling import spell
from scrm.timeline.queries import list_entries

SIZES, QUICK_SIZES = (10_000, 100_000, 1_000_000), (2_000, 20_000)
PAGE = 51  # 50, and one to know whether there are more
EVENTS_AT_ONCE, CALLS_AT_ONCE = 20, 8
GROWTH_TARGET = 1.5
PAGES_COUNTED = 5


@dataclass
class World:
    """A filled database and who lives in it."""

    database: Database
    population: Population
    chance: random.Random
    load_seconds: float = 0.0

    def any_contact(self) -> int:
        return self.chance.randint(1, self.population.size)

    def deep(self) -> tuple[datetime, str]:
        """A cursor somewhere in the older half."""
        n = self.chance.randint(self.population.size // 10, self.population.size // 2)
        return self.population.created(n), contact_id(n)


Question = Callable[[World, Session], Any]


def _page(which: Callable[[World], ContactFilter], *, deep: bool = False) -> Question:
    """A page of the contact list as REST shows it."""

    def ask(world: World, session: Session) -> Any:
        before = world.deep() if deep else None
        return load_cards(
            session, list_contacts(session, which(world), before=before, limit=PAGE)[: PAGE - 1]
        )

    return ask


def _profile(world: World, session: Session) -> Any:
    """GET /contacts/{id} and its timeline."""
    contact = session.get(Contact, contact_id(world.any_contact()))
    assert contact is not None
    return load_cards(session, [contact]), list_entries(session, contact.id, limit=PAGE)


def _log(which: Callable[[World], dict[str, Any]], *, deep: bool = False) -> Question:
    def ask(world: World, session: Session) -> Any:
        return list_followups(session, before=world.deep() if deep else None, limit=PAGE, **which(world))

    return ask


def _by_key(world: World, session: Session) -> Any:
    columns = Contact.__table__.c
    return session.execute(select(*columns).where(columns.id == contact_id(world.any_contact()))).one()


def _month(world: World) -> tuple[datetime, datetime]:
    end = world.population.now - timedelta(days=world.chance.randint(0, 600))
    return end - timedelta(days=30), end


def _rep(world: World) -> str:
    return staff_id(world.chance.randint(1, world.population.staff))


def _name(world: World, length: int) -> str:
    return name_of(world.any_contact())[:length]


FILTERS: dict[str, Callable[[World], ContactFilter]] = {
    "all": lambda _: ContactFilter(),
    "owner": lambda world: ContactFilter(owner_id=_rep(world)),
    "channel": lambda world: ContactFilter(channel_id=channel_id(world.chance.randint(1, CHANNELS))),
    "tag_common": lambda world: ContactFilter(tag_ids=[tag_id(world.chance.randint(1, COMMON_TAGS))]),
    "tag_rare": lambda world: ContactFilter(
        tag_ids=[tag_id(COMMON_TAGS + world.chance.randint(1, RARE_TAGS))]
    ),
    "stage": lambda world: ContactFilter(stage=world.chance.choice([Stage.CUSTOMER, Stage.LEAD, Stage.MQL])),
    "present": lambda _: ContactFilter(presence=Presence.ACTIVE),
    "lost": lambda _: ContactFilter(presence=Presence.LOST),
    "surname": lambda world: ContactFilter(q=_name(world, 1)),
    "name": lambda world: ContactFilter(q=_name(world, 3)),
    "pinyin": lambda world: ContactFilter(q=spell(_name(world, 3))[0]),
    "initials": lambda world: ContactFilter(q=spell(_name(world, 2))[1]),
    "phone": lambda world: ContactFilter(q=f"138{world.chance.randint(0, 99_999_999):08d}"),
    "created": lambda world: ContactFilter(
        **dict(zip(("created_from", "created_to"), _month(world), strict=True))
    ),
}
QUESTIONS: dict[str, Question] = {
    "key": _by_key,
    "profile": _profile,
    **{f"contacts_{name}": _page(which) for name, which in FILTERS.items()},
    **{
        f"contacts_{name}_deep": _page(which, deep=True)
        for name, which in FILTERS.items()
        if name not in ("phone", "created")
    },
    "followups": _log(lambda _: {}),
    "followups_deep": _log(lambda _: {}, deep=True),
    "followups_staff": _log(lambda world: {"staff_id": _rep(world)}),
    "followups_kind": _log(lambda _: {"kinds": [FollowupKind.VISIT]}),
    "followups_month": _log(lambda world: dict(zip(("since", "until"), _month(world), strict=True))),
}


def _claim_events(world: World, spent: list[float]) -> None:
    now = datetime.now(UTC)
    began = time.perf_counter()
    with world.database.write() as session:
        rows = inbox.claim_events(session, owner="bench", now=now, limit=EVENTS_AT_ONCE)
    spent.append(time.perf_counter() - began)
    assert len(rows) == EVENTS_AT_ONCE
    with world.database.write() as session:
        inbox.mark_done_together(session, rows, now=now)


def _claim_calls(world: World, spent: list[float]) -> None:
    now = datetime.now(UTC)
    began = time.perf_counter()
    with world.database.write() as session:
        rows = claims.claim_calls(session, owner="bench", now=now, limit=CALLS_AT_ONCE, welcome=False)
    spent.append(time.perf_counter() - began)
    assert len(rows) == CALLS_AT_ONCE
    table = OutboxCall.__table__
    with world.database.write_connection() as connection:
        over = table.update().where(table.c.id.in_([row.id for row in rows]))
        connection.execute(over.values(state=CallState.SENT, done_at=now))


CLAIMS = {"claim_events": _claim_events, "claim_calls": _claim_calls}


def _ask(world: World, ask: Question, spent: list[float]) -> None:
    with world.database.read() as session:
        session.connection()
        began = time.perf_counter()
        ask(world, session)
        spent.append(time.perf_counter() - began)


@contextmanager
def _world(place: Place, size: int, tell: Callable[[str], None]) -> Iterator[World]:
    with place.database(size) as (url, is_new):
        database = Database(url)
        population = Population(size, datetime.now(UTC).replace(microsecond=0))
        world = World(database, population, random.Random(size))
        if is_new:
            runner.upgrade(database)
            began = time.monotonic()
            population.fill(database)
            world.load_seconds = time.monotonic() - began
            tell(f"{place.name}: {size} contacts in {world.load_seconds:.0f} s")
        else:
            with database.read() as session:
                latest = session.scalar(select(Contact.created_at).where(Contact.id == contact_id(size)))
                assert latest is not None
                world.population = Population(size, latest)
        try:
            yield world
        finally:
            database.dispose()


def measure(
    *,
    sizes: tuple[int, ...],
    rounds: int,
    keep: bool = False,
    only: str = "",
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Engine → question → p50 and p99 by size, the growth of both, and the ratio to a row by its key."""
    seal.use(seal.Keyring(["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]))
    found = {}
    with tempfile.TemporaryDirectory() as home:
        for place in places(Path(home), keep=keep):
            if only and place.name != only:
                continue
            with ExitStack() as stack:
                worlds = [stack.enter_context(_world(place, size, tell)) for size in sizes]
                found[place.name] = _engine(worlds, rounds)
    return found


def _engine(worlds: list[World], rounds: int) -> dict[str, Any]:
    spent: dict[str, list[list[float]]] = {name: [[] for _ in worlds] for name in (*QUESTIONS, *CLAIMS)}
    load = os.getloadavg()[0]
    warm = max(2, rounds // 10)
    for number in range(rounds + warm):
        if number == warm:
            memory.settle()  # as every process of the product does
            spent = {name: [[] for _ in worlds] for name in spent}
        for index, world in enumerate(worlds):
            for name, question in QUESTIONS.items():
                _ask(world, question, spent[name][index])
            for name, claim in CLAIMS.items():
                claim(world, spent[name][index])
    figures = {name: _figures(of_sizes) for name, of_sizes in spent.items()}
    for one in figures.values():
        one["ratio_to_key_p50"] = one["p50_ms"][-1] / figures["key"]["p50_ms"][-1]
    if worlds[0].database.dialect == "postgresql":
        for name, pages in count_pages(worlds, PAGES_COUNTED).items():
            figures[name] |= {"pages": pages, "growth_pages": pages[-1] / pages[0]}
    return {
        "sizes": [world.population.size for world in worlds],
        "load_seconds": [round(world.load_seconds, 1) for world in worlds],
        "bytes": [_bytes(world.database) for world in worlds],
        "rounds": rounds,
        "load_average": [load, os.getloadavg()[0]],
        "questions": figures,
    }


def _pages(world: World, question: Question, times: int) -> float:
    """Pages of tables and indexes that PostgreSQL touches for a question, on average: no busy moment changes them."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, given: Any, *_more: Any) -> None:
        sent.append((statement, given))

    with world.database.read() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", note)
        for _ in range(times):
            question(world, session)
        event.remove(connection, "before_cursor_execute", note)
        explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {}"
        plans = [connection.exec_driver_sql(explain.format(said), given).scalar_one() for said, given in sent]
    tops = [plan[0]["Plan"] for plan in plans]
    return sum(top["Shared Hit Blocks"] + top["Shared Read Blocks"] for top in tops) / times


def count_pages(worlds: list[World], times: int) -> dict[str, list[float]]:
    """Question → pages by size."""
    return {
        name: [_pages(world, question, times) for world in worlds] for name, question in QUESTIONS.items()
    }


def _figures(of_sizes: list[list[float]]) -> dict[str, Any]:
    p50 = [percentile(each, 0.50) * 1000 for each in of_sizes]
    p99 = [percentile(each, 0.99) * 1000 for each in of_sizes]
    return {"p50_ms": p50, "p99_ms": p99, "growth_p50": p50[-1] / p50[0], "growth_p99": p99[-1] / p99[0]}


def _bytes(database: Database) -> int:
    sizes = {
        "postgresql": "SELECT pg_database_size(current_database())",
        "mysql": "SELECT sum(data_length + index_length) FROM information_schema.tables"
        " WHERE table_schema = database()",
        "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    }
    with database.engine.connect() as connection:
        return int(connection.scalar(text(sizes[database.dialect])) or 0)
