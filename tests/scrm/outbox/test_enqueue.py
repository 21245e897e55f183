"""Owing a call: once per effect, with the request frozen where a repeat must be identical."""

from __future__ import annotations

import dataclasses
import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from scrm.db import Database
from scrm.outbox import queries
from scrm.outbox import service as outbox
from scrm.outbox.commands import COMMANDS, PRIORITY_WELCOME, Command, from_json, to_json
from scrm.outbox.models import CallState, Recovery
from tests.envelopes import NOW
from tests.scrm.outbox.factory import (
    claim,
    fetch,
    make_contact,
    mark,
    notice,
    put,
    remark,
    rows,
    seconds,
    way,
    welcome,
)


def test_a_call_is_owed_with_all_it_needs(session: Session):
    # when
    contact_id = make_contact(session)
    deadline = NOW + seconds(18)
    assert put(session, welcome(), contact_id=contact_id, caused_by=7, deadline=deadline) is True

    # then
    (row,) = rows(session)
    assert (row.api, row.command_kind, row.priority) == (
        "externalcontact/send_welcome_msg",
        "SendWelcome",
        PRIORITY_WELCOME,
    )
    assert (row.state, row.attempts, row.attempt_limit, row.uncertain) == (CallState.PENDING, 0, 8, False)
    assert (row.available_at, row.created_at, row.expires_at) == (NOW, NOW, deadline)
    assert (row.contact_id, row.caused_by, row.recovery) == (contact_id, 7, Recovery.REPEAT)
    assert from_json(row.command_kind, row.command) == welcome()


def test_the_same_effect_is_owed_once(session: Session):
    # given
    put(session, welcome(text="first"), caused_by=1)

    # when the same code comes again, even with other words
    assert put(session, welcome(text="second"), caused_by=2, now=NOW + seconds(5)) is False

    # then
    (row,) = rows(session)
    assert (row.command["text"], row.caused_by, row.created_at) == ("first", 1, NOW)


def test_the_same_effect_owed_on_many_threads_is_owed_once(database: Database):
    # given
    made: list[bool] = []
    start = threading.Barrier(4)

    def owe() -> None:
        start.wait(10)
        for number in range(10):
            with database.write() as session:
                made.append(put(session, welcome(f"CODE-{number}")))

    threads = [threading.Thread(target=owe) for _ in range(4)]

    # when
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    # then
    assert (len(made), sum(made)) == (40, 10)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (welcome("A"), welcome("B")),
        (remark("1"), remark("2")),
        (remark("1"), remark("1", whom="wm2")),
        (remark("1"), mark("1")),
        (notice("1"), notice("1", who="lisi")),
        (way("ch_1"), way("ch_2")),
        (fetch("1"), fetch("2")),
    ],
)
def test_different_effects_are_owed_each(one: Command, other: Command, session: Session):
    assert put(session, one) is True
    assert put(session, other) is True


def test_what_caused_a_call_is_rolled_back_with_it(database: Database):
    # given a transaction that fails after it decided to greet
    def decide() -> None:
        with database.write() as session:
            put(session, welcome())
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError):
        decide()

    # then
    with database.read() as session:
        assert rows(session) == []


def test_not_before_is_kept(session: Session):
    put(session, fetch(), not_before=NOW + seconds(4))

    assert claim(session, at=NOW + seconds(3.9)) == []
    assert len(claim(session, at=NOW + seconds(4))) == 1


def test_the_request_of_a_windowed_call_is_frozen(session: Session):
    # given
    put(session, notice())

    # then: raw UTF-8 JSON, exactly what will be sent, however often
    (row,) = rows(session)
    assert row.request == outbox.request_text(notice())
    assert row.request
    assert "新客户" in row.request
    assert json.loads(row.request)["enable_duplicate_check"] == 1
    (claimed,) = claim(session)
    assert claimed.request == row.request


@pytest.mark.parametrize("command", [remark(), mark(), way(), fetch(), welcome()])
def test_other_requests_are_made_when_sent(command: Command, session: Session):
    put(session, command)

    assert [row.request for row in rows(session)] == [None]


def test_command_and_request_are_sealed_in_the_database(database: Database):
    # given
    with database.write() as session:
        put(session, notice("canary-key"))
        put(session, remark())

    # then
    with database.engine.connect() as connection:
        stored = connection.exec_driver_sql("SELECT command, request FROM outbox").all()
    assert not any("王" in str(text) or "zhangsan" in str(text) for row in stored for text in row if text)


def filled(kind: str, text: str) -> Command:
    """A command of this kind, every field filled by its type."""
    values: dict[str, Any] = {
        "str": text,
        "str | None": text,
        "int": 1,
        "bool": True,
        "list[str]": [text] * 3,
    }
    names = {field.name: values.get(str(field.type), []) for field in dataclasses.fields(COMMANDS[kind])}
    return from_json(kind, names)


@pytest.mark.parametrize("kind", COMMANDS)
def test_every_command_survives_its_row(kind: str):
    command = filled(kind, "王")

    again = from_json(kind, json.loads(json.dumps(to_json(command))))

    assert again == command
    assert again.effect_key == command.effect_key


@pytest.mark.parametrize("kind", COMMANDS)
def test_the_longest_ids_of_the_platform_fit_the_columns(kind: str):
    command = filled(kind, "x" * 64)

    assert 0 < len(command.effect_key) <= 160
    assert command.lane is None or 0 < len(command.lane) <= 80


def test_reads_tell_what_waits(session: Session):
    # given
    put(session, remark("1"))
    put(session, remark("2"), now=NOW + timedelta(minutes=1))
    put(session, notice(), contact_id=make_contact(session))
    (row, *_) = claim(session, limit=1)
    outbox.finish(session, row, outbox.Outcome(outbox.Verdict.SENT), now=NOW)

    # then
    assert queries.count_by_state(session) == {"sent": 1, "pending": 2}
    assert queries.oldest_due(session) == NOW
    assert [call.id for call in queries.list_calls(session, limit=2)] == [3, 2]
    assert [call.id for call in queries.list_calls(session, before=2)] == [1]
    assert [call.id for call in queries.list_calls(session, api="message/send")] == [3]
    assert [call.id for call in queries.list_calls(session, state=CallState.SENT)] == [1]
    assert [attempt.n for attempt in queries.list_attempts(session, 1)] == [1]
