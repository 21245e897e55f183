"""Follow-ups: kept, told, and counted as the rep's first response."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scrm.accounts.models import Staff
from scrm.contacts.models import Contact, Relation
from scrm.errors import Invalid, NotFound
from scrm.followups.models import Followup, FollowupKind
from scrm.followups.queries import list_followups
from scrm.followups.service import CLOCK_SKEW, add_followup
from scrm.timeline.models import TimelineEntry


@pytest.fixture
def pair(session, now):
    staff = Staff(userid="wangmin", name="王敏", updated_at=now)
    contact = Contact(name="李雷", created_at=now)
    session.add_all([staff, contact])
    session.flush()
    added = now - timedelta(hours=1)
    relation = Relation(contact_id=contact.id, staff_id=staff.id, event_at=added, added_at=added)
    session.add(relation)
    session.flush()
    return contact, staff, relation


def add(session, pair, now, **changes):
    contact, staff, _ = pair
    given = {
        "kind": FollowupKind.NOTE,
        "content": "聊了需求",
        "actor": "staff:wangmin",
        "now": now,
        **changes,
    }
    return add_followup(
        session, given.pop("contact_id", contact.id), staff_id=given.pop("staff_id", staff.id), **given
    )


def test_it_is_kept_and_the_timeline_tells_it(session, pair, now):
    made = add(session, pair, now, next_step=" 发资料 ", next_at=now + timedelta(days=1))

    assert list_followups(session, contact_id=pair[0].id) == [made]
    assert (made.at, made.next_step, made.created_by) == (now, "发资料", "staff:wangmin")
    entry = session.query(TimelineEntry).one()
    assert (entry.kind, entry.at, entry.actor) == ("followup.note", now, "staff:wangmin")
    assert entry.detail == {
        "staff": "王敏",
        "content": "聊了需求",
        "followup_id": made.id,
        "next_step": "发资料",
    }


def test_only_the_first_after_the_add_is_the_first_response(session, pair, now):
    relation = pair[2]
    add(session, pair, now, at=now - timedelta(hours=2))  # before the add: no response to it
    assert relation.first_response_at is None
    add(session, pair, now, at=now - timedelta(minutes=30))
    add(session, pair, now)
    assert relation.first_response_at == now - timedelta(minutes=30)


def test_a_colleagues_followup_is_not_the_reps_response(session, pair, now):
    other = Staff(userid="lihua", name="李华", updated_at=now)
    session.add(other)
    session.flush()
    add(session, pair, now, staff_id=other.id)
    assert pair[2].first_response_at is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"content": "  "}, "content"),
        ({"content": "x" * 2001}, "content"),
        ({"staff_id": "nobody"}, "staff"),
        ({"next_step": "x" * 201}, "next_step"),
        ({"at": CLOCK_SKEW + timedelta(seconds=1)}, "at"),
        ({"next_at": timedelta(0)}, "next_at"),
        ({"next_at": timedelta(days=-1)}, "next_at"),
    ],
)
def test_what_is_wrong_is_refused_and_leaves_nothing(session, pair, now, changes, field):
    changes = {key: now + value if isinstance(value, timedelta) else value for key, value in changes.items()}
    with pytest.raises(Invalid) as refused:
        add(session, pair, now, **changes)
    assert list(refused.value.fields) == [field]
    assert session.query(Followup).count() == session.query(TimelineEntry).count() == 0
    assert pair[2].first_response_at is None


def test_2000_characters_and_a_phone_ahead_of_our_clock_are_fine(session, pair, now):
    assert add(session, pair, now, content="字" * 2000, at=now + CLOCK_SKEW).content == "字" * 2000


def test_nobody_can_be_followed_up(session, pair, now):
    with pytest.raises(NotFound):
        add(session, pair, now, contact_id="nobody")
    assert session.query(Followup).count() == 0


def test_the_log_pages_through_equal_instants(session, pair, now):
    made = [add(session, pair, now, content=str(n)) for n in range(5)]
    seen, before = [], None
    while page := list_followups(session, before=before, limit=2):
        seen += page
        before = (page[-1].at, page[-1].id)
    assert [row.id for row in seen] == sorted((row.id for row in made), reverse=True)
