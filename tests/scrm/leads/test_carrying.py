"""Tags that an import carries: once for each import, and in the same few statements for many."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select

from scrm.accounts.models import Staff
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind, Relation, RelationState
from scrm.leads.carrying import Tagged, Wanted, tag_contacts
from scrm.outbox.models import OutboxCall
from scrm.tags.models import ContactTag, Tag, TagGroup, TagSource
from scrm.timeline.models import TimelineEntry
from tests.scrm.counting import statements_of

pytestmark = pytest.mark.every_engine


@pytest.fixture
def rep(session, now):
    one = Staff(userid="wangmin", name="王敏", updated_at=now)
    session.add(one)
    session.flush()
    return one


@pytest.fixture
def tags(session, now):
    """One that WeCom knows, one it has not confirmed yet."""
    group = TagGroup(name="意向")
    session.add(group)
    session.flush()
    made = [
        Tag(group_id=group.id, name="高", wecom_id="et1"),
        Tag(group_id=group.id, name="低"),
    ]
    session.add_all(made)
    session.flush()
    return [tag.id for tag in made]


@pytest.fixture
def contacts(session, rep, now):
    """Makes contacts of the rep, connected in WeCom where asked."""
    made = []

    def make(count, *, connected=True, owned=True):
        new = []
        for _ in range(count):
            one = Contact(name="客户", owner_id=rep.id if owned else None, created_at=now)
            session.add(one)
            session.flush()
            if connected:
                identity = ContactIdentity(
                    contact_id=one.id, kind=IdentityKind.WECOM, value=f"wm{len(made)}", created_at=now
                )
                live = Relation(
                    contact_id=one.id,
                    staff_id=rep.id,
                    state=RelationState.ACTIVE,
                    added_at=now,
                    event_at=now,
                )
                session.add_all([identity, live])
            made.append(one)
            new.append(one)
        session.flush()
        return new

    return make


def wanted(tags, now, unique="job:1"):
    return Wanted(tags, unique, "account:li", now)


def test_fifty_get_theirs_in_as_many_statements_as_two(session, contacts, tags, now):
    counts = []
    for count in (2, 50):
        some = contacts(count)
        counts.append(statements_of(session, partial(tag_contacts, session, some, wanted(tags, now))))

    assert counts[0] == counts[1]
    assert session.query(ContactTag).count() == 104
    assert session.query(TimelineEntry).count() == session.query(OutboxCall).count() == 52


def test_wecom_is_told_of_what_it_knows_where_it_knows_the_connection(session, contacts, tags, now):
    (known,), (ours,), (nobodys,) = (
        contacts(1),
        contacts(1, connected=False),
        contacts(1, connected=False, owned=False),
    )
    assert tag_contacts(session, [known, ours, nobodys], wanted(tags, now)) == Tagged(2, local=1, nobody=1)

    (call,) = session.scalars(select(OutboxCall)).all()
    assert (call.contact_id, call.command["add"], call.command["external_userid"]) == (
        known.id,
        ["et1"],
        "wm0",
    )
    held = session.execute(select(ContactTag.contact_id, ContactTag.source, ContactTag.set_at)).all()
    assert sorted(held) == sorted(
        [(known.id, TagSource.STAFF, now)] * 2 + [(ours.id, TagSource.STAFF, now)] * 2
    )
    entry = session.scalars(select(TimelineEntry).where(TimelineEntry.contact_id == ours.id)).one()
    assert (entry.kind, entry.actor, entry.detail["tags"]) == ("tag.added", "account:li", ["高", "低"])


def test_what_somebody_took_away_does_not_come_back_with_the_same_import(session, contacts, tags, now):
    (one,) = contacts(1)
    tag_contacts(session, [one], wanted(tags, now))
    session.query(ContactTag).delete()

    tag_contacts(session, [one], wanted(tags, now + timedelta(hours=1)))
    assert session.query(ContactTag).count() == 0

    tag_contacts(session, [one], wanted(tags[:1], now, "job:2"))
    assert [row.tag_id for row in session.query(ContactTag)] == tags[:1]


def test_a_deleted_tag_is_passed_over(session, contacts, tags, now):
    (one,) = contacts(1)
    session.get_one(Tag, tags[0]).deleted_at = now
    tag_contacts(session, [one], wanted(tags, now))

    assert [row.tag_id for row in session.query(ContactTag)] == tags[1:]
    assert session.query(OutboxCall).count() == 0
