"""Many events in one transaction: what is shared, what is written when, and that outside a batch nothing changes."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from scrm import batch
from scrm.accounts.service import ensure_staff
from scrm.contacts import service as contacts
from scrm.contacts.models import Contact, ContactIdentity, Relation
from scrm.dialects import MYSQL
from scrm.routing import service as routing
from scrm.routing.models import Assignment
from scrm.timeline.models import TimelineEntry


@pytest.fixture
def statements(session: Session) -> Counter[str]:
    """How many statements of each kind ran, by their first three words."""
    seen: Counter[str] = Counter()

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen[" ".join(statement.split()[:3])] += 1

    event.listen(session.connection(), "before_cursor_execute", count)
    return seen


def entry(key: str, at: datetime) -> dict[str, Any]:
    return {
        "contact_id": "c",
        "staff_id": None,
        "kind": "k",
        "at": at,
        "actor": "system",
        "detail": {},
        "effect_key": key,
    }


def keys(session: Session) -> list[str | None]:
    with session.no_autoflush:
        return list(session.scalars(select(TimelineEntry.effect_key).order_by(TimelineEntry.id)))


def test_rows_of_a_batch_are_written_together_at_its_end(
    session: Session, now: datetime, statements: Counter[str]
):
    with batch.collect(session):
        for key in ("a", "b", "a", "c"):
            batch.insert(session, TimelineEntry, entry(key, now))
        assert keys(session) == []

    assert keys(session) == ["a", "b", "c"]  # the key that was taken counts once
    if (
        session.get_bind().dialect.name in MYSQL
    ):  # it has no "insert what is new": one by one where a key is taken
        assert statements["INSERT INTO timeline_entry"] == 1 + 4
    else:
        assert statements["INSERT INTO timeline_entry"] == 1


def test_outside_a_batch_a_row_is_written_at_once(session: Session, now: datetime):
    batch.insert(session, TimelineEntry, entry("a", now))
    assert keys(session) == ["a"]


def test_a_batch_that_fails_writes_nothing(session: Session, now: datetime):
    def fail() -> None:
        with batch.collect(session):
            batch.insert(session, TimelineEntry, entry("a", now))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    batch.insert(session, TimelineEntry, entry("b", now))
    assert keys(session) == ["b"]  # nor is the session a batch any more


def test_changes_run_last_and_once_for_all(session: Session, now: datetime, statements: Counter[str]):
    table = TimelineEntry.__table__
    rename = update(table).where(table.c.effect_key == "a").values(kind="renamed")
    with batch.collect(session):
        for _ in range(3):
            batch.change(session, rename, {"actor": "customer"})
        batch.insert(session, TimelineEntry, entry("a", now))

    row = session.scalars(select(TimelineEntry)).one()
    assert (row.kind, row.actor, statements["UPDATE timeline_entry SET"]) == ("renamed", "customer", 1)


def test_a_batch_looks_up_once_and_only_for_itself(session: Session):
    asked: list[int] = []

    def find() -> int:
        asked.append(len(asked))
        return len(asked)

    with batch.collect(session):
        assert [batch.lookup(session, "key", find), batch.lookup(session, "key", find)] == [1, 1]
        batch.remember(session, "other", 7)
        assert batch.lookup(session, "other", find) == 7
    assert [batch.lookup(session, "key", find), batch.lookup(session, "other", find)] == [2, 3]


def test_nothing_found_is_remembered_too(session: Session, statements: Counter[str]):
    with batch.collect(session):
        contacts.find_ahead(session, ["wm1", "wm2"])
        before = statements.total()
        assert contacts.find_by_external_userid(session, "wm1") is None
        assert statements.total() == before


def test_a_crowd_of_new_contacts_is_written_in_the_order_that_references_need(
    session: Session, now: datetime, statements: Counter[str]
):
    staff = ensure_staff(session, "lisi", now=now)
    statements.clear()
    with batch.collect(session):
        for number in range(5):
            added = contacts.record_added(session, f"wm{number}", staff, at=now)
            routing.own_on_add(session, added.contact, staff, channel_name=None, at=now)

    for model in (Contact, ContactIdentity, Relation, Assignment):
        assert len(session.scalars(select(model)).all()) == 5
    written = {kind: count for kind, count in statements.items() if kind.startswith("INSERT")}
    assert written == dict.fromkeys(
        [
            f"INSERT INTO {name}"
            for name in ("contact", "contact_identity", "relation", "assignment", "timeline_entry")
        ],
        1,
    )
