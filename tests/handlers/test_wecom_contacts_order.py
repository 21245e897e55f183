"""What happened to contacts, in any order.

What may differ when the platform delivers out of order (distinct seconds), decided here:

- promised equal: each relation's state and last event, whether and since which loss the contact is lost, the first
  channel; a live relation has no end, an ended one an end not before its add;
- may differ: ``added_at`` of a live relation (half-add or add, and adds whose loss in between came late), ``lost_at``
  among the ends of one loss, ``regained``, how many scans one connection counts, the owner (late adds own nobody),
  and HALF becomes ACTIVE when a half-add overtakes the loss before it (the nightly sweep reads what is so).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.channels.models import Channel
from scrm.contacts import service as contacts
from scrm.contacts.models import Relation, RelationState
from scrm.contacts.service import LIVE
from tests.handlers.corporation import (
    ADD,
    EDIT,
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

NIGHTLY = 1000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 0


# any order


@dataclass(frozen=True)
class Happening:
    at: int
    change: str
    who: str
    source: str = ""
    channel: str = ""


ENDS = [(LOST, ""), (REMOVED, ""), (REMOVED, "DELETE_BY_TRANSFER")]


@st.composite
def histories(draw: st.DrawFn) -> list[Happening]:
    """What may happen between one contact and two reps, as the platform tells it: connections and ends alternate."""
    clock = iter(range(0, 1000, 10))
    connected = {"zhangsan": False, "lisi": False}
    found: list[Happening] = []
    while len(found) < draw(st.integers(2, 8)):
        who = draw(st.sampled_from(sorted(connected)))
        if connected[who]:
            change, source = draw(st.sampled_from([*ENDS, (EDIT, "")]))
            found.append(Happening(next(clock), change, who, source))
            connected[who] = change == EDIT
            if change == LOST and draw(st.booleans()):
                found.append(Happening(next(clock), REMOVED, who))
            continue
        channel = draw(st.sampled_from(["", "展会", "官网"]))
        if draw(st.booleans()):
            found.append(Happening(next(clock), HALF, who, channel=channel))
        if not found or found[-1].change != HALF or draw(st.booleans()):
            found.append(Happening(next(clock), ADD, who, channel=channel))
        connected[who] = True
    return found[:8]


def run(corp: Corporation, happenings: Sequence[Happening]) -> None:
    states = {"展会": corp.state, "官网": code_of(corp.session, corp.other).state}
    for one in happenings:
        more = {"Source": one.source} if one.source else {}
        more |= {"State": states[one.channel]} if one.channel else {}
        corp.happen(one.change, at=one.at, now=2000, who=one.who, **more)


def promised(corp: Corporation) -> dict[str, Any]:
    contact = corp.contact
    relations = {
        who: (relation.state, relation.event_at)
        for who in ("zhangsan", "lisi")
        for relation in corp.session.scalars(
            select(Relation).join(Staff, Staff.id == Relation.staff_id).where(Staff.userid == who)
        )
    }
    names = {corp.channel.id: "展会", corp.other.id: "官网", None: None}
    return {
        "relations": relations,
        "lost": contact.lost_at is not None,
        "first": (names[contact.first_channel_id], contact.first_source_at),
    }


def check_consistent(corp: Corporation, history: Sequence[Happening]) -> None:
    """What holds whatever the order was."""
    relations = contacts.list_relations(corp.session, corp.contact.id)
    for relation in relations:
        staff = corp.session.get_one(Staff, relation.staff_id)
        ends = {
            second(one.at) for one in history if one.who == staff.userid and one.change in (LOST, REMOVED)
        }
        if relation.state in LIVE:
            assert relation.lost_at is None
            assert relation.added_at is not None
        else:
            assert relation.lost_at in ends
            assert relation.added_at is None or relation.added_at <= relation.lost_at
    live = [relation for relation in relations if relation.state in LIVE]
    if relations and not live:
        assert corp.contact.lost_at == max(relation.lost_at for relation in relations if relation.lost_at)
    else:
        assert corp.contact.lost_at is None


def alike(permuted: dict[str, Any], ordered: dict[str, Any]) -> bool:
    """Equal, but for a half-add that overtook the loss before it (see the top)."""
    relaxed = dict(permuted["relations"])
    for who, (state, at) in ordered["relations"].items():
        if state is RelationState.HALF and relaxed.get(who) == (RelationState.ACTIVE, at):
            relaxed[who] = (state, at)
    return {**permuted, "relations": relaxed} == ordered


@pytest.fixture
def afresh(session: Session) -> Callable[[Sequence[Happening]], Corporation]:
    """Run a history in a corporation of its own, on the state the test began with."""
    corp = make_corporation(session)
    session.flush()

    def start(happenings: Sequence[Happening]) -> Corporation:
        session.expunge_all()
        session.connection().exec_driver_sql("ROLLBACK TO start")
        corp.channel = session.get_one(Channel, channel_id)
        corp.other = session.get_one(Channel, other_id)
        run(corp, happenings)
        return corp

    channel_id, other_id = corp.channel.id, corp.other.id
    session.connection().exec_driver_sql("SAVEPOINT start")
    return start


@settings(
    max_examples=NIGHTLY or 60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(history=histories(), data=st.data())
def test_any_order_of_events_ends_in_the_same_state(
    history: list[Happening], data: st.DataObject, afresh: Callable[[Sequence[Happening]], Corporation]
):
    # given the history as it happened
    corp = afresh(history)
    ordered = promised(corp)
    check_consistent(corp, history)

    # when it arrives in another order
    shuffled = data.draw(st.permutations(history))
    corp = afresh(shuffled)

    # then
    check_consistent(corp, history)
    assert alike(promised(corp), ordered)


@settings(
    max_examples=NIGHTLY or 30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(history=histories(), data=st.data())
def test_any_history_replayed_in_any_order_changes_nothing(
    history: list[Happening], data: st.DataObject, afresh: Callable[[Sequence[Happening]], Corporation]
):
    corp = afresh(history)
    rows = corp.rows[-len(history) :]
    before = snapshot(corp.session)

    for number in data.draw(st.permutations(range(len(rows)))):
        corp.again(rows[number], now=second(5000))

    assert changes(corp.session, before) == {}
