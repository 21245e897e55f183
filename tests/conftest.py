"""Fixtures every test may use: a migrated database of its own, a keyring, a fixed instant.

``--database postgresql`` (or ``mariadb``) runs all tests that are not about SQLite itself on that engine. Tests marked
``every_engine`` run on all three in each run.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from argon2 import PasswordHasher
from flask import Flask
from hypothesis import HealthCheck, settings
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from bot import memory
from scrm import seal
from scrm.accounts import logins
from scrm.db import Database
from scrm.spelling import spell
from tests.databases import ENGINES, Files, Place, Server, Unreachable, make_template

settings.register_profile(
    "lianke", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # busy machines
settings.load_profile("lianke")

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # Monday 10:00 in Shanghai
IN_MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
MARKS = {"postgresql": pytest.mark.postgresql, "mariadb": pytest.mark.mysql}


class KeptTemplates(BytecodeCache):
    """Compiled templates, for all applications of this process."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


class KeptRule(Rule):
    """A route whose builders of addresses are compiled once, for all applications of this process."""

    _kept: ClassVar[dict[Any, Callable[..., tuple[str, str]]]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        key = (self.rule, append_unknown, tuple(self._trace), repr(self.defaults))
        if key not in self._kept:
            self._kept[key] = super()._compile_builder(append_unknown)
        return self._kept[key]


# What only costs time: passwords are hashed as weakly as argon2id allows; templates and routes are compiled once, not
# for each application; files that are not about power cuts lie in memory; and bytecode is kept, whatever the
# environment says: without it each worker compiles all tests again, and each process that a test starts all of ours.
logins._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": KeptTemplates()}
Flask.url_rule_class = KeptRule
gc.set_threshold(500_000)  # until all tests are collected: nothing of that is garbage
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

RING = seal.Keyring(["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="])  # the one tests.stand configures too


def pytest_configure() -> None:
    """Let temporary files lie in memory where there is room: thousands of tests wait for thousands of commits."""
    if IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores: many tests wait for processes, sockets and clocks."""
    return (os.cpu_count() or 1) + 2


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=ENGINES, help="run on this engine only; sqlite unless told")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that are marked so on every engine, unless one is chosen."""
    if (
        "engine" not in metafunc.fixturenames
        or metafunc.definition.get_closest_marker("every_engine") is None
    ):
        return
    chosen = metafunc.config.getoption("database")
    names = [chosen] if chosen else ENGINES
    marked = [pytest.param(name, marks=MARKS.get(name, ())) for name in names]
    metafunc.parametrize("engine", marked, indirect=True)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests about SQLite itself where another engine is chosen; group the others."""
    if config.getoption("database") not in (None, "sqlite"):
        about_sqlite = [item for item in items if item.get_closest_marker("sqlite")]
        config.hook.pytest_deselected(items=about_sqlite)
        items[:] = [item for item in items if not item.get_closest_marker("sqlite")]
    for item in items:
        group = _group(item)
        if group and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish() -> None:
    """Let the collector pass over what stays: walking it took half of all the tests' processor time."""
    spell("联客")  # loads its dictionary, 200,000 lists
    memory.settle()
    gc.set_threshold(100_000, 10, 50)  # each test leaves an application behind


def _group(item: pytest.Item) -> str:
    """Tests that share what their module makes once, for one engine, run in one worker: else each worker makes it."""
    shared = getattr(item, "_fixtureinfo", None)
    scopes = {found[-1].scope for found in shared.name2fixturedefs.values()} if shared else set()
    if "module" not in scopes:
        return ""
    engine = item.callspec.params.get("engine", "") if hasattr(item, "callspec") else ""
    return f"{item.nodeid.partition('::')[0]} {engine}".strip()


@pytest.fixture(autouse=True)
def keyring() -> seal.Keyring:
    """The process's keyring; a test that builds a product of its own may have installed another."""
    seal.use(RING)
    return RING


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database at head, made once by the real migrations; for tests that copy files."""
    seal.use(RING)
    return make_template(tmp_path_factory.mktemp("db") / "template.db")


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """The name of the engine the test runs on."""
    return getattr(request, "param", None) or request.config.getoption("database") or "sqlite"


@pytest.fixture(scope="session")
def place_of(migrated_file: Path) -> Iterator[Callable[[str], Place]]:
    """Where an engine's databases are. Skips where its server is not there; with CI set that is a failure."""
    places: dict[str, Place] = {}

    def find(engine: str) -> Place:
        if engine not in places:
            places[engine] = Files(migrated_file) if engine == "sqlite" else Server(engine)
        return places[engine]

    def find_or_skip(engine: str) -> Place:
        try:
            return find(engine)
        except Unreachable as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))

    yield find_or_skip
    for place in places.values():
        place.close()


@pytest.fixture
def place(place_of: Callable[[str], Place], engine: str) -> Place:
    return place_of(engine)


@pytest.fixture
def database_url(place: Place, tmp_path: Path) -> str:
    """An empty database at head."""
    return place.fresh(tmp_path)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.dispose()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """An open write transaction, rolled back at the end."""
    with database._lock(), database._writer() as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def now() -> datetime:
    return NOW
