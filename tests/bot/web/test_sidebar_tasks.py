"""Tasks on the profile: due ones first with what is ready to send; done, skipped, put off, given, taken back."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from scrm.audit.models import AuditEntry
from scrm.contacts.models import Contact
from scrm.tasks.models import Task, TaskSource, TaskState
from tests.bot.web.conftest import Desk
from tests.bot.web.test_sidebar_chat import enter
from tests.bot.web.test_sidebar_edit import follow, rows, send, undo


@pytest.fixture
def rep(desk: Desk) -> Desk:
    enter(desk, desk.rep)
    return desk


def give(desk: Desk, title: str, due: timedelta, **more: Any) -> Task:
    fields = {"contact_id": desk.contact.id, "staff_id": desk.rep.id, "source": TaskSource.OWN, **more}
    return desk.add(Task(title=title, due_at=desk.now + due, created_at=desk.now, **fields))


def test_due_tasks_come_first_with_what_is_ready_to_send(rep: Desk) -> None:
    give(rep, "以后的", timedelta(days=3))
    give(rep, "今天的", timedelta(hours=2), content=[{"kind": "text", "text": "您好，资料来了"}])
    give(rep, "昨天的", timedelta(days=-1))

    page = rep.get().text

    assert page.index("昨天的") < page.index("今天的") < page.index("以后的待办 1")
    assert "您好，资料来了" in page
    assert page.count("data-send=") == 1
    assert "已过期" in page


@pytest.mark.parametrize(
    ("deed", "state", "told"),
    [("done", TaskState.DONE, "已完成「发资料」"), ("skip", TaskState.SKIPPED, "已跳过「发资料」")],
)
def test_closed_by_a_tap_and_opened_again_by_another(
    rep: Desk, deed: str, state: TaskState, told: str
) -> None:
    task = give(rep, "发资料", timedelta(hours=2))

    page = follow(rep, send(rep, f"tasks/{deed}", task=task.id))

    assert told in page
    assert rows(rep, Task)[0].state is state
    assert "已恢复「发资料」" in undo(rep, page)
    assert rows(rep, Task)[0].state is TaskState.OPEN
    deeds = ["task:done" if deed == "done" else "task:skipped", "task:reopened"]
    assert [row.action for row in rows(rep, AuditEntry)] == deeds


@pytest.mark.parametrize(
    ("until", "due"), [("2h", "2026-11-23T04:00"), ("1", "2026-11-24T01:00"), ("7", "2026-11-30T01:00")]
)
def test_put_off(rep: Desk, until: str, due: str) -> None:
    task = give(rep, "发资料", timedelta(hours=-2))

    assert "推迟到" in follow(rep, send(rep, "tasks/later", task=task.id, until=until))

    assert f"{rows(rep, Task)[0].due_at:%Y-%m-%dT%H:%M}" == due


def test_a_task_of_ones_own_in_two_taps(rep: Desk) -> None:
    page = follow(rep, send(rep, "tasks", due="3", text="您好"))

    (task,) = rows(rep, Task)
    assert (task.title, task.staff_id, task.source) == ("跟进", rep.rep.id, TaskSource.OWN)
    assert task.content == [{"kind": "text", "text": "您好"}]
    assert f"{task.due_at:%Y-%m-%dT%H:%M}" == "2026-11-26T01:00"
    assert "已添加待办「跟进」" in page
    undo(rep, page)
    assert rows(rep, Task)[0].state is TaskState.SKIPPED


def test_a_day_that_has_passed_is_refused(rep: Desk) -> None:
    assert "请选择今天或以后" in follow(rep, send(rep, "tasks", due="pick", date="2026-11-01"))
    assert rows(rep, Task) == []


def test_a_follow_up_says_which_tasks_it_did_and_takes_them_back(rep: Desk) -> None:
    give(rep, "发报价", timedelta(hours=-1), source=TaskSource.FOLLOWUP)

    page = follow(rep, rep.post(rep.form(rep.get())))

    assert "跟进已保存，并完成了到期的待办：发报价" in page
    assert "data-saved" in page
    undo(rep, page)
    assert rows(rep, Task)[0].state is TaskState.OPEN


def test_tasks_of_colleagues_and_of_other_customers_are_out_of_reach(rep: Desk) -> None:
    colleague = rep.staff("lina", "李娜")
    theirs = give(rep, "同事的", timedelta(hours=1), staff_id=colleague.id)
    foreign = rep.add(Contact(name="韩梅梅", created_at=rep.now, owner_id=colleague.id))
    other = give(rep, "别的", timedelta(hours=1), contact_id=foreign.id)

    page = rep.get().text
    assert "同事的" in page
    assert theirs.id not in page
    for task in (theirs, other):
        assert send(rep, "tasks/done", task=task.id).status_code == 404
    assert {row.state for row in rows(rep, Task)} == {TaskState.OPEN}


def test_who_came_by_a_link_does_the_tasks_too(desk: Desk) -> None:
    task = give(desk, "发资料", timedelta(hours=2))
    desk.open()

    assert send(desk, "tasks/done", task=task.id).status_code == 303

    assert rows(desk, Task)[0].closed_by == "staff:wangmin"
    assert re.fullmatch("staff:wangmin", rows(desk, AuditEntry)[0].actor)
