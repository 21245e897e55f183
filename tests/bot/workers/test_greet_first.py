"""When many scans wait, all are greeted before the rest of any is done; nothing else differs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.wechat.errors import error_for
from bot.workers import give_way
from bot.workers.inbox_worker import BATCH, CROWD, PUT_OFF
from handlers.events import envelope
from handlers.xml import parse
from scrm.channels import service as channels
from scrm.contacts.models import Contact
from scrm.db import Database
from scrm.inbox import service as inbox
from scrm.inbox.models import EventState, InboxEvent
from scrm.inbox.service import Arrival
from scrm.outbox import service as outbox
from scrm.outbox.models import CallState, OutboxCall
from scrm.timeline.models import TimelineEntry
from tests.bot.workers.stand import Stand
from tests.envelopes import event_xml


@pytest.fixture
def stand(database: Database) -> Iterator[Stand]:
    made = Stand(database)
    with database.write() as session:
        channels.set_default_welcome(session, {"welcomes": [{"text": "您好"}]}, actor="t", now=made.clock())
    yield made
    made.close()


def arrive(stand: Stand, *numbers: int, **fields: str) -> None:
    arrivals = []
    for number in numbers:
        text = event_xml(ExternalUserID=f"wm{number}", WelcomeCode=f"code{number}", **fields)
        kind = envelope(parse(text))
        arrivals.append(
            Arrival(
                source="wecom",
                kind=kind.kind,
                payload=text,
                received_at=stand.clock(),
                lane=kind.lane,
                priority=kind.priority,
                sent_at=kind.at,
            )
        )
    with stand.database.write_connection() as connection:
        inbox.record(connection, arrivals)


def drain(stand: Stand) -> int:
    steps = 0
    while stand.inbox_worker.step():
        steps += 1
    return steps


def welcomes(stand: Stand) -> int:
    return sum(call.command_kind == "SendWelcome" for call in stand.calls())


def owned(stand: Stand) -> int:
    with stand.database.read() as session:
        return len(session.scalars(select(Contact.id).where(Contact.owner_id.is_not(None))).all())


def test_a_full_batch_is_greeted_and_put_off(stand: Stand):
    arrive(stand, *range(2 * BATCH))

    assert stand.inbox_worker.step() == BATCH
    assert (welcomes(stand), owned(stand)) == (BATCH, 0)
    put_off = [event for event in stand.events() if event.priority == PUT_OFF]
    assert {(event.state, event.attempts) for event in put_off} == {(EventState.PENDING, 0)}
    assert len(put_off) == BATCH

    assert stand.inbox_worker.step() == BATCH  # the greetings of the others, before the rest of these
    assert (welcomes(stand), owned(stand)) == (2 * BATCH, 0)

    drain(stand)
    assert (welcomes(stand), owned(stand)) == (2 * BATCH, 2 * BATCH)
    assert {event.state for event in stand.events()} == {EventState.DONE}


def test_few_scans_are_handled_at_once(stand: Stand):
    arrive(stand, *range(CROWD - 1))

    assert stand.inbox_worker.step() == CROWD - 1
    assert owned(stand) == CROWD - 1
    assert {event.state for event in stand.events()} == {EventState.DONE}


def story(stand: Stand) -> tuple[object, ...]:
    """All that came of the events, without ids and instants."""
    with stand.database.read() as session:
        entries = session.execute(select(TimelineEntry.kind, TimelineEntry.at, TimelineEntry.actor)).all()
        calls = session.execute(
            select(OutboxCall.command_kind, OutboxCall.state, OutboxCall.lane, OutboxCall.expires_at)
        ).all()
    return sorted(map(str, entries)), sorted(map(str, calls))


def test_what_comes_of_a_crowd_is_what_comes_of_one_after_another(stand: Stand):
    arrive(stand, *range(BATCH))
    drain(stand)
    crowd = story(stand)
    with stand.database.write() as session:
        for table in (
            "timeline_entry",
            "outbox",
            "inbox",
            "assignment",
            "relation",
            "contact_identity",
            "contact",
        ):
            session.connection().exec_driver_sql(f"DELETE FROM {table}")
    for number in range(BATCH):
        arrive(stand, number)
        drain(stand)

    assert story(stand)[0] == crowd[0]
    assert [call for call in story(stand)[1] if "FetchStaff" not in call] == [
        call for call in crowd[1] if "FetchStaff" not in call
    ]


def test_a_contact_who_leaves_in_the_crowd_is_lost_after_being_greeted(stand: Stand):
    arrive(stand, *range(BATCH))
    gone = event_xml("del_follow_user", ExternalUserID="wm0")
    with stand.database.write_connection() as connection:
        inbox.record(
            connection,
            [
                Arrival(
                    "wecom",
                    "wecom.change_external_contact.del_follow_user",
                    gone,
                    stand.clock(),
                    "contact:wm0",
                )
            ],
        )
    assert stand.inbox_worker.step() == BATCH

    drain(stand)

    order = [
        (event.kind.rsplit(".", 1)[1], event.state) for event in stand.events() if event.lane == "contact:wm0"
    ]
    assert order == [("add_external_contact", EventState.DONE), ("del_follow_user", EventState.DONE)]
    with stand.database.read() as session:
        lost = session.scalars(select(Contact).where(Contact.lost_at.is_not(None))).all()
        done = {event.lane: event.done_at for event in session.scalars(select(InboxEvent))}
    assert len(lost) == 1
    assert done["contact:wm0"] is not None


def test_a_broken_event_in_the_crowd_fails_alone(stand: Stand):
    arrive(stand, *range(1, BATCH))
    with stand.database.write_connection() as connection:
        broken = Arrival(
            "wecom",
            "wecom.change_external_contact.add_external_contact",
            "<xml><Broken",
            stand.clock(),
            priority=0,
        )
        inbox.record(connection, [broken])

    drain(stand)

    states = [event.state for event in stand.events()]
    assert (states.count(EventState.DONE), states.count(EventState.PENDING)) == (BATCH - 1, 1)
    assert (welcomes(stand), owned(stand)) == (BATCH - 1, BATCH - 1)


def test_a_refused_reading_that_waits_does_not_stand_for_a_new_one(stand: Stand):
    """Deleted before the profile was read, and added again while that refusal is still to be handled."""
    arrive(stand, 0, CreateTime=str(int(stand.clock().timestamp())))
    drain(stand)
    stand.platform.next("externalcontact/get", error_for(84061, "not external contact"))
    stand.send()
    assert [call.state for call in stand.calls() if call.command_kind == "FetchContact"] == [CallState.FAILED]
    stand.clock.now += timedelta(seconds=5)

    arrive(stand, 0, CreateTime=str(int(stand.clock().timestamp())))
    stand.inbox_worker.step()

    readings = [call.state for call in stand.calls() if call.command_kind == "FetchContact"]
    assert readings == [CallState.FAILED, CallState.PENDING]


def test_a_reading_that_the_greeting_saved_is_not_made(stand: Stand):
    """Sent between the two passes, the welcome brought the profile; the rest of the event owes no reading."""
    with stand.database.write() as session:
        channels.set_default_welcome(
            session, {"welcomes": [{"text": "{customer}您好"}]}, actor="t", now=stand.clock()
        )
    for number in range(CROWD):
        stand.platform.profiles[f"wm{number}"] = {"name": f"客户{number}", "type": 1}
    arrive(stand, *range(CROWD))
    assert stand.inbox_worker.step() == CROWD
    stand.send()

    drain(stand)

    readings = [call.state for call in stand.calls() if call.command_kind == "FetchContact"]
    assert readings == [CallState.SKIPPED] * CROWD
    assert sum(call.command_kind == "NotifyStaff" for call in stand.calls()) == CROWD


def greeted_crowd(stand: Stand) -> None:
    """Scans whose welcomes were sent and brought profiles, while the rest of their events is still to be done."""
    with stand.database.write() as session:
        channels.set_default_welcome(
            session, {"welcomes": [{"text": "{customer}您好"}]}, actor="t", now=stand.clock()
        )
    for number in range(CROWD):
        stand.platform.profiles[f"wm{number}"] = {"name": f"客户{number}", "type": 1}
    arrive(stand, *range(CROWD))
    assert stand.inbox_worker.step() == CROWD
    stand.send()


def claim(stand: Stand, limit: int = CROWD) -> list[InboxEvent]:
    """What another worker would get now."""
    with stand.database.write() as session:
        return inbox.claim_events(session, owner="other", now=stand.clock(), limit=limit)


@pytest.mark.every_engine
def test_a_profile_that_another_worker_has_in_hand_does_not_stand_for_a_reading(stand: Stand):
    """That worker cannot see that the rep is to be told until the rest of the event is committed."""
    greeted_crowd(stand)
    adds = claim(stand)
    assert {row.kind for row in claim(stand)} == {"answer.externalcontact/get"}

    stand.inbox_worker._handle_batch(adds)

    readings = [call.state for call in stand.calls() if call.command_kind == "FetchContact"]
    assert readings == [CallState.PENDING] * CROWD


@pytest.mark.every_engine
def test_a_profile_that_stands_for_a_reading_is_handled_after_what_it_tells_of(stand: Stand, engine: str):
    greeted_crowd(stand)
    events = {row.lane: row.id for row in stand.events() if row.lane and row.lane.startswith("contact:")}
    answers = {row.lane for row in stand.events() if row.kind == "answer.externalcontact/get"}

    with stand.database.write() as session:
        for number in range(CROWD):
            event_id = events[f"contact:wm{number}"]
            assert outbox.greeting_brought_profile(session, event_id, lane=f"fetch:wm{number}")
        if engine != "sqlite":  # one writer: nobody can claim anything now
            assert not answers & {row.lane for row in claim(stand, limit=3 * CROWD)}

    assert answers <= {row.lane for row in claim(stand, limit=3 * CROWD)}


def test_other_events_wait_while_a_welcome_is_due(stand: Stand):
    arrive(stand, 1)
    assert stand.inbox_worker.tick() == 1  # the greeting is owed, and nobody sends it
    with stand.database.write_connection() as connection:
        edit = event_xml("edit_external_contact", ExternalUserID="wm1")
        arrival = Arrival("wecom", "wecom.change_external_contact.edit_external_contact", edit, stand.clock())
        inbox.record(connection, [arrival])

    assert stand.inbox_worker.tick() == 0
    arrive(stand, 2)
    assert stand.inbox_worker.tick() == 1  # but scans do not wait

    stand.send()
    assert stand.inbox_worker.tick() >= 1


def test_a_stream_of_welcomes_does_not_starve_other_events(stand: Stand, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(give_way, "MOST_SECONDS", 0.05)
    arrive(stand, 1)
    stand.inbox_worker.tick()
    with stand.database.write_connection() as connection:
        edit = event_xml("edit_external_contact", ExternalUserID="wm1")
        arrival = Arrival("wecom", "wecom.change_external_contact.edit_external_contact", edit, stand.clock())
        inbox.record(connection, [arrival])

    assert stand.inbox_worker.tick() == 0
    time.sleep(0.06)
    assert stand.inbox_worker.tick() == 1
