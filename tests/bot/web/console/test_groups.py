"""The console's pages of group chats, and a customer's groups on their page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from scrm.accounts.roles import Role
from scrm.contacts.models import Contact
from scrm.groups.models import GroupChat, GroupMember, MemberKind
from tests.bot.web.conftest import Desk


class Chats:
    """Groups on the desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def group(self, name: str, owner: Any = None, **more: Any) -> GroupChat:
        owner_id = (owner or self.desk.rep).id
        row = {"chat_id": f"wr{name}", "name": name, "owner_id": owner_id, "opened_at": self.desk.now}
        return self.desk.add(GroupChat(**{**row, **more}))

    def member(self, group: GroupChat, userid: str, *, days: int = 0, **more: Any) -> GroupMember:
        at = self.desk.now - timedelta(days=days)
        kind = MemberKind.CONTACT if userid.startswith("wm") else MemberKind.STAFF
        row = {"group_id": group.id, "kind": kind, "userid": userid, "joined_at": at, "name": userid}
        return self.desk.add(GroupMember(**{**row, **more}))


@pytest.fixture
def chats(desk: Desk) -> Chats:
    return Chats(desk)


def test_the_list_answers_first_and_each_number_opens(desk, chats, enter):
    group = chats.group("老客户", customers=2, colleagues=1)
    chats.group("旧群", customers=9, dismissed_at=desk.now)
    chats.member(group, "wm1", days=1)
    chats.member(group, "wm2", days=30, left_at=desk.now)
    browser = enter(Role.ADMIN)

    page = browser.get("/console/groups").text

    assert "2 个客户群" in page
    assert "1 个进行中" in page
    assert "群里共 2 位客户" in page
    assert f'href="/console/groups/{group.id}?who=joined">1</a>' in page
    assert f'href="/console/groups/{group.id}?who=left">1</a>' in page
    joined = browser.get(f"/console/groups/{group.id}?who=joined").text
    left = browser.get(f"/console/groups/{group.id}?who=left").text
    assert ("wm1" in joined, "wm2" in joined) == (True, False)
    assert ("wm1" in left, "wm2" in left) == (False, True)


def test_filters_live_in_the_address(desk, chats, enter):
    other = desk.staff("lina", "李娜")
    chats.group("老客户")
    chats.group("物流展", other)
    chats.group("旧群", other, dismissed_at=desk.now)
    browser = enter(Role.ADMIN)

    def names(query: str) -> set[str]:
        page = browser.get(f"/console/groups?{query}").text
        return {name for name in ("老客户", "物流展", "旧群") if f"<bdi>{name}</bdi></a>" in page}

    assert names("") == {"老客户", "物流展", "旧群"}
    assert names("group_owner=lina&group_state=active") == {"物流展"}
    assert names("group_q=客户") == {"老客户"}
    wrong = browser.get("/console/groups?group_owner=nobody")
    assert (wrong.status_code, "没有符合条件的客户群" in wrong.text) == (422, False)
    assert browser.get("/console/groups?cursor=made-up").status_code == 303


def test_a_group_shows_who_is_in_and_how_they_came(desk, chats, enter):
    group = chats.group("老客户", notice="周五\n直播")
    chats.member(group, "wangmin", staff_id=desk.rep.id)
    chats.member(group, "wm1", contact_id=desk.contact.id, join_scene=3, name="雷子")
    chats.member(group, "wm2", invitor="wangmin", name="路人")
    chats.member(group, "wm3", name="走了", left_at=desk.now, quit_scene=1)
    browser = enter(Role.ADMIN)

    page = browser.get(f"/console/groups/{group.id}").text
    assert f'<a class="open" href="/console/contacts/{desk.contact.id}"><bdi>李雷</bdi></a>' in page
    assert "扫群二维码" in page
    assert "由王敏邀请" in page
    assert page.count("未加好友</span>") == 1  # 路人's; 李雷 is a friend, and who left is not shown
    assert "周五\n直播" in page
    assert "<bdi>王敏</bdi>" in browser.get(f"/console/groups/{group.id}?who=colleagues").text
    assert "被移出" in browser.get(f"/console/groups/{group.id}?who=gone").text
    assert browser.get(f"/console/groups/{group.id}?cursor=made-up").status_code == 303


def test_members_come_by_pages(desk, chats, enter, monkeypatch):
    monkeypatch.setattr("bot.web.group_view.PAGE", 2)
    group = chats.group("老客户")
    for n in range(3):
        chats.member(group, f"wm{n}", days=n)
    browser = enter(Role.ADMIN)

    first = browser.get(f"/console/groups/{group.id}").text
    (cursor,) = desk.found(r'cursor=([^"&]+)" rel="next"', first)
    second = browser.get(f"/console/groups/{group.id}?cursor={cursor}").text

    assert ("<bdi>wm1</bdi>" in first, "<bdi>wm2</bdi>" in first) == (True, False)
    assert ("<bdi>wm1</bdi>" in second, "<bdi>wm2</bdi>" in second) == (False, True)


def test_a_rep_sees_the_own_groups_and_only_the_own_customers_in_them(desk, chats, enter):
    colleague = desk.staff("lina", "李娜")
    own, foreign = chats.group("我的群"), chats.group("别人的群", colleague)
    hers = desk.add(Contact(name="韩梅梅", created_at=desk.now, owner_id=colleague.id))
    desk.relate(hers, colleague)
    chats.member(own, "wm1", contact_id=hers.id, name="梅子")
    browser = enter(Role.SALES, staff=desk.rep)

    page = browser.get("/console/groups").text
    assert ("我的群" in page, "别人的群" in page) == (True, False)
    assert browser.get(f"/console/groups/{foreign.id}").status_code == 404
    members = browser.get(f"/console/groups/{own.id}").text
    assert (
        "<bdi>梅子</bdi>" in members
    )  # as the group calls her: that she is a colleague's customer is no secret in it
    assert hers.id not in members
    assert "未加好友</span>" not in members


def test_the_customers_page_shows_their_groups(desk, chats, enter):
    own, gone = chats.group("老客户"), chats.group("展会群")
    chats.member(own, "wm1", contact_id=desk.contact.id)
    chats.member(gone, "wm1", contact_id=desk.contact.id, left_at=desk.now, quit_scene=0)
    browser = enter(Role.ADMIN)

    page = browser.get(f"/console/contacts/{desk.contact.id}").text

    assert f'<a href="/console/groups/{own.id}"><bdi>老客户</bdi></a>' in page
    assert "自己退群" in page
    nobody = desk.customer("独行")
    assert "不在任何客户群里" in browser.get(f"/console/contacts/{nobody.id}").text


def test_empty_and_english(desk, chats, enter):
    browser = enter(Role.ADMIN)

    assert "还没有客户群" in browser.get("/console/groups").text
    group = chats.group("")
    page = browser.get(f"/console/groups/{group.id}?lang=en").text
    assert "Unnamed group" in page
    assert not desk.found(r"[\u4e00-\u9fff]+", desk.without(page, "中文", "王敏", "联客", "简体中文"))
