"""The pages of members: what they have on their hands, where they serve, leave, logins; as several roles."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from scrm.accounts.models import Department, Login, Staff, StaffDepartment
from scrm.accounts.roles import Role
from scrm.audit.models import AuditEntry
from scrm.channels.models import ChannelStaff
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

Enter = Callable[..., Browser]


@pytest.fixture
def admin(enter: Enter) -> Browser:
    return enter(Role.ADMIN)


def deeds(desk: Desk) -> list[str]:
    with desk.product.database.read() as session:
        rows = session.scalars(select(AuditEntry.action).order_by(AuditEntry.n))
        return [action for action in rows if not action.startswith("login:")]


def serves(desk: Desk, *people: Staff) -> None:
    for one in people:
        desk.add(ChannelStaff(channel_id=desk.channel.id, staff_id=one.id))


def test_the_list_answers_who_is_on_who_is_away_and_who_waits(desk: Desk, admin: Browser):
    other = desk.staff("lihua", "李华", on_leave=True)
    serves(desk, desk.rep, other)
    desk.relate(desk.customer("韩梅梅"), other, at=desk.now - timedelta(hours=1))

    page = admin.get("/console/staff").text

    assert "现在 1 人值班，1 人休假；1 位客户等待首次跟进超过 30 分钟。" in page
    assert "上海展会" in page
    assert "休假中" in page


def test_each_number_opens_exactly_its_rows(desk: Desk, admin: Browser):
    desk.customer("韩梅梅")
    page = admin.get("/console/staff").text

    for filters in ("owner=wangmin", "rep=wangmin&amp;rep_from=2026-11-23"):
        assert f'<a href="/console/contacts?{filters}">2</a>' in page
    waiting = desk.found(
        r'href="(/console/contacts\?rep=wangmin&amp;rep_from=[\d-]+&amp;rep_first=none)">2<', page
    )
    listed = admin.get(waiting[0].replace("&amp;", "&")).text
    assert "李雷" in listed
    assert "韩梅梅" in listed


def test_a_rep_sees_everybody_but_numbers_of_his_own(desk: Desk, enter: Enter):
    desk.staff("lihua", "李华")
    page = enter(Role.SALES, staff=desk.rep).get("/console/staff").text

    assert "李华" in page
    assert "不在您的数据范围内" in page
    assert "owner=wangmin" in page


def test_departments_are_a_tree_and_narrow_the_list(desk: Desk, admin: Browser):
    desk.staff("lihua", "李华")
    desk.add(Department(id=1, name="启程", parent_id=0))
    desk.add(Department(id=2, name="销售部", parent_id=1))
    desk.add(StaffDepartment(staff_id=desk.rep.id, department_id=2))

    page = admin.get("/console/staff?department=2").text

    assert 'class="depth-1" href="/console/staff?department=2" aria-current="true"' in page
    assert "<bdi>王敏</bdi></a>" in page
    assert "<bdi>李华</bdi></a>" not in page
    assert "这里没有成员" in admin.get("/console/staff?department=9").text
    assert admin.get("/console/staff?cursor=zzz").status_code == 303


def test_who_left_is_found_among_all_members(desk: Desk, admin: Browser):
    desk.staff("gone", "已走", status="left", serves=False)

    assert "已走" not in admin.get("/console/staff").text
    assert "已离职" in admin.get("/console/staff?show=all").text


def test_leave_tells_first_what_happens_to_the_channels(desk: Desk, admin: Browser):
    other = desk.staff("lihua", "李华")
    serves(desk, desk.rep, other)
    path = f"/console/staff/{desk.rep.id}"
    assert "「上海展会」由 李华 接待" in admin.get(path).text

    left = admin.post(f"{path}/leave", {"leave": "1"})
    assert "已设为休假" in admin.get(left.location).text
    assert "休假中：不接收新客户" in admin.get(path).text
    assert "没有其他人能接待" in admin.get(f"/console/staff/{other.id}").text
    admin.post(f"{path}/leave", {"leave": "0"})

    assert deeds(desk) == ["staff:on_leave", "staff:back"]


def test_a_rep_sets_leave_for_himself_only(desk: Desk, enter: Enter):
    other = desk.staff("lihua", "李华")
    rep = enter(Role.SALES, staff=desk.rep)

    assert rep.post(f"/console/staff/{desk.rep.id}/leave", {"leave": "1"}).status_code == 303
    assert rep.post(f"/console/staff/{other.id}/leave", {"leave": "1"}).status_code == 403
    assert "设为休假" not in rep.get(f"/console/staff/{other.id}").text


def test_one_member_shows_the_week_and_the_numbers(desk: Desk, admin: Browser):
    with desk.product.database.write() as session:
        channel = session.merge(desk.channel)
        channel.schedule = [{"weekdays": [1, 2], "from": "09:00", "to": "18:00"}]
    serves(desk, desk.rep)

    page = admin.get(f"/console/staff/{desk.rep.id}").text

    assert page.count('<rect class="span"') == 2
    assert "09:00-18:00" in page
    assert "负责 1 位客户，今天新增 1 位，1 位等待首次跟进。" in page
    assert "style=" not in page
    assert admin.get("/console/staff/nobody").status_code == 404


def test_all_sessions_of_a_member_end_at_once(desk: Desk, enter: Enter, admin: Browser):
    rep = enter(Role.SALES, staff=desk.rep)
    path = f"/console/staff/{desk.rep.id}"
    assert "1 个登录会立即结束" in admin.get(path).text

    assert admin.post(f"{path}/logout").status_code == 303

    assert rep.get("/console").status_code == 303
    assert "现在没有登录" in admin.get(path).text
    assert deeds(desk) == ["logins:ended"]
    with desk.product.database.read() as session:
        assert [row.ended_at is None for row in session.scalars(select(Login))].count(True) == 1
    assert enter(Role.SDR, staff=None).post(f"{path}/logout").status_code == 403


def test_the_pages_are_there_in_english(desk: Desk, admin: Browser):
    assert "on duty now" in admin.get("/console/staff?lang=en").text
    assert "Put on leave" in admin.get(f"/console/staff/{desk.rep.id}?lang=en").text
