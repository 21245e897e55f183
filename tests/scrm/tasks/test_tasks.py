"""Tasks: given once, closed once, opened again; follow-ups plan them and get them done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scrm.accounts.models import Staff, StaffStatus
from scrm.contacts.models import Contact
from scrm.errors import Conflict, Invalid, NotFound
from scrm.followups.models import FollowupKind
from scrm.followups.queries import closed_with
from scrm.followups.service import add_followup
from scrm.tasks import service
from scrm.tasks.models import Task, TaskSource, TaskState
from scrm.tasks.queries import TaskFilter, count_tasks, list_by_due, list_tasks
from scrm.tasks.reminders import due_reminders
from scrm.timeline.models import TimelineEntry
from scrm.timeline.rules import title

HOUR = timedelta(hours=1)
TZ = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def rep(session, now):
    staff = Staff(userid="wangmin", name="王敏", updated_at=now)
    session.add(staff)
    session.flush()
    return staff


@pytest.fixture
def contact(session, now):
    row = Contact(name="李雷", created_at=now)
    session.add(row)
    session.flush()
    return row


@pytest.fixture
def give(session, contact, rep, now):
    def make(due=HOUR, **more):
        given = {
            "staff_id": rep.id,
            "title": "发资料",
            "due_at": now + due,
            "source": TaskSource.OWN,
            "actor": "staff:wangmin",
            "now": now,
            **more,
        }
        return service.create_task(session, contact.id, **given)

    return make


def follow(session, contact, rep, now, **more):
    given = {
        "staff_id": rep.id,
        "kind": FollowupKind.NOTE,
        "content": "聊了",
        "actor": "staff:wangmin",
        **more,
    }
    return add_followup(session, contact.id, now=now, **given)


def told(session):
    return [
        (row.kind, title(row.kind, row.detail))
        for row in session.query(TimelineEntry).order_by(TimelineEntry.id)
    ]


def test_given_done_and_opened_again_the_timeline_tells_it(session, give, rep, now):
    task = give()
    service.do_task(session, task.id, actor="staff:wangmin", now=now + HOUR)
    assert (task.state, task.closed_at, task.closed_by) == (TaskState.DONE, now + HOUR, "staff:wangmin")
    service.reopen_task(session, task.id, actor="staff:wangmin", now=now + HOUR)

    assert (task.state, task.closed_at, task.closed_by) == (TaskState.OPEN, None, None)
    assert told(session) == [
        ("task.created", "给王敏安排了待办：发资料"),
        ("task.done", "王敏完成了待办：发资料"),
        ("task.reopened", "恢复了王敏的待办：发资料"),
    ]


def test_a_second_closing_changes_nothing_and_the_other_way_is_a_conflict(session, give, now):
    task = give()
    service.skip_task(session, task.id, actor="staff:wangmin", now=now)
    before = told(session)

    service.skip_task(session, task.id, actor="staff:lihua", now=now + HOUR)
    with pytest.raises(Conflict, match="已跳过"):
        service.do_task(session, task.id, actor="staff:lihua", now=now + HOUR)

    assert (task.state, task.closed_by, told(session)) == (TaskState.SKIPPED, "staff:wangmin", before)


def test_put_off_only_while_open_and_only_to_the_future(session, give, now):
    task = give()
    service.postpone_task(session, task.id, now + 3 * HOUR, actor="staff:wangmin", now=now)
    assert task.due_at == now + 3 * HOUR
    with pytest.raises(Invalid):
        service.postpone_task(session, task.id, now, actor="staff:wangmin", now=now)
    service.do_task(session, task.id, actor="staff:wangmin", now=now)
    with pytest.raises(Conflict):
        service.postpone_task(session, task.id, now + 9 * HOUR, actor="staff:wangmin", now=now)


def test_a_key_is_one_task_however_often_it_is_given(session, give):
    first, second = give(key="sop:1"), give(key="sop:1", title="别的")
    assert (second.id, second.title) == (first.id, "发资料")
    assert session.query(Task).count() == 1


@pytest.mark.parametrize(
    ("more", "field"),
    [({"title": " "}, "title"), ({"due": -HOUR}, "due_at"), ({"title": "长" * 201}, "title")],
)
def test_a_wrong_task_is_refused_at_its_field(session, give, more, field):
    with pytest.raises(Invalid) as caught:
        give(**more)
    assert list(caught.value.fields) == [field]
    assert session.query(Task).count() == 0


def test_nobody_who_has_left_is_given_a_task(session, give, rep):
    rep.status = StaffStatus.LEFT
    with pytest.raises(Invalid) as caught:
        give()
    assert list(caught.value.fields) == ["staff"]


def test_unknown_ids_are_not_found(session, rep, now):
    with pytest.raises(NotFound):
        service.do_task(session, "nobody", actor="x", now=now)
    with pytest.raises(NotFound):
        service.create_task(
            session,
            "nobody",
            staff_id=rep.id,
            title="x",
            due_at=now + HOUR,
            source=TaskSource.OWN,
            actor="x",
            now=now,
        )


def test_the_next_step_of_a_follow_up_is_a_task(session, contact, rep, now):
    made = follow(session, contact, rep, now, next_step="发报价", next_at=now + HOUR)
    follow(session, contact, rep, now, next_step="没有时间的一步")

    task = session.query(Task).one()
    assert (task.title, task.due_at, task.source, task.staff_id) == (
        "发报价",
        now + HOUR,
        TaskSource.FOLLOWUP,
        rep.id,
    )
    assert task.key == f"followup:{made.id}"


def test_a_new_follow_up_closes_what_is_due_and_nothing_else(session, contact, rep, give, now):
    follow(session, contact, rep, now, next_step="到期的", next_at=now + HOUR)
    follow(session, contact, rep, now, next_step="未到期的", next_at=now + 9 * HOUR)
    other = Staff(userid="lihua", name="李华", updated_at=now)
    session.add(other)
    session.flush()
    follow(session, contact, other, now, next_step="同事的", next_at=now + HOUR)
    give(due=HOUR, title="自己加的")

    made = follow(session, contact, rep, now + 2 * HOUR)

    states = {task.title: task.state.value for task in session.query(Task)}
    assert states == {"到期的": "done", "未到期的": "open", "同事的": "open", "自己加的": "open"}
    assert [task.title for task in closed_with(session, made)] == ["到期的"]


def test_lists_are_by_due_or_by_age_and_page_without_gaps(session, give, rep, contact, now):
    made = [give(due=hours * HOUR, title=str(hours)) for hours in (3, 1, 2, 2)]
    service.do_task(session, made[0].id, actor="x", now=now)
    mine = TaskFilter(staff_ids=[rep.id], state=TaskState.OPEN)

    first = list_by_due(session, mine, limit=2)
    rest = list_by_due(session, mine, after=(first[-1].due_at, first[-1].id), limit=2)
    assert [task.title for task in first + rest] == ["1", "2", "2"]
    assert count_tasks(session, mine) == 3
    assert (
        count_tasks(session, TaskFilter(contact_id=contact.id, closed_from=now, closed_before=now + HOUR))
        == 1
    )
    newest = list_tasks(session, TaskFilter(), limit=3)
    older = list_tasks(session, TaskFilter(), before=newest[-1].id)
    assert [task.id for task in newest + older] == sorted((task.id for task in made), reverse=True)


# --- reminders; ``now`` is Monday 10:00 in Shanghai


def at(clock: str) -> datetime:
    """That moment of the Monday, in Shanghai."""
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 11, 23, hour, minute, tzinfo=TZ).astimezone(UTC)


def reminders(session, clock):
    return due_reminders(session, now=at(clock), tz=TZ)


@pytest.fixture
def plan(session, contact, rep):
    def make(due, name="发资料"):
        row = Task(
            contact_id=contact.id,
            staff_id=rep.id,
            title=name,
            due_at=due,
            source=TaskSource.OWN,
            created_at=at("00:00"),
        )
        session.add(row)
        session.flush()
        return row

    return make


def test_the_morning_names_what_is_late_and_what_is_for_today(session, plan, rep):
    plan(at("09:00") - timedelta(days=1), "昨天的")
    plan(at("15:00"), "下午的")
    plan(at("00:00") + timedelta(days=1), "明天的")

    (found,) = reminders(session, "08:30")

    assert [task.title for task in found.tasks] == ["昨天的", "下午的"]
    assert (found.staff, found.late, found.is_morning, found.unique) == (rep, 1, True, "tasks:2026-11-23")


@pytest.mark.parametrize(("clock", "count"), [("14:59", 0), ("15:00", 1), ("20:59", 1), ("21:00", 0)])
def test_a_task_with_an_hour_is_told_of_when_it_comes_within_working_time(session, plan, clock, count):
    plan(at("15:00"))
    assert len(reminders(session, clock)) == count


def test_a_task_of_the_day_is_told_of_in_the_morning_only(session, plan):
    plan(at("09:00"))
    assert [found.is_morning for found in reminders(session, "09:30")] == [True]
    assert reminders(session, "13:00") == []


@pytest.mark.parametrize("change", [{"status": StaffStatus.LEFT}, {"on_leave": True}])
def test_who_is_away_is_not_disturbed(session, plan, rep, change):
    plan(at("15:00"))
    for name, value in change.items():
        setattr(rep, name, value)
    assert reminders(session, "09:00") + reminders(session, "16:00") == []
