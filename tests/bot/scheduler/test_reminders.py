"""Reps are told of their tasks: once in the morning, once for each task whose hour has come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.scheduler.reminders import remind
from handlers.context import Corp
from scrm.accounts.models import Staff
from scrm.contacts.models import Contact
from scrm.db import Database
from scrm.outbox.models import OutboxCall
from scrm.tasks.models import Task, TaskSource

TZ = ZoneInfo("Asia/Shanghai")
CORP = Corp(TZ, 1000002, "https://scrm.example.com", lambda contact, userid, now: f"{userid}-pass")
DAY = datetime(2026, 11, 23, tzinfo=TZ)


@pytest.fixture
def give(database: Database) -> Iterator[object]:
    with database.write() as session:
        session.add_all(
            [
                rep := Staff(userid="wangmin", name="王敏", updated_at=DAY),
                who := Contact(name="李雷", created_at=DAY),
            ]
        )
        session.flush()
        ids = {"staff_id": rep.id, "contact_id": who.id}

    def make(hours: float, title: str) -> None:
        due = (DAY + timedelta(hours=hours)).astimezone(UTC)
        with database.write() as session:
            session.add(Task(title=title, due_at=due, source=TaskSource.OWN, created_at=DAY, **ids))

    return make


def run(database: Database, clock: float) -> int:
    return remind(database, CORP, now=(DAY + timedelta(hours=clock)).astimezone(UTC))


def owed(database: Database) -> list[OutboxCall]:
    with database.read() as session:
        return list(session.query(OutboxCall).order_by(OutboxCall.id))


def test_the_morning_message_comes_once_and_is_not_sent_at_night(database: Database, give) -> None:
    for number in range(7):
        give(9, f"第 {number} 件")
    give(-5, "昨天的")

    assert [run(database, 8.4), run(database, 8.5), run(database, 8.6), run(database, 11)] == [0, 1, 0, 0]

    (call,) = owed(database)
    card = call.command
    assert (card["title"], card["url"]) == (
        "今天 8 个待办（1 个已过期）",
        "https://scrm.example.com/sidebar/home",
    )
    lines = card["description"].split("\n")
    assert lines[:2] == ["11-22 李雷：昨天的", "09:00 李雷：第 0 件"]
    assert lines[-1] == "还有 3 个"
    assert call.expires_at == DAY + timedelta(hours=21)


def test_a_tasks_hour_is_told_once_and_leads_to_the_customer(database: Database, give) -> None:
    give(15, "打电话")
    run(database, 9)

    assert [run(database, 14.9), run(database, 15), run(database, 15.1)] == [0, 1, 0]

    card = owed(database)[-1].command
    assert (card["title"], card["description"]) == ("到时间了：李雷", "打电话")
    assert card["url"].endswith("?token=wangmin-pass")


def test_a_task_put_off_is_told_of_again(database: Database, give) -> None:
    give(15, "打电话")
    run(database, 15)
    with database.write() as session:
        session.query(Task).one().due_at = DAY + timedelta(hours=16)

    assert [run(database, 15.5), run(database, 16)] == [0, 1]
