"""(6) What each page of the console costs the server with 100,000 contacts, as a ratio to its plain SQL.

Every page that is declared is asked for, with ids drawn anew; the ratio is the whole page's time to the time its very
statements take in the driver. Beside it: how many statements there are, which no number of rows may change.
"""

from __future__ import annotations

import os
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import ColumnElement, event, func, select
from sqlalchemy.orm import InstrumentedAttribute

from benchmarks.config import product_config
from benchmarks.load import percentile
from benchmarks.places import Place, places
from benchmarks.population import CHANNELS, COMMON_TAGS, Population, channel_id, contact_id, staff_id, tag_id
from bot import memory
from bot.app import Product, build, create_app
from migrations import runner
from scrm import seal
from scrm.accounts import logins
from scrm.accounts.models import LoginWay, Staff
from scrm.accounts.roles import Role
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox.models import OutboxCall

SIZE, QUICK_SIZE = 100_000, 5_000
TARGET_MS = 200
FILTERED = {
    "overview, 30 days": "/console?range=30",
    "contacts by owner": "/console/contacts?owner={userid}",
    "contacts by tag": "/console/contacts?tag={tag_id}",
    "contacts by name": "/console/contacts?q=王伟",
    "contacts by letters": "/console/contacts?q=ww",
}


@dataclass
class Spent:
    """One page's figures, in seconds."""

    pages: list[float] = field(default_factory=list)
    sql: list[float] = field(default_factory=list)
    queries: set[int] = field(default_factory=set)


@dataclass
class Visitor:
    """A signed-in administrator of a filled installation."""

    product: Product
    app: Flask
    client: FlaskClient
    population: Population
    chance: random.Random
    account_id: str

    def fill_in(self, rule: str) -> str | None:
        """The address with ids that exist; None for a rule whose ids are not those of the filled tables."""
        n = self.chance.randint(1, self.population.size)
        known = {
            "contact_id": contact_id(n),
            "channel_id": channel_id(1 + n % CHANNELS),
            "staff_id": staff_id(1 + n % self.population.staff),
            "tag_id": tag_id(1 + n % COMMON_TAGS),
            "event_id": self._newest(InboxEvent.id, InboxEvent.state == EventState.DONE),
            "call_id": self._newest(OutboxCall.id),
            "account_id": self.account_id,
        }
        wanted = re.findall(r"[<{](?:\w+:)?(\w+)[>}]", rule)
        if "userid" in wanted:
            known["userid"] = self._userid(known["staff_id"])
        if not set(wanted) <= known.keys():
            return None
        return re.sub(r"[<{](?:\w+:)?(\w+)[>}]", lambda found: str(known[found[1]]), rule)

    def _newest(self, key: InstrumentedAttribute[int], *where: ColumnElement[bool]) -> int:
        with self.product.database.read() as session:
            return int(session.scalar(select(func.max(key)).where(*where)) or 1)

    def _userid(self, of_staff: str) -> str:
        with self.product.database.read() as session:
            return session.scalar(select(Staff.userid).where(Staff.id == of_staff)) or ""


def pages_of(visitor: Visitor) -> Iterator[tuple[str, str]]:
    """Name and rule of every page that can be asked for."""
    for page in visitor.app.extensions["lianke_console"]:
        is_file = re.search(r"\.\w+$|/(qr|poster|download|file|changes|template)", page.rule)
        if page.method == "GET" and not is_file and visitor.fill_in(page.rule) is not None:
            yield page.rule, page.rule
    yield from FILTERED.items()


@contextmanager
def entered(url: str, population: Population) -> Iterator[Visitor]:
    """The product on a filled database, and an administrator who is in."""
    now = datetime.now(UTC)
    product = build(product_config(url, 8000))
    app = create_app(product)
    with product.database.write() as session:
        account = logins.create_local(
            session,
            username=f"bench{os.getpid()}",
            password="long enough for a bench",
            role=Role.ADMIN,
            now=now,
        )
        account.must_change = False
        _, token = logins.open_login(
            session, account, LoginWay.PASSWORD, now=now, address="127.0.0.1", agent="bench"
        )
    client = app.test_client()
    client.set_cookie("lianke_login", token)
    try:
        yield Visitor(product, app, client, population, random.Random(1), account.id)
    finally:
        product.database.dispose()


@contextmanager
def watched(product: Product, spent: Spent) -> Iterator[None]:
    """Adds up what the statements of the block take in the driver."""
    began, total, count = [0.0], [0.0], [0]

    def before(*_: Any) -> None:
        began[0] = time.perf_counter()

    def after(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        total[0] += time.perf_counter() - began[0]
        count[0] += not statement.startswith(("BEGIN", "PRAGMA"))

    engine = product.database.engine
    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)
        spent.sql.append(total[0])
        spent.queries.add(count[0])


def ask(visitor: Visitor, rule: str, spent: Spent) -> None:
    """One page; raises AssertionError for any answer but 200."""
    address = visitor.fill_in(rule)
    assert address is not None
    with watched(visitor.product, spent):
        began = time.perf_counter()
        answer = visitor.client.get(address, headers={"Accept-Language": "zh-CN"})
        spent.pages.append(time.perf_counter() - began)
    assert answer.status_code == 200, (address, answer.status_code)


def measure(*, size: int, rounds: int, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Engine → page → p50 and p99 in ms, the ratio to plain SQL, and the number of statements."""
    seal.use(seal.Keyring(["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]))
    found = {}
    with tempfile.TemporaryDirectory() as home:
        for place in places(Path(home)):
            load = os.getloadavg()[0]
            pages = _of_engine(place, size, rounds)
            found[place.name] = {"load_average": [load, os.getloadavg()[0]], "pages": pages}
            worst = max(one["p99_ms"] for one in pages.values())
            tell(f"{place.name}: {len(pages)} pages, worst p99 {worst:.0f} ms")
    return found


def _of_engine(place: Place, size: int, rounds: int) -> dict[str, Any]:
    population = Population(size, datetime.now(UTC).replace(microsecond=0))
    with place.database(f"pages_{size}") as (url, _):
        with_tables = build(product_config(url, 8000)).database
        runner.upgrade(with_tables)
        population.fill(with_tables)
        with_tables.dispose()
        with entered(url, population) as visitor:
            spent = {name: Spent() for name, _ in pages_of(visitor)}
            memory.settle()
            for number in range(rounds + 2):
                for name, rule in pages_of(visitor):
                    ask(visitor, rule, spent[name] if number > 1 else Spent())
            return {name: _figures(one) for name, one in spent.items()}


def _figures(spent: Spent) -> dict[str, Any]:
    p50, sql = percentile(spent.pages, 0.5) * 1000, percentile(spent.sql, 0.5) * 1000
    return {
        "p50_ms": p50,
        "p99_ms": percentile(spent.pages, 0.99) * 1000,
        "sql_p50_ms": sql,
        "ratio_to_sql": p50 / max(sql, 0.001),
        "queries": sorted(spent.queries),
    }
