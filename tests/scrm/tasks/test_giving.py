"""A task for each of many contacts: once, in the same few statements however many, about nobody the rep cannot see."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from scrm.accounts.models import Staff
from scrm.contacts.models import Contact, Relation, RelationState
from scrm.errors import Invalid
from scrm.tasks.giving import Giver, Order, Refusal, give_tasks, withdraw
from scrm.tasks.models import Task, TaskState
from scrm.timeline.models import TimelineEntry
from tests.scrm.counting import statements_of

HOUR = timedelta(hours=1)
BOSS = Giver("account:老板", None, None)


@pytest.fixture
def reps(session, now):
    made = [Staff(userid=userid, name=userid, updated_at=now) for userid in ("wangmin", "zhangsan")]
    session.add_all(made)
    session.flush()
    return made


@pytest.fixture
def contacts(session, reps, now):
    def make(count):
        made = [Contact(name=f"客户{n}", owner_id=reps[0].id, created_at=now) for n in range(count)]
        session.add_all(made)
        session.flush()
        return [row.id for row in made]

    return make


def order(now, **more):
    return Order("发报价", now + HOUR, **more)


def test_fifty_are_given_in_as_many_statements_as_two(session, contacts, reps, now):
    counts = []
    for count in (2, 50):
        ids, key = contacts(count), f"k{count}"
        asked = order(now, staff_id=reps[0].id)
        give = partial(give_tasks, session, ids, asked, giver=BOSS, key=key, now=now)
        counts.append(statements_of(session, give))

    assert counts[0] == counts[1] <= 10  # six, and four more where MariaDB looks which rows are new
    assert session.query(Task).count() == session.query(TimelineEntry).count() == 52


def test_the_same_key_gives_once(session, contacts, reps, now):
    ids = contacts(3)
    give_tasks(session, ids[:2], order(now), giver=BOSS, key="k", now=now)

    again = give_tasks(session, ids, order(now), giver=BOSS, key="k", now=now)

    assert (set(again.tasks), set(again.already), again.refused) == ({ids[2]}, set(ids[:2]), {})
    assert session.query(Task).count() == session.query(TimelineEntry).count() == 3


def test_fifty_are_taken_back_in_as_many_statements_as_two_and_only_those_of_the_key(
    session, contacts, reps, now
):
    kept = contacts(1)
    give_tasks(session, kept, order(now), giver=BOSS, key="other", now=now)
    counts = []
    for count in (2, 50):
        ids, key = [*contacts(count), *kept], f"k{count}"
        give_tasks(session, ids[:count], order(now), giver=BOSS, key=key, now=now)
        take = partial(withdraw, session, ids, key=key, actor=BOSS.name, now=now)
        counts.append(statements_of(session, take))

    assert counts[0] == counts[1] <= 6
    assert session.query(Task).filter_by(state=TaskState.OPEN).one().contact_id == kept[0]
    assert withdraw(session, ids, key="k50", actor=BOSS.name, now=now) == []


@pytest.mark.parametrize(
    ("state", "refused"), [(RelationState.LOST, None), (RelationState.TRANSFERRED, Refusal.UNRELATED)]
)
def test_a_rep_gets_tasks_only_about_those_they_see(session, contacts, reps, now, state, refused):
    owned, related = contacts(2)
    session.add(Relation(contact_id=related, staff_id=reps[1].id, state=state, event_at=now, added_at=now))

    given = give_tasks(
        session, [owned, related], order(now, staff_id=reps[1].id), giver=BOSS, key="k", now=now
    )

    assert given.refused == {owned: Refusal.UNRELATED} | ({related: refused} if refused else {})
    assert session.query(Task).count() == 2 - len(given.refused)


def test_who_sees_a_contact_may_take_its_task_on_themself(session, contacts, reps, now):
    (contact_id,) = contacts(1)
    me = Giver("account:张三", reps[1].id, {reps[0].id, reps[1].id})

    given = give_tasks(session, [contact_id], order(now, staff_id=reps[1].id), giver=me, key="k", now=now)

    assert list(given.tasks) == [contact_id]


def test_a_title_or_time_that_cannot_be_gives_nothing(session, contacts, now):
    for wrong in (Order(" ", now + HOUR), Order("x" * 201, now + HOUR), Order("x", now)):
        with pytest.raises(Invalid):
            give_tasks(session, contacts(1), wrong, giver=BOSS, key="k", now=now)
    assert session.query(Task).count() == 0
