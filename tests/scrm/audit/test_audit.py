"""The audit trail: written with the deed, never changed, and checked so that a change by anybody shows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from scrm.audit import service
from scrm.audit.models import AuditEntry
from scrm.audit.service import Deed, Verdict
from scrm.db import Database
from tests.conftest import NOW

pytestmark = pytest.mark.every_engine


def deed(action: str = "channel:created", **detail: Any) -> Deed:
    return Deed("account:1", "王敏", action, "channel", "c1", detail, "203.0.113.9")


def fill(database: Database, count: int) -> None:
    with database.write() as session:
        for number in range(count):
            service.append(session, deed(number=number), now=NOW + timedelta(seconds=number))


def verdict(database: Database) -> Verdict:
    with database.read() as session:
        return service.verify(session)


def lift_triggers(session: Session) -> None:
    """What a database administrator can do."""
    match session.get_bind().dialect.name:
        case "postgresql":
            session.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER USER"))
        case "sqlite" | "mysql" | "mariadb":
            for verb in ("update", "delete"):
                session.execute(text(f"DROP TRIGGER audit_entry_no_{verb}"))


def test_an_untouched_trail_is_whole(database: Database):
    assert verdict(database) == Verdict(0)
    fill(database, 5)
    assert verdict(database) == Verdict(5)


def test_a_deed_that_is_rolled_back_leaves_no_entry(database: Database):
    fill(database, 1)
    with database.write() as session:
        service.append(session, deed(), now=NOW)
        session.rollback()
    fill(database, 1)

    assert verdict(database) == Verdict(2)


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry"])
def test_the_database_refuses_changes(database: Database, statement: str):
    fill(database, 2)

    with pytest.raises(DBAPIError, match="insert-only"), database.write() as session:
        session.execute(text(statement))

    assert verdict(database) == Verdict(2)


TAMPERING: list[tuple[str, int]] = [
    ("UPDATE audit_entry SET actor_name = '李四' WHERE n = 3", 3),
    ("UPDATE audit_entry SET detail = '{}' WHERE n = 2", 2),
    ("DELETE FROM audit_entry WHERE n = 4", 4),
    ("DELETE FROM audit_entry WHERE n = 5", 5),  # the tail
    ("DELETE FROM audit_entry WHERE n <= 5", 1),
]


@pytest.mark.sqlite  # triggers cannot be dropped and made again where databases are shared by tests
@pytest.mark.parametrize(("statement", "broken_at"), TAMPERING)
def test_tampering_past_the_triggers_is_named(migrated_file, tmp_path, statement: str, broken_at: int):
    path = tmp_path / "audit.db"
    path.write_bytes(migrated_file.read_bytes())
    database = Database(f"sqlite:///{path}")
    fill(database, 5)
    with database.write() as session:
        lift_triggers(session)
        session.execute(text(statement))

    assert verdict(database).broken_at == broken_at
    database.dispose()


def test_entries_of_many_threads_queue(database: Database):
    fill(database, 1)
    threads = [threading.Thread(target=fill_one_by_one(database)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert verdict(database) == Verdict(16)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 16


def fill_one_by_one(database: Database) -> Callable[[], None]:
    def run() -> None:
        for _ in range(5):
            with database.write() as session:
                service.append(session, deed(), now=NOW)

    return run
