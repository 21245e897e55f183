"""/groups over HTTP: lists, one group, its members by pages."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scrm.groups.models import GroupChat, GroupMember, MemberKind
from tests.bot.api.test_contacts import _count


@pytest.fixture
def group(world, make):
    """王敏's group with 李雷, who is her friend, and a stranger; 韩梅梅 has left."""
    staff = make.staff()
    friend = make.contact("李雷", staff=staff, external="wm1")
    made = GroupChat(
        chat_id="wr1",
        name="老客户",
        owner_id=staff.id,
        notice="周五见",
        opened_at=world.now,
        customers=2,
        colleagues=1,
    )
    make.rows(made)
    day = timedelta(days=1)
    for days, row in enumerate(
        (
            {"kind": MemberKind.STAFF, "userid": "wangmin", "staff_id": staff.id},
            {
                "kind": MemberKind.CONTACT,
                "userid": "wm1",
                "contact_id": friend.id,
                "join_scene": 3,
                "state": "g7",
            },
            {"kind": MemberKind.CONTACT, "userid": "wm2", "name": "路人", "invitor": "wangmin"},
            {
                "kind": MemberKind.CONTACT,
                "userid": "wm3",
                "name": "韩梅梅",
                "left_at": world.now,
                "quit_scene": 1,
            },
        )
    ):
        make.rows(GroupMember(group_id=made.id, joined_at=world.now - days * 3 * day, **row))
    return made


def test_a_group_says_who_owns_it_and_who_came_lately(world, group):
    (item,) = world.get("/groups").json["items"]

    assert item == world.get(f"/groups/{group.id}").json
    assert (item["name"], item["owner"]["userid"], item["notice"]) == ("老客户", "wangmin", "周五见")
    assert (item["customers"], item["colleagues"], item["joined"], item["left"]) == (2, 1, 2, 1)


def test_members_come_by_pages_with_who_they_are(world, group):
    members = world.all(f"/groups/{group.id}/members?limit=1")

    assert [one["name"] for one in members] == ["王敏", "李雷", "路人", "韩梅梅"]
    assert [one["is_friend"] for one in members] == [False, True, False, False]
    assert (members[1]["contact"]["name"], members[1]["join_scene"], members[1]["state"]) == ("李雷", 3, "g7")
    assert (members[2]["contact"], members[2]["invitor"]) == (None, "wangmin")
    assert members[3]["quit_scene"] == 1
    present = world.get(f"/groups/{group.id}/members?present=true&kind=contact").json["items"]
    assert [one["userid"] for one in present] == ["wm1", "wm2"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("owner=wangmin", True), ("owner=nobody", False), ("q=老客", True), ("q=新", False),
        ("active=true", True), ("active=false", False),
    ],
)  # fmt: skip
def test_lists_are_filtered(world, group, query, found):
    assert bool(world.get(f"/groups?{query}").json["items"]) is found


def test_a_page_takes_the_same_number_of_queries_whatever_its_size(world, make, group):
    for n in range(8):
        make.rows(GroupChat(chat_id=f"wrx{n}", name=f"群{n}", owner_id=group.owner_id, opened_at=world.now))
    world.get("/groups")  # writes down the token's use

    assert len({_count(world, f"/groups?limit={size}") for size in (1, 4, 9)}) == 1
    assert len({_count(world, f"/groups/{group.id}/members?limit={size}") for size in (2, 4)}) == 1


def test_an_unknown_group_is_not_found(world, group):
    for path in ("/groups/nobody", "/groups/nobody/members"):
        answer = world.get(path)
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "group_not_found")
