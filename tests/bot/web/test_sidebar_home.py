"""The page outside a chat: today's tasks, who waits, who is new, one's numbers; each number opens what it counts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from scrm.accounts.roles import Role
from scrm.contacts.models import Contact, Relation, RelationState
from scrm.tasks.models import Task, TaskState
from tests.bot.web.conftest import Desk
from tests.bot.web.test_sidebar_chat import CLIENT, enter
from tests.bot.web.test_sidebar_edit import rows
from tests.bot.web.test_sidebar_tasks import give

HOME = "/sidebar/home"


@pytest.fixture
def rep(desk: Desk) -> Desk:
    enter(desk, desk.rep)
    return desk


def figures(page: str) -> dict[str, list[tuple[str, str]]]:
    """Name → (number, address) of today and of the week."""
    found = {}
    for name, cells in re.findall(r'<th scope="row"[^>]*>([^<]+)</th>(.*?)</tr>', page, re.DOTALL):
        found[name] = [
            (text, href) for href, text in re.findall(r'<td><(?:a href="([^"]+)"|span)>([^<]+)<', cells)
        ]
    return found


def test_who_waits_longest_is_first_and_the_lead_says_how_many(rep: Desk) -> None:
    late = rep.customer("韩梅梅", phone=None)
    with rep.product.database.write() as session:
        session.query(Relation).filter_by(contact_id=late.id).one().added_at = rep.now - timedelta(hours=3)
    give(rep, "发资料", timedelta(hours=2))

    page = rep.get(HOME).text

    assert "1 个待办今天要做，2 位客户等您首次回应" in page
    waiting = page[page.index("等待首次回应") :]
    assert waiting.index("韩梅梅") < waiting.index("李雷")
    assert "已等 3 小时" in page


def test_every_number_opens_exactly_its_rows(rep: Desk) -> None:
    colleague = rep.staff("lina", "李娜")
    left = rep.customer("走了的", phone=None)
    with rep.product.database.write() as session:
        row = session.query(Relation).filter_by(contact_id=left.id).one()
        row.state, row.lost_at = RelationState.LOST, rep.now - timedelta(days=2)
        row.added_at = rep.now - timedelta(days=5)
    foreign = rep.add(Contact(name="同事的", created_at=rep.now, owner_id=colleague.id))
    rep.relate(foreign, colleague)
    rep.followed("聊过", at=rep.now - timedelta(hours=1))
    give(rep, "做完的", timedelta(hours=-1), state=TaskState.DONE, closed_at=rep.now)

    found = figures(rep.get(HOME).text)

    assert {name: [number for number, _ in cells] for name, cells in found.items()} == {
        "新增客户": ["1", "2"], "流失": ["0", "1"], "跟进": ["1", "1"], "完成待办": ["1", "1"],
        "首响中位（工作时间）": ["—", "—"],
    }  # fmt: skip
    for cells in found.values():
        for number, href in cells:
            if href:
                page = rep.get(href.replace("&amp;", "&")).text
                assert page.count('class="person"') == int(number), href
                assert "同事的" not in page


def test_task_is_done_from_the_desk_and_taken_back_there(rep: Desk) -> None:
    give(rep, "发资料", timedelta(hours=2))
    page = rep.get(HOME).text
    action, token, key = re.search(
        r'action="([^"]+/done)".*?name="form" value="([^"]+)".*?name="task" value="([^"]+)"', page, re.DOTALL
    ).groups()  # type: ignore[union-attr]

    answer = rep.client.post(action, data={"form": token, "task": key, "back": "home"})

    assert answer.location.startswith(HOME)
    page = rep.get(answer.location).text
    assert "已完成「发资料」" in page
    assert rows(rep, Task)[0].state is TaskState.DONE


def test_search_finds_among_ones_own_only(rep: Desk) -> None:
    foreign = rep.add(Contact(name="李别人", created_at=rep.now))

    page = rep.get(f"{HOME}?q=李").text

    assert "李雷" in page
    assert foreign.id not in page
    assert "没有找到「王」" in rep.get(f"{HOME}?q=王").text


def test_lists_page_without_gaps(rep: Desk) -> None:
    for number in range(51):
        contact = rep.add(Contact(name=f"客户{number}", created_at=rep.now, owner_id=rep.rep.id))
        rep.relate(contact, rep.rep, at=rep.now - timedelta(minutes=20 + number))
    seen: list[str] = []
    path = f"{HOME}/waiting"
    while path:
        page = rep.get(path).text
        seen += re.findall(r'class="person" href="[^"]*/contacts/([^"?]+)', page)
        more = re.search(r'class="list-more" href="([^"]+)"', page)
        path = more[1].replace("&amp;", "&") if more else ""

    assert len(seen) == len(set(seen)) == 52
    assert rep.get(f"{HOME}/waiting?cursor=nonsense").status_code == 303


def test_nobody_comes_in_without_a_login(desk: Desk) -> None:
    for path in (HOME, f"{HOME}/new"):
        assert desk.get(path, headers=CLIENT).location.startswith("/sidebar/login")
        assert 'href="/sidebar/login"' in desk.get(path).text
    enter(desk, desk.rep, Role.SALES)
    assert desk.get(f"{HOME}/nonsense").status_code == 404


def test_the_page_beside_a_chat_leads_to_the_desk(rep: Desk) -> None:
    assert f'data-home="{HOME}"' in rep.get("/sidebar").text
