"""The manager's log: who did what with whom, and who answered how soon."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from scrm.accounts.models import Staff
from scrm.accounts.roles import Role
from scrm.audit.models import AuditEntry
from scrm.contacts.models import Contact, Relation, RelationState
from scrm.followups.models import Followup, FollowupKind
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

Enter = Callable[..., Browser]
PATH = "/console/followups"


@pytest.fixture
def mate(desk: Desk) -> Staff:
    """A colleague with a customer of her own, who wrote one note last week and one today."""
    colleague = desk.staff("zhangsan", "张三")
    contact = desk.add(Contact(name="韩梅梅", created_at=desk.now - timedelta(days=9), owner_id=colleague.id))
    desk.relate(contact, colleague, at=desk.now - timedelta(hours=1), first_response_at=desk.now)
    for at, content in ((desk.now, "发了样品"), (desk.now - timedelta(days=7), "上周的记录")):
        row = {"contact_id": contact.id, "staff_id": colleague.id, "kind": FollowupKind.VISIT}

        desk.add(Followup(content=content, at=at, created_at=at, **row))
    return colleague


def contents(page: str) -> list[str]:
    return Desk.found(r'<td class="long"[^>]*><bdi>([^<]*)</bdi>', page)


def test_the_week_is_said_by_whom_and_by_whom_not(desk: Desk, enter: Enter, mate: Staff):
    desk.followed("一")
    desk.followed("二", at=desk.now - timedelta(minutes=1))
    desk.staff("lisi", "李四")

    page = enter(Role.ADMIN).get(PATH).text

    assert "本周 3 条跟进</a>，" in page
    assert "王敏最多（2 条）</a>，" in page
    assert "李四 还没有</a>。" in page
    assert contents(page) == ["一", "发了样品", "二", "上周的记录"]
    week = "from=2026-11-23&amp;to=2026-11-23"
    assert f'href="{PATH}?{week}"' in page
    assert contents(enter(Role.ADMIN, username="a2").get(f"{PATH}?from=2026-11-23&to=2026-11-23").text) == [
        *("一", "发了样品", "二")
    ]


FILTERS = {
    "staff=zhangsan": ["发了样品", "上周的记录"],
    "kind=note": ["一"],
    "to=2026-11-20": ["上周的记录"],
    "from=2026-11-23": ["发了样品", "一"],
    "staff=wangmin&kind=visit": [],
}


def test_filters_live_in_the_address(desk: Desk, enter: Enter, mate: Staff):
    desk.followed("一", at=desk.now - timedelta(minutes=1))
    browser = enter(Role.ADMIN)

    for query, found in FILTERS.items():
        page = browser.get(f"{PATH}?{query}")
        assert (page.status_code, contents(page.text)) == (200, found), query
        assert ("没有跟进符合这些条件" in page.text) is (found == []), query
    for query in ("staff=nobody", "kind=bribe", "from=yesterday"):
        page = browser.get(f"{PATH}?{query}")
        assert (page.status_code, "看不懂的条件" in page.text) == (422, True), query


def test_a_period_that_is_too_long_for_figures_still_shows_its_rows(desk: Desk, enter: Enter, mate: Staff):
    page = enter(Role.ADMIN).get(f"{PATH}?from=2026-01-01").text

    assert "跨度超过 92 天" in page
    assert contents(page) == ["发了样品", "上周的记录"]


def test_response_times_by_rep_and_each_number_opens_its_rows(desk: Desk, enter: Enter, mate: Staff):
    for minutes in (3, 5, 90):
        contact = desk.customer(f"c{minutes}")
        with desk.product.database.write() as session:
            row = session.query(Relation).filter_by(contact_id=contact.id).one()
            row.first_response_at = row.added_at + timedelta(minutes=minutes)
    gone = desk.customer("走了")
    with desk.product.database.write() as session:
        session.query(Relation).filter_by(contact_id=gone.id).one().state = RelationState.LOST
    browser = enter(Role.ADMIN)

    page = browser.get(PATH).text

    line = next(part for part in page.partition('id="speed"')[2].split("<tr>") if "王敏" in part)
    links = [url.replace("&amp;", "&") for url in Desk.found(r'href="([^"]+)"', line)]
    figures = Desk.found(r'<td class="number"[^>]*>(?:<a[^>]*>)?([^<]+)', line)
    assert figures == ["0", "5", "3", "1", "5 分 0 秒"]  # 李雷 waits; who left is new, but waits no more
    opened = [
        sorted(Desk.found(r'class="open" href="[^"]+"><bdi>([^<]*)', browser.get(url).text)) for url in links
    ]
    assert opened == [["c3", "c5", "c90", "李雷", "走了"], ["c3", "c5", "c90"], ["李雷"]]


def test_a_rep_sees_what_is_about_his_customers_and_no_colleagues(desk: Desk, enter: Enter, mate: Staff):
    desk.followed("一")
    browser = enter(Role.SALES, staff=desk.rep)

    page = browser.get(PATH).text

    assert contents(page) == ["一"]
    assert "本周 1 条跟进" in page
    assert "张三" not in page
    assert contents(browser.get(f"{PATH}?staff=zhangsan").text) == []
    assert browser.post(f"{PATH}/export").status_code == 403


def test_pages_of_fifty_hold_every_row_once_in_a_fixed_number_of_queries(desk: Desk, enter: Enter):
    desk.followed("x0")
    browser = enter(Role.ADMIN)
    with desk.counted() as few:
        browser.get(PATH)
    for n in range(1, 60):
        desk.followed(f"x{n}")

    with desk.counted() as many:
        first = browser.get(PATH).text
    after = Desk.found(r'href="([^"]+)" rel="next"', first)[0].replace("&amp;", "&")
    second = browser.get(after).text

    assert len(many) == len(few)
    assert (len(contents(first)), len({*contents(first), *contents(second)})) == (50, 60)
    assert browser.get(f"{PATH}?cursor=x").location == PATH


def test_the_file_holds_the_log_and_the_trail_knows(desk: Desk, enter: Enter, mate: Staff):
    desk.followed("=1+1", next_step="-2", next_at=desk.now + timedelta(days=1))
    browser = enter(Role.MANAGER, staff=desk.rep)

    answer = browser.post(f"{PATH}/export", {"staff": "wangmin"})

    header, *lines = csv.reader(io.StringIO(answer.text.lstrip("\ufeff")))
    assert header[:5] == ["时间", "员工", "方式", "客户", "跟进内容"]
    assert [line[:7] for line in lines] == [
        ["2026-11-23 10:00:00", "王敏", "记录", "李雷", "'=1+1", "'-2", "2026-11-24 10:00:00"]
    ]
    with desk.product.database.read() as session:
        [deed] = session.scalars(select(AuditEntry).where(AuditEntry.action == "followups:exported"))
    assert deed.detail == {"most": 10_000, "filters": "由 王敏 跟进"}
    assert len(list(csv.reader(io.StringIO(browser.post(f"{PATH}/export").text)))) == 2  # only his own


def test_an_empty_log_says_so_in_both_languages(enter: Enter):
    browser = enter(Role.READONLY)

    assert "还没有跟进。销售在侧边栏" in browser.get(PATH).text
    page = browser.get(f"{PATH}?lang=en").text
    assert "This week: no follow-ups yet" in page
    assert Desk.found(r"[\u4e00-\u9fff]+", Desk.without(page, "王敏", "中文")) == []
