"""The overview: the sentence, numbers that open, the first run, and a rep's own numbers."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import date, timedelta

from bot.web import figures
from bot.web.console import charts
from bot.web.console.periods import read_period
from bot.web.times import Calendar
from bot.words.texts import Words
from scrm.accounts.roles import Role
from scrm.contacts.models import Contact, Relation
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser


def comes(desk: Desk, name: str, staff, days_ago: int = 0) -> Contact:
    at = desk.now - timedelta(days=days_ago, minutes=5)
    contact = desk.add(Contact(name=name, created_at=at, owner_id=staff.id, first_channel_id=desk.channel.id))
    desk.relate(contact, staff, at=at, channel_id=desk.channel.id)
    return contact


def test_overview_answers_first_and_its_numbers_open(desk: Desk, enter: Callable[..., Browser]):
    comes(desk, "韩梅梅", desk.rep)
    comes(desk, "上周的", desk.rep, days_ago=8)
    desk.followed("聊了报价")
    admin = enter(Role.ADMIN)
    page = admin.get("/console").text
    assert "近 7 天新增 2 位客户，比上一周期多 1；流失 0 位，写了 1 条跟进。" in page
    assert 'href="/console/contacts?from=2026-11-17&amp;to=2026-11-23"' in page
    assert 'href="/console/followups?from=2026-11-17&amp;to=2026-11-23"' in page
    assert f"/console/contacts?channel={desk.channel.id}" not in page  # nobody scanned: added directly
    assert "/console/contacts?owner=wangmin&amp;from=2026-11-17" in page
    assert page.count('class="bar"') == 7
    assert "style=" not in page
    today = admin.get("/console?range=today").text
    assert "今天新增 2 位客户" in today
    assert "30 天" in admin.get("/console?range=30").text
    custom = admin.get("/console?range=custom&from=2026-11-14&to=2026-11-16").text
    assert "2026-11-14 至 2026-11-16新增 1 位客户" in custom
    english = admin.get("/console?lang=en").text
    assert "/console/contacts?from=2026-11-17&amp;to=2026-11-23&amp;lang=en" in english


def test_a_rep_sees_own_numbers(desk: Desk, enter: Callable[..., Browser]):
    other = desk.staff("lisi", "李四")
    for number in range(3):
        comes(desk, f"别人的{number}", other)
    page = enter(Role.SALES, staff=desk.rep).get("/console").text
    assert "近 7 天新增 1 位客户" in page
    assert "李四" not in page


def test_queries_do_not_grow_with_rows(desk: Desk, enter: Callable[..., Browser]):
    admin = enter(Role.ADMIN)
    admin.get("/console?range=30")
    with desk.counted() as few:
        admin.get("/console?range=30")
    for number in range(15):
        comes(desk, f"客户{number}", desk.staff(f"rep{number}", f"员工{number}"), days_ago=number)
    with desk.counted() as many:
        page = admin.get("/console?range=30").text
    assert len(many) == len(few)
    assert "另有 6 位员工" in page


def test_first_run_checks_each_step(desk: Desk, enter: Callable[..., Browser]):
    with desk.product.database.write() as session:
        for table in ("assignment", "relation", "contact"):
            session.connection().exec_driver_sql(f"DELETE FROM {table}")
    page = enter(Role.ADMIN).get("/console").text
    steps = re.findall(r'<li class="([^"]*)">.*?<b>(.*?)</b>', page, re.DOTALL)
    assert steps == [("", "连接企业微信"), ("is-done", "同步员工"), ("", "创建渠道"), ("", "扫码试试")]
    assert "/console/channels/new" in page
    assert 'hx-trigger="every 5s"' in page


def test_periods_of_the_address(desk: Desk):
    calendar = Calendar(desk.now, desk.product.corp.tz, Words("zh"))
    today = calendar.today
    for asked, start, end in (
        ({}, today - timedelta(days=6), today),
        ({"range": "today"}, today, today),
        ({"range": "30"}, today - timedelta(days=29), today),
        ({"range": "nonsense"}, today - timedelta(days=6), today),
    ):
        period = read_period(asked, calendar)
        assert (period.start, period.end, period.problem) == (start, end, None)


def test_numbers_as_people_read_them():
    zh, en = Words("zh"), Words("en")
    assert [figures.count(number, zh) for number in (0, 12_345, 99_999, 123_456)] == [
        "0",
        "12,345",
        "99,999",
        "12.3 万",
    ]
    assert figures.count(123_456, en) == "123k"
    assert [figures.signed(number, zh) for number in (3, 0, -3)] == ["+3", "0", "−3"]
    assert [figures.money(fen) for fen in (None, 0, 1_234_560)] == ["—", "¥0.00", "¥12,345.60"]
    assert [figures.span(seconds, zh) for seconds in (None, 5, 192, 3700, 90_000)] == [
        "—",
        "5 秒",
        "3 分 12 秒",
        "1 小时 1 分",
        "1 天 1 小时",
    ]
    assert figures.worked(90_000, zh) == "25 小时 0 分"  # of working time


def test_charts_of_nothing_and_of_much():
    assert charts.spark([]) == ""
    assert charts.spark([0, 0]) == "0.0,19.0 84.0,19.0"
    assert charts.spark([0, 4]) == "0.0,19.0 84.0,1.0"
    assert charts.bars([]).bars == []
    chart = charts.bars([(date(2026, 11, 22), 0, 3), (date(2026, 11, 23), 170, 0)])
    assert chart.top == 200
    assert [(bar.height, bar.label) for bar in chart.bars] == [(0.0, "11-22"), (136.0, "11-23")]


def test_the_charts_days_open_their_rows_and_come_as_a_file(desk: Desk, enter: Callable[..., Browser]):
    early = desk.now - timedelta(minutes=65)  # 8:55, answered at 9:05
    with desk.product.database.write() as session:
        session.get(Contact, desk.contact.id).created_at = early
        row = session.query(Relation).filter_by(contact_id=desk.contact.id).one()
        row.first_response_at = early + timedelta(minutes=10)
    admin = enter(Role.ADMIN)
    page = admin.get("/console?range=7").text
    assert re.search(r"首响（工作时间）</small><b>5 分 0 秒</b>", page)
    days = json.loads(html.unescape(re.findall(r"data-days='([^']+)'", page)[0]))
    sheet = admin.get("/console/overview.csv?range=7")

    today = desk.now.astimezone(desk.product.corp.tz).date().isoformat()
    assert [days[-1][key] for key in ("day", "now", "before")] == [today, 1, 0]
    assert days[-1]["url"] == f"/console/contacts?from={today}&to={today}"
    assert "vendor/echarts" in page
    assert "<svg" in page
    assert sheet.mimetype == "text/csv"
    assert f"{today},1,0,0,0,5.0,10.0" in sheet.text
    assert "首响中位（工作时间，分钟）,首响中位（自然时间，分钟）" in sheet.text
    assert len(sheet.text.splitlines()) == 8
