"""Tasks that managers give: from a contact's page and to many, with what is ready to send; what reps then see."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.workers import bulk as deeds
from bot.workers.background import Background
from bot.workers.kinds import KINDS
from bot.workers.wakeup import Queue
from scrm.accounts.models import Staff, StaffStatus
from scrm.accounts.roles import Reach, Role
from scrm.audit.models import AuditEntry
from scrm.contacts.models import Contact
from scrm.jobs.models import Job
from scrm.library.folders import Hand
from scrm.library.models import FolderKind
from scrm.outbox.models import CallState, OutboxCall
from scrm.tasks.models import Task, TaskSource, TaskState
from scrm.timeline.models import TimelineEntry
from scrm.timeline.rules import title
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser
from tests.bot.web.test_sidebar_chat import enter as enter_sidebar
from tests.bot.web.test_sidebar_chat import known
from tests.scrm.library import factory

Enter = Callable[..., Browser]
BULK = "/console/contacts/bulk"
FORM = {"staff": "wangmin", "title": "发报价", "due": "2026-11-24T09:30"}


def page_of(desk: Desk) -> str:
    return f"/console/contacts/{desk.contact.id}"


def rows(desk: Desk, model: Any) -> list[Any]:
    with desk.product.database.read() as session:
        return list(session.scalars(select(model).order_by(model.__table__.primary_key.columns.values()[0])))


def told(desk: Desk) -> list[str]:
    return [title(row.kind, row.detail) for row in rows(desk, TimelineEntry)]


@pytest.fixture
def shelf(desk: Desk) -> dict[str, Any]:
    """A team's reply with a link, a team's picture whose file is on its way, a rep's own reply."""
    with desk.product.database.write() as session:
        replies = factory.folder(session, desk.now)
        materials = factory.folder(session, desk.now, "资料", kind=FolderKind.MATERIALS)
        own = Hand(desk.rep.id)
        mine = factory.folder(session, desk.now, "常用", hand=own)
        link = factory.link(session, desk.now, materials)
        return {
            "reply": factory.reply(
                session, desk.now, replies, "报价", "{customer}您好，我是{staff}", material_id=link.id
            ),
            "link": link,
            "picture": factory.picture(session, desk.now, materials),
            "own": factory.reply(session, desk.now, mine, "问候", "早", hand=own),
        }


@pytest.fixture
def work(desk: Desk) -> Iterator[Callable[[], None]]:
    """Let a worker do what is due."""
    product = desk.product
    background = Background(
        product.database, product.wakeups, KINDS, product.corp, owner="p", clock=lambda: desk.now
    )

    def run() -> None:
        while background.tick():
            while background._busy.total():
                product.wakeups.wait(Queue.BACKGROUND, 10)

    yield run
    background.close()


def test_a_task_from_the_contacts_page_is_in_the_reps_sidebar_ready_to_send(
    desk: Desk, enter: Enter, shelf: dict[str, Any]
):
    browser = enter(Role.ADMIN)
    page = browser.get(page_of(desk)).text
    assert "没有未完成的待办" in page
    assert ">问候<" not in page  # a rep's own is nobody else's to send
    form = {**FORM, "text": "{customer}，资料来了", "reply": shelf["reply"].id}

    answer = browser.post(f"{page_of(desk)}/tasks", form)

    assert answer.status_code == 303
    (task,) = rows(desk, Task)
    assert (task.staff_id, task.source, task.title) == (desk.rep.id, TaskSource.MANAGER, "发报价")
    assert task.due_at == datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
    assert task.content == [
        {"kind": "text", "text": "李雷，资料来了"},
        {"kind": "text", "text": "李雷您好，我是王敏"},
        {"kind": "material", "material_id": shelf["link"].id},
    ]
    assert told(desk) == ["给王敏安排了待办：发报价"]
    entry = rows(desk, AuditEntry)[-1]
    assert (entry.action, entry.object_id, entry.detail["staff"]) == (
        "task:given",
        desk.contact.id,
        "wangmin",
    )
    assert entry.detail["task"] == task.id
    shown = browser.get(answer.location).text
    assert "待办已安排" in shown
    assert re.search(r"<b><bdi>发报价</bdi></b>\s*<small[^>]*><bdi>王敏</bdi>", shown)

    known(desk, desk.contact.id, "wm1")
    enter_sidebar(desk, desk.rep)
    card = desk.get().text
    assert "李雷您好，我是王敏" in card
    assert "data-send=" in card
    message = json.loads(html.unescape(re.findall(r'data-message="([^"]+)"', card)[0]))
    assert message["news"]["link"] == "https://example.com/a"
    desk.now += timedelta(days=1)
    enter_sidebar(desk, desk.rep)
    assert "发报价" in desk.get("/sidebar/home").text


def test_a_file_on_its_way_or_deleted_is_said_and_nothing_is_sent_by_one_tap(
    desk: Desk, enter: Enter, shelf: dict[str, Any]
):
    enter(Role.ADMIN).post(f"{page_of(desk)}/tasks", {**FORM, "material": shelf["picture"].id})
    enter_sidebar(desk, desk.rep)

    card = desk.get().text
    assert "素材：海报" in card
    assert "这份素材现在发不了" in card
    assert "data-send=" not in card
    with desk.product.database.write() as session:
        session.get(type(shelf["picture"]), shelf["picture"].id).deleted_at = desk.now
    assert "素材：已删除的素材" in desk.get().text


def test_the_same_form_twice_is_one_task(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)
    nonce = re.findall(r'name="nonce" value="([^"]+)"', browser.get(page_of(desk)).text)[0]

    for _ in range(2):
        assert browser.post(f"{page_of(desk)}/tasks", {**FORM, "nonce": nonce}).status_code == 303

    assert len(rows(desk, Task)) == len(told(desk)) == 1
    assert [row.action for row in rows(desk, AuditEntry)].count("task:given") == 1


@pytest.mark.parametrize(
    ("wrong", "why", "field"),
    [
        ({"title": " "}, "请填写 1-200 个字", "title"),
        ({"due": "2026-11-23T09:00"}, "现在以后、两年以内", "due"),
        ({"due": "morgen"}, "现在以后、两年以内", "due"),
        ({"text": "{name}您好"}, "没有占位符", "text"),
        ({"reply": "OWN"}, "话术或素材已不在", "reply"),
        ({"staff": "zhangsan"}, "看得到这位客户的在职员工", "staff"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(
    desk: Desk, enter: Enter, shelf: dict[str, Any], wrong: dict[str, str], why: str, field: str
):
    desk.staff("zhangsan", "张三")  # neither owns the contact nor is connected
    wrong = {name: shelf["own"].id if value == "OWN" else value for name, value in wrong.items()}

    answer = enter(Role.ADMIN).post(f"{page_of(desk)}/tasks", {**FORM, "text": "您好", **wrong})

    assert answer.status_code == 422
    assert why in answer.text
    assert "您好" in answer.text
    assert re.search(rf'name="{field}"[^>]*aria-invalid', answer.text)
    assert rows(desk, Task) == []


def test_only_who_may_hand_over_gives_tasks_and_only_within_reach(desk: Desk, enter: Enter):
    colleague = desk.staff("zhangsan", "张三")
    desk.relate(desk.contact, colleague)
    sales = enter(Role.SALES, staff=desk.rep)
    assert "安排待办" not in sales.get(page_of(desk)).text
    assert sales.post(f"{page_of(desk)}/tasks", FORM).status_code == 403
    manager = enter(Role.MANAGER, staff=colleague, reach=Reach.OWN)  # sees the contact, not its owner

    assert manager.post(f"{page_of(desk)}/tasks", FORM).status_code == 422
    other = desk.add(Contact(name="别人的", owner_id=desk.rep.id, created_at=desk.now))
    assert manager.post(f"/console/contacts/{other.id}/tasks", FORM).status_code == 404
    assert rows(desk, Task) == []
    assert manager.post(f"{page_of(desk)}/tasks", {**FORM, "staff": "zhangsan"}).status_code == 303
    assert [row.staff_id for row in rows(desk, Task)] == [colleague.id]


def people(desk: Desk) -> dict[str, Contact]:
    """李雷 and 韩梅 of 王敏, one of a rep who has left, one of nobody."""
    gone = desk.staff("gone", "离职", status=StaffStatus.LEFT)
    return {
        "李雷": desk.contact,
        "韩梅": desk.customer("韩梅"),
        "旧客": desk.add(Contact(name="旧客", owner_id=gone.id, created_at=desk.now)),
        "线索": desk.add(Contact(name="线索", created_at=desk.now)),
    }


def test_each_owner_gets_one_task_per_customer_and_the_others_are_named(
    desk: Desk,
    enter: Enter,
    work: Callable[[], None],
    shelf: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(deeds, "CHUNK", 3)
    who = people(desk)
    browser = enter(Role.ADMIN)
    plan = {**FORM, "all": "on", "deed": "task", "staff": "", "reply": shelf["reply"].id}

    asked = browser.post(f"{BULK}/check", plan).text
    assert "将为 4 位客户各安排一个待办「发报价」，给每位客户的负责人，11-24 09:30 之前" in asked
    assert rows(desk, Task) == []
    started = browser.post(f"{BULK}/start", plan)
    work()

    made = {row.contact_id: row for row in rows(desk, Task)}
    assert set(made) == {who["李雷"].id, who["韩梅"].id}
    assert {row.staff_id for row in made.values()} == {desk.rep.id}
    assert made[who["韩梅"].id].content[0]["text"] == "韩梅您好，我是王敏"
    page = browser.get(started.location).text
    assert "为 4 位客户安排待办" in page
    assert "已修改 2 位，本来如此 0 位，未能修改 2 位" in page
    assert re.search(r"<bdi>旧客</bdi></a> <span[^>]*>该员工已离职或停用", page)
    assert re.search(r"<bdi>线索</bdi></a> <span[^>]*>该客户没有负责人", page)
    entry = rows(desk, AuditEntry)[-1]
    assert (entry.action, entry.detail["contacts"], entry.detail["title"]) == ("bulk:task", 4, "发报价")


def test_a_named_rep_gets_tasks_for_those_they_see(desk: Desk, enter: Enter, work: Callable[[], None]):
    colleague = desk.staff("zhangsan", "张三")
    desk.relate(desk.contact, colleague)
    desk.customer("韩梅")
    browser = enter(Role.ADMIN)

    started = browser.post(f"{BULK}/start", {**FORM, "all": "on", "deed": "task", "staff": "zhangsan"})
    work()

    assert [(row.contact_id, row.staff_id) for row in rows(desk, Task)] == [(desk.contact.id, colleague.id)]
    page = browser.get(started.location).text
    assert re.search(r"<bdi>韩梅</bdi></a> <span[^>]*>该员工看不到这位客户", page)


def test_a_manager_gives_no_tasks_beyond_their_reach(desk: Desk, enter: Enter, work: Callable[[], None]):
    colleague = desk.staff("zhangsan", "张三")
    desk.relate(desk.contact, colleague)  # 张三 sees the contact of 王敏, not 王敏
    hidden = desk.customer("韩梅")
    browser = enter(Role.MANAGER, staff=colleague, reach=Reach.OWN)
    plan = {**FORM, "id": [desk.contact.id, hidden.id], "deed": "task", "staff": ""}

    assert "请选择您权限内的一位" in browser.post(f"{BULK}/check", {**plan, "staff": "wangmin"}).text
    started = browser.post(f"{BULK}/start", plan)
    work()

    assert rows(desk, Job)[0].params["ids"] == [desk.contact.id]
    assert rows(desk, Task) == []
    assert "该客户的负责人不在您的权限内" in browser.get(started.location).text


def test_a_job_that_was_cut_off_goes_on_and_gives_nothing_twice(
    desk: Desk, enter: Enter, work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(deeds, "CHUNK", 2)
    for n in range(4):
        desk.customer(f"客户{n}")
    real, calls = deeds.give_tasks, []

    def break_once(*given: Any, **more: Any) -> Any:
        calls.append(1)
        made = real(*given, **more)
        if len(calls) == 2:
            raise RuntimeError
        return made

    monkeypatch.setattr(deeds, "give_tasks", break_once)
    enter(Role.ADMIN).post(f"{BULK}/start", {**FORM, "all": "on", "deed": "task", "staff": ""})
    work()
    assert len(rows(desk, Task)) == 2
    desk.now += timedelta(minutes=1)
    work()

    assert len(rows(desk, Task)) == len(told(desk)) == 5
    assert rows(desk, Job)[0].report == {"changed": 5}


def test_given_to_many_and_taken_back_as_far_as_nobody_did_them(
    desk: Desk, enter: Enter, work: Callable[[], None]
):
    done = desk.customer("韩梅")
    browser = enter(Role.ADMIN)
    started = browser.post(f"{BULK}/start", {**FORM, "all": "on", "deed": "task", "staff": ""})
    assert browser.post(f"{started.location}/undo").status_code == 403  # it has not begun
    work()
    other = desk.add(
        Task(
            contact_id=desk.contact.id, staff_id=desk.rep.id, title="别的", source=TaskSource.OWN,
            due_at=desk.now + timedelta(days=1), created_at=desk.now,
        )
    )  # fmt: skip
    with desk.product.database.write() as session:
        session.query(Task).filter_by(contact_id=done.id).one().state = TaskState.DONE
    assert "撤回这 2 个待办中还没做的" in browser.get(started.location).text

    undone = browser.post(f"{started.location}/undo")
    work()

    states = {(row.contact_id, row.title): (row.state, row.closed_by) for row in rows(desk, Task)}
    assert states == {
        (desk.contact.id, "发报价"): (TaskState.SKIPPED, "account:admin"),
        (done.id, "发报价"): (TaskState.DONE, None),
        (desk.contact.id, other.title): (TaskState.OPEN, None),
    }
    assert told(desk)[-1] == "撤回了给王敏的待办：发报价"
    assert "已修改 1 位，本来如此 1 位" in browser.get(undone.location).text
    assert browser.post(f"{undone.location}/undo").status_code == 403
    assert rows(desk, AuditEntry)[-1].detail == {"undone": rows(desk, Job)[0].id}


def notices(desk: Desk) -> list[OutboxCall]:
    return [row for row in rows(desk, OutboxCall) if row.command_kind == "NotifyStaff"]


def test_the_rep_is_told_of_a_task_at_once_and_once(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)
    for _ in range(2):
        browser.post(f"{page_of(desk)}/tasks", {**FORM, "nonce": "n1"})

    (call,) = notices(desk)
    command = call.command
    assert (command["userid"], command["title"]) == ("wangmin", "新待办：李雷")
    assert command["description"] == "发报价\nadmin 安排，11-24 09:30 之前"
    assert f"/sidebar/contacts/{desk.contact.id}?token=" in command["url"]
    assert (call.available_at, call.contact_id) == (desk.now, desk.contact.id)
    browser.post(f"{page_of(desk)}/tasks", {**FORM, "nonce": "n2"})
    assert len(notices(desk)) == 2


def test_nobody_is_told_what_they_gave_themselves_or_while_on_leave(desk: Desk, enter: Enter):
    enter(Role.MANAGER, staff=desk.rep).post(f"{page_of(desk)}/tasks", FORM)
    with desk.product.database.write() as session:
        session.get(Staff, desk.rep.id).on_leave = True
    enter(Role.ADMIN).post(f"{page_of(desk)}/tasks", FORM)

    assert len(rows(desk, Task)) == 2
    assert notices(desk) == []


@pytest.mark.parametrize(
    ("at", "told_at"),
    [("07:59", "23 08:00"), ("08:00", "23 08:00"), ("20:59", "23 20:59"), ("21:00", "24 08:00")],
)
def test_nobody_is_disturbed_at_night(desk: Desk, enter: Enter, at: str, told_at: str):
    zone = desk.product.corp.tz
    desk.now = datetime.fromisoformat(f"2026-11-23T{at}").replace(tzinfo=zone).astimezone(UTC)
    enter(Role.ADMIN).post(f"{page_of(desk)}/tasks", FORM)

    (call,) = notices(desk)
    assert f"{call.available_at.astimezone(zone):%d %H:%M}" == told_at
    assert f"{call.expires_at.astimezone(zone):%d %H:%M}" == f"{told_at[:2]} 21:00"


def test_each_rep_hears_once_of_all_that_a_deed_on_many_gave(
    desk: Desk, enter: Enter, work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(deeds, "CHUNK", 2)
    colleague = desk.staff("zhangsan", "张三")
    for n in range(3):
        desk.customer(f"客户{n}")
    desk.add(Contact(name="张三的", owner_id=colleague.id, created_at=desk.now))
    real, calls = deeds.give_tasks, []

    def break_once(*given: Any, **more: Any) -> Any:
        calls.append(1)
        made = real(*given, **more)
        if len(calls) == 3:
            raise RuntimeError
        return made

    monkeypatch.setattr(deeds, "give_tasks", break_once)
    enter(Role.ADMIN).post(f"{BULK}/start", {**FORM, "all": "on", "deed": "task", "staff": ""})
    work()
    assert notices(desk) == []
    desk.now += timedelta(minutes=1)
    work()

    told_of = {row.command["userid"]: row.command["title"] for row in notices(desk)}
    assert told_of == {"wangmin": "4 个新待办", "zhangsan": "1 个新待办"}
    assert len(notices(desk)) == 2
    assert notices(desk)[0].command["url"].endswith("/sidebar/home")


def test_one_task_is_taken_back_from_the_customers_page(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)
    browser.post(f"{page_of(desk)}/tasks", FORM)
    (task,) = rows(desk, Task)
    place = f"/console/tasks/{task.id}/withdraw"
    assert place in browser.get(page_of(desk)).text

    answers = [browser.post(place) for _ in range(2)]

    assert {answer.location.partition("?")[0] for answer in answers} == {page_of(desk)}
    (task,) = rows(desk, Task)
    assert (task.state, task.closed_by) == (TaskState.SKIPPED, "account:admin")
    assert told(desk) == ["给王敏安排了待办：发报价", "撤回了给王敏的待办：发报价"]
    page = browser.get(answers[0].location).text
    assert "待办已撤回" in page
    assert place not in page
    assert [row.action for row in rows(desk, AuditEntry)].count("task:withdrawn") == 1


def test_a_task_taken_back_at_night_is_not_announced_in_the_morning(
    desk: Desk, enter: Enter, work: Callable[[], None]
):
    desk.now = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # 23:00 in Shanghai
    browser = enter(Role.ADMIN)
    for _ in range(2):
        browser.post(f"{page_of(desk)}/tasks", FORM)
    first, _second = rows(desk, Task)
    started = browser.post(f"{BULK}/start", {**FORM, "all": "on", "deed": "task", "staff": ""})
    work()

    browser.post(f"/console/tasks/{first.id}/withdraw")
    job_id = rows(desk, Job)[0].id
    browser.post(f"{started.location}/undo")
    work()

    states = {row.command["unique"]: (row.state, row.reason) for row in notices(desk)}
    dropped = (CallState.SKIPPED, "待办已撤回")
    assert states.pop(f"given:{first.id}") == dropped
    assert states.pop(f"given:bulk:{job_id}") == dropped
    assert [state for state, _ in states.values()] == [CallState.PENDING]


def test_what_is_done_or_was_not_given_or_is_out_of_reach_is_not_taken_back(desk: Desk, enter: Enter):
    colleague = desk.staff("zhangsan", "张三")
    desk.relate(desk.contact, colleague)
    admin = enter(Role.ADMIN)
    due = {"due_at": desk.now + timedelta(days=1), "created_at": desk.now, "contact_id": desk.contact.id}
    of = {
        source: desk.add(Task(staff_id=desk.rep.id, title=source.value, source=source, **due))
        for source in (TaskSource.OWN, TaskSource.FOLLOWUP, TaskSource.MANAGER)
    }
    given = f"/console/tasks/{of[TaskSource.MANAGER].id}/withdraw"
    page = admin.get(page_of(desk)).text
    assert re.findall(r"/console/tasks/\w+/withdraw", page) == [given]
    assert admin.post(f"/console/tasks/{of[TaskSource.OWN].id}/withdraw").status_code == 404
    manager = enter(Role.MANAGER, staff=colleague, reach=Reach.OWN)  # sees the contact, not 王敏
    assert given not in manager.get(page_of(desk)).text
    assert manager.post(given).status_code == 404
    assert enter(Role.SALES, staff=desk.staff("li", "李四")).post(given).status_code == 403
    with desk.product.database.write() as session:
        session.get(Task, of[TaskSource.MANAGER].id).state = TaskState.DONE

    answer = admin.post(given)

    assert answer.status_code == 409
    assert "这个待办已完成，不能撤回" in answer.text
    assert TaskState.SKIPPED not in {row.state for row in rows(desk, Task)}


def test_tasks_go_with_the_customers_that_get_another_owner(
    desk: Desk, enter: Enter, work: Callable[[], None]
):
    new = desk.staff("zhangsan", "张三")
    browser = enter(Role.ADMIN)
    others = [desk.customer(f"客户{n}") for n in range(3)]
    browser.post(f"{BULK}/start", {**FORM, "all": "on", "deed": "task", "staff": ""})
    work()
    handed = {"staff": "zhangsan", "note": "王敏休假"}

    browser.post(f"{page_of(desk)}/owner", handed)
    assert [row.contact_id for row in rows(desk, Task) if row.staff_id == new.id] == [desk.contact.id]
    started = browser.post(f"{BULK}/start", {**handed, "all": "on", "deed": "owner"})
    work()

    assert {row.staff_id for row in rows(desk, Task)} == {new.id}
    line = "未完成的待办（1 个）随客户从王敏转给了张三"
    assert told(desk).count(line) == len(others) + 1
    assert line in browser.get(page_of(desk)).text
    assert "已修改 3 位，本来如此 1 位，未能修改 0 位" in browser.get(started.location).text


def test_in_english_nothing_is_left_in_chinese(desk: Desk, enter: Enter, shelf: dict[str, Any]):
    browser = enter(Role.ADMIN)
    plan = {**FORM, "all": "on", "deed": "task", "staff": "", "due": "x", "text": "{name}"}

    answer = browser.post(f"{BULK}/check?lang=en", plan).text

    assert "Choose a time from now to two years ahead" in answer
    left = html.unescape(re.sub(r"<[^>]+>", "", answer))
    left = Desk.without(left, "报价", "官网", "海报", "发报价", "王敏", "中文")
    assert re.findall(r"[\u4e00-\u9fff]+", left) == []


def test_the_rep_of_a_task_may_have_left_since(desk: Desk, enter: Enter):
    with desk.product.database.write() as session:
        session.get(Staff, desk.rep.id).status = StaffStatus.LEFT
    browser = enter(Role.ADMIN)

    assert "没有您权限内的员工看得到这位客户" in browser.get(page_of(desk)).text
    assert browser.post(f"{page_of(desk)}/tasks", FORM).status_code == 422
