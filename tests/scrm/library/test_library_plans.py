"""Counting uses reads neither all of them nor one reply at a time, on any engine."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert

from scrm.db import Database
from scrm.ids import new_id
from scrm.library import queries
from scrm.library.models import FolderKind, LibraryUse, UseWay
from tests.plans import Recorder, whole_reads
from tests.scrm.library import factory

pytestmark = pytest.mark.every_engine
ITEMS, USES = 40, 8_000
ANALYSE = {"mysql": "ANALYZE TABLE library_use"}


def filled(database: Database, now: datetime) -> list[str]:
    """Two years of uses."""
    with database.write() as session:
        hand = factory.member(session, now)
        place = factory.folder(session, now)
        items = [factory.reply(session, now, place, f"话术{n}").id for n in range(ITEMS)]
        rows = [
            {
                "id": new_id(),
                "item_id": items[n % ITEMS],
                "staff_id": hand.staff_id,
                "way": UseWay.CHAT,
                "at": now - timedelta(hours=2 * n),
            }
            for n in range(USES)
        ]
        session.execute(insert(LibraryUse), rows)
    with database.write_connection() as connection:
        connection.exec_driver_sql(ANALYSE.get(database.dialect, "ANALYZE"))
    return items


def test_no_question_reads_all_uses(database: Database, now: datetime):
    items = filled(database, now)
    week, month = now - timedelta(days=7), now - timedelta(days=30)
    with database.read() as session, Recorder(session) as recorder:
        counts = queries.uses_of(session, items, week)
        summary = queries.summarize(session, FolderKind.REPLIES, factory.TEAM, since=week, idle_since=month)
        plans = recorder.plans()

    assert (sum(counts.values()), summary.uses, summary.count) == (85, 85, ITEMS)
    assert len(plans) == 3
    assert whole_reads(plans) == []
