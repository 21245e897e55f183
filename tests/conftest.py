"""Fixtures every test may use: a migrated database of its own, a keyring, a fixed instant."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.orm import Session

import scrm.models  # noqa: F401 - every table must be known
from migrations import runner
from scrm import seal
from scrm.db import Database

settings.register_profile(
    "lianke", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # busy machines
settings.load_profile("lianke")

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # Monday 10:00 in Shanghai


RING = seal.Keyring(["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="])  # the one tests.stand configures too


@pytest.fixture(autouse=True)
def keyring() -> seal.Keyring:
    """The process's keyring; a test that builds a product of its own may have installed another."""
    seal.use(RING)
    return RING


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database at head, made once by the real migrations and copied for each test."""
    seal.use(RING)
    path = tmp_path_factory.mktemp("db") / "template.db"
    database = Database(f"sqlite:///{path}")
    runner.upgrade(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return path


@pytest.fixture
def database(migrated_file: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "lianke.db"
    shutil.copy(migrated_file, path)
    made = Database(f"sqlite:///{path}")
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
