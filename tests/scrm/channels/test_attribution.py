from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from scrm.accounts.models import Staff
from scrm.channels.attribution import attribute_scan
from scrm.channels.models import Scan
from tests.scrm.channels.factory import calls, code_of, make_channel, make_contact, make_relation


@pytest.fixture
def world(session, now):
    """Two channels with a code each, a contact who knows one rep."""
    first = make_channel(session, now=now, name="展会")
    second = make_channel(session, now=now, name="官网")
    staff = session.scalars(select(Staff).where(Staff.userid == "lisi")).one()
    contact = make_contact(session, now=now)
    relation = make_relation(session, contact, staff, at=now)

    def scan(channel, at, *, is_new=True, key=None, state=None):
        return attribute_scan(
            session,
            contact=contact,
            relation=relation,
            staff=staff,
            state=state if channel is None else code_of(session, channel).state,
            at=at,
            is_new_contact=is_new,
            key=key or f"scan:wm:lisi:{int(at.timestamp())}",
        )

    return first, second, contact, relation, scan


def test_the_first_scan_is_the_source(session, now, world):
    first, _, contact, relation, scan = world
    assert scan(first, now) is first
    assert (contact.first_channel_id, contact.first_source_at) == (first.id, now)
    assert (relation.channel_id, relation.way_state) == (first.id, code_of(session, first).state)
    [row] = session.scalars(select(Scan))
    assert (row.channel_id, row.contact_id, row.at, row.is_new) == (first.id, contact.id, now, True)


def test_second_scan_keeps_first_source_and_is_recorded(session, now, world):
    first, second, contact, relation, scan = world
    scan(first, now)
    later = now + timedelta(days=3)
    assert scan(second, later, is_new=False) is second
    assert (contact.first_channel_id, contact.first_source_at) == (first.id, now)
    assert (relation.channel_id, relation.way_state) == (second.id, code_of(session, second).state)
    assert len(session.scalars(select(Scan)).all()) == 2


def test_the_same_key_counts_once(session, now, world):
    first, second, contact, relation, scan = world
    scan(first, now, key="k")
    assert scan(second, now + timedelta(days=1), key="k", is_new=False) is second
    assert len(session.scalars(select(Scan)).all()) == 1
    assert (contact.first_channel_id, relation.channel_id) == (first.id, first.id)


def test_an_older_scan_that_comes_late_does_not_replace_the_latest(session, now, world):
    first, second, _, relation, scan = world
    scan(second, now)
    scan(first, now - timedelta(hours=1), is_new=False)
    assert relation.channel_id == second.id
    assert len(session.scalars(select(Scan)).all()) == 2


@pytest.mark.parametrize("state", [None, "", "wb:1:zzz", "ch_unknown"])
def test_a_state_that_is_no_channels_leaves_no_trace(session, now, world, state):
    _, _, contact, relation, scan = world
    owed = len(calls(session))
    assert scan(None, now, state=state) is None
    assert session.scalars(select(Scan)).all() == []
    assert (contact.first_channel_id, relation.channel_id) == (None, None)
    assert len(calls(session)) == owed


def test_a_contact_known_from_elsewhere_keeps_that_source(session, now, world):
    first, _, contact, relation, scan = world
    contact.first_source_at = now - timedelta(days=30)
    scan(first, now, is_new=False)
    assert contact.first_channel_id is None
    assert relation.channel_id == first.id
