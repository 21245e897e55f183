"""A customer gets another owner: what the owner before had still to do goes with the customer."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from scrm.accounts.models import Staff
from scrm.contacts.models import Contact
from scrm.routing.models import Assignment
from scrm.routing.service import assign_manually, assign_many, own_on_add
from scrm.tasks.models import Task, TaskSource, TaskState
from scrm.timeline.models import TimelineEntry
from scrm.timeline.rules import title
from tests.scrm.counting import statements_of

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.every_engine


@pytest.fixture
def reps(session, now):
    made = [
        Staff(userid=userid, name=name, updated_at=now)
        for userid, name in (("wangmin", "王敏"), ("zhangsan", "张三"), ("lihua", "李华"))
    ]
    session.add_all(made)
    session.flush()
    return made


@pytest.fixture
def customer(session, now):
    def make(owner, name="李雷"):
        row = Contact(name=name, owner_id=owner.id if owner else None, created_at=now)
        session.add(row)
        session.flush()
        return row

    return make


@pytest.fixture
def todo(session, now):
    def make(contact, staff, state=TaskState.OPEN):
        fields = {"source": TaskSource.OWN, "created_at": now, "due_at": now + HOUR, "state": state}
        row = Task(contact_id=contact.id, staff_id=staff.id, title="发资料", **fields)
        session.add(row)
        session.flush()
        return row

    return make


def holder(session, *tasks):
    for task in tasks:
        session.refresh(task)
    return [task.staff_id for task in tasks]


def told(session, contact):
    entries = session.query(TimelineEntry).filter_by(contact_id=contact.id).order_by(TimelineEntry.id)
    return [title(row.kind, row.detail) for row in entries if row.kind.startswith("task.")]


def test_the_owners_open_tasks_go_and_all_others_stay(session, reps, customer, todo, now):
    old, new, colleague = reps
    contact, other = customer(old), customer(old, "韩梅")
    going = [todo(contact, old), todo(contact, old)]
    staying = [todo(contact, old, TaskState.DONE), todo(contact, colleague), todo(other, old)]

    assign_manually(session, contact.id, new.id, actor="account:老板", now=now)

    assert holder(session, *going) == [new.id, new.id]
    assert holder(session, *staying) == [old.id, colleague.id, old.id]
    assert told(session, contact) == ["未完成的待办（2 个）随客户从王敏转给了张三"]
    assert told(session, other) == []
    entry = session.query(TimelineEntry).filter_by(kind="task.handed_over").one()
    assert title(entry.kind, entry.detail, "en") == "Open tasks (2) went with the customer from 王敏 to 张三"


def test_where_nothing_is_open_nothing_is_told(session, reps, customer, todo, now):
    old, new, _ = reps
    contact = customer(old)
    todo(contact, old, TaskState.SKIPPED)

    assign_manually(session, contact.id, new.id, actor="account:老板", now=now)

    assert told(session, contact) == []


def test_a_rep_who_follows_one_who_is_gone_takes_over_the_tasks(session, reps, customer, todo, now):
    old, new, _ = reps
    contact = customer(old)
    task = todo(contact, old)

    own_on_add(session, contact, new, channel_name=None, at=now)

    assert holder(session, task) == [new.id]


def test_many_go_in_as_many_statements_as_two(session, reps, customer, todo, now):
    old, new, colleague = reps
    counts = []
    for count in (2, 40):
        contacts = [customer(old if n % 2 else colleague, f"客户{n}") for n in range(count)]
        tasks = [todo(contact, old if n % 2 else colleague) for n, contact in enumerate(contacts)]
        kept = todo(contacts[0], old)  # of one who does not own it
        give = partial(assign_many, session, contacts, new.id, actor="account:老板", now=now, note="休假")
        counts.append(statements_of(session, give))

        assert set(holder(session, *tasks)) == {new.id}
        assert holder(session, kept) == [old.id]
        assert {told(session, contact)[0] for contact in contacts} == {
            "未完成的待办（1 个）随客户从王敏转给了张三",
            "未完成的待办（1 个）随客户从李华转给了张三",
        }
        assert {contact.owner_id for contact in contacts} == {new.id}

    assert counts[0] == counts[1]
    assert session.query(Assignment).filter_by(reason="manual").count() == 42
