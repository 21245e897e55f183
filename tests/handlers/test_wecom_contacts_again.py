"""What happened to contacts, handled again: in a row, as a whole, in two steps."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.context import Context
from handlers.dispatch import dispatch_urgent
from scrm.contacts import service as contacts
from scrm.inbox.models import InboxEvent
from scrm.outbox.models import OutboxCall
from tests.handlers.corporation import (
    ADD,
    CORP,
    EDIT,
    FAILED,
    HALF,
    LOST,
    REMOVED,
    Corporation,
    changes,
    make_corporation,
    second,
    snapshot,
)
from tests.scrm.channels.factory import code_of

# twice


def everything(corp: Corporation) -> None:
    corp.happen(HALF, at=0, State=corp.state, WelcomeCode="A")
    corp.happen(ADD, at=5, State=corp.state)
    corp.happen(EDIT, at=10)
    corp.happen(ADD, at=20, who="lisi", State=code_of(corp.session, corp.other).state, WelcomeCode="B")
    corp.happen(LOST, at=30)
    corp.happen(REMOVED, at=40)
    corp.happen(REMOVED, at=45, who="lisi", Source="DELETE_BY_TRANSFER")
    corp.happen(FAILED, at=50, who="wangwu", FailReason="customer_refused")
    corp.happen(ADD, at=60, State=corp.state, WelcomeCode="C")
    corp.happen("msg_audit_approved", at=70, WelcomeCode="D")


def test_every_event_handled_twice_in_a_row_changes_nothing(corp: Corporation):
    # given
    handled: list[tuple[InboxEvent, dict[str, Any]]] = []
    original = corp.again

    def twice(row: InboxEvent, **more: Any) -> None:
        original(row, **more)
        handled.append((row, snapshot(corp.session)))
        original(row, **more)
        assert changes(corp.session, handled[-1][1]) == {}, row.kind

    corp.again = twice  # type: ignore[method-assign]

    # when / then
    everything(corp)
    assert len(handled) == 10


def test_the_whole_history_replayed_changes_nothing(corp: Corporation):
    # given, a day later, all events again in their order and in the reverse
    everything(corp)
    before = snapshot(corp.session)

    # when
    for row in [*corp.rows, *reversed(corp.rows)]:
        corp.again(row, now=second(86_400))

    # then
    assert changes(corp.session, before) == {}


def test_an_add_replayed_after_the_rep_was_told_owes_no_second_notice(corp: Corporation):
    # given a rep who was told: the profile was read
    row = corp.happen(ADD, at=0)
    relation = corp.relation()
    relation.notice_owed = False
    corp.session.flush()
    before = snapshot(corp.session)

    # when
    corp.again(row, now=second(3600))

    # then
    assert changes(corp.session, before) == {}


def outline(corp: Corporation) -> dict[str, Any]:
    """What came of events, without our ids."""
    return {
        "calls": sorted(
            (call.command_kind, call.available_at, call.expires_at, call.state)
            for call in corp.session.scalars(select(OutboxCall))
        ),
        "timeline": sorted(corp.timeline()),
        "assignments": corp.assignments(),
        "scans": [(at, is_new) for _, at, is_new in corp.scans()],
        "relations": [
            (relation.state, relation.added_at, relation.lost_at, relation.regained, relation.notice_owed)
            for relation in contacts.list_relations(corp.session, corp.contact.id)
        ],
    }


def test_greeting_first_and_the_rest_later_comes_to_the_same(session: Session):
    # given what comes of a history, and the same corporation before it
    corp = make_corporation(session)
    savepoint = session.begin_nested()
    everything(corp)
    at_once = outline(corp)
    savepoint.rollback()
    session.expire_all()

    # when a crowd makes the worker greet first
    corp.rows.clear()
    original = corp.again

    def in_two_steps(row: InboxEvent, **more: Any) -> None:
        its = Context(row.received_at, row.received_at, row.id, CORP)
        dispatch_urgent(session, [row], lambda _row: nullcontext(its))
        session.expire_all()
        original(row, **more)

    corp.again = in_two_steps  # type: ignore[method-assign]
    everything(corp)

    # then
    assert outline(corp) == at_once
