"""The sidebar beside a group chat: found by the chat's id, seen by those who are in it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scrm.groups.models import GroupChat, GroupMember, MemberKind
from tests.bot.web.conftest import Desk
from tests.bot.web.test_sidebar_chat import CLIENT, enter


@pytest.fixture
def group(desk: Desk) -> GroupChat:
    """王敏's group with 李雷 and a stranger."""
    made = desk.add(
        GroupChat(
            chat_id="wr1",
            name="老客户<b>",
            owner_id=desk.rep.id,
            opened_at=desk.now,
            notice="周五见",
            customers=2,
        )
    )
    for days, row in enumerate(
        (
            {"kind": MemberKind.STAFF, "userid": "wangmin", "staff_id": desk.rep.id},
            {"kind": MemberKind.CONTACT, "userid": "wm1", "contact_id": desk.contact.id, "join_scene": 3},
            {"kind": MemberKind.CONTACT, "userid": "wm2", "name": "路人", "join_scene": 2},
        )
    ):
        desk.add(GroupMember(group_id=made.id, joined_at=desk.now - timedelta(days=days * 5), **row))
    return made


def test_an_open_group_leads_to_its_page(desk: Desk, group: GroupChat) -> None:
    enter(desk, desk.rep)

    page = desk.get("/sidebar/open?chat_id=wr1", follow_redirects=True)

    assert (page.status_code, page.request.path) == (200, f"/sidebar/groups/{group.id}")
    assert "老客户&lt;b&gt;" in page.text
    assert "周五见" in page.text
    assert f'href="/sidebar/contacts/{desk.contact.id}"' in page.text
    assert page.text.count("未加好友</span>") == 1
    assert "扫群二维码" in page.text
    lately = desk.get(f"/sidebar/groups/{group.id}?who=joined").text
    assert ("<bdi>李雷</bdi>" in lately, "<bdi>路人</bdi>" in lately) == (True, False)


@pytest.mark.parametrize("asked", ["wr2", "wr-nobody", "", "w" * 65])
def test_foreign_and_unknown_groups_are_one_and_the_same_page(
    desk: Desk, group: GroupChat, asked: str
) -> None:
    colleague = desk.staff("lina", "李娜")
    foreign = desk.add(GroupChat(chat_id="wr2", name="别人的", owner_id=colleague.id, opened_at=desk.now))
    enter(desk, desk.rep)

    page = desk.get("/sidebar/open", query_string={"chat_id": asked})

    assert (page.status_code, "看不到这个客户群" in page.text) == (404, True)
    assert desk.get(f"/sidebar/groups/{foreign.id}").status_code == 404


def test_without_a_session_nothing_is_shown(desk: Desk, group: GroupChat) -> None:
    path = f"/sidebar/groups/{group.id}"

    assert desk.get(path, headers=CLIENT).location.startswith("/sidebar/login?next=")
    assert desk.get(path).status_code == 403
    assert desk.get("/sidebar/open?chat_id=wr1", headers=CLIENT).location.startswith("/sidebar/login?next=")


def test_a_cursor_we_never_made_leads_to_the_first_page(desk: Desk, group: GroupChat) -> None:
    enter(desk, desk.rep)

    answer = desk.get(f"/sidebar/groups/{group.id}?cursor=made-up")

    assert (answer.status_code, answer.location) == (303, f"/sidebar/groups/{group.id}")
