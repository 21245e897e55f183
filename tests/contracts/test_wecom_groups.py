"""The platform's rules on group chats with customers, one by one, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from defusedxml import ElementTree

from tests.sandbox_fixture import CallbackReceiver, SandboxServer


@pytest.fixture
def chat(box: SandboxServer, pair: dict[str, str], receiver: CallbackReceiver) -> str:
    """A group of 张三 with 小王 and 李四."""
    body = {"owner": "zhangsan", "name": "福利群1", "customers": ["小王"], "staff": ["lisi"]}
    chat_id: str = box.post("/sandbox/groups", body)["chat_id"]
    receiver.clear()
    return chat_id


def get(box: SandboxServer, chat_id: str, **more: Any) -> dict[str, Any]:
    return box.api("externalcontact/groupchat/get", {"chat_id": chat_id, **more})


def listed(box: SandboxServer, **more: Any) -> dict[str, Any]:
    return box.api("externalcontact/groupchat/list", {"limit": 1000, **more})


def test_get_shows_the_group_as_documented(box: SandboxServer, pair: dict[str, str], chat: str) -> None:
    group = get(box, chat, need_name=1)["group_chat"]

    made = group.pop("create_time")
    member = {"join_time": made, "join_scene": 1, "group_nickname": ""}
    by_owner = {"invitor": {"userid": "zhangsan"}}
    assert made > 1_700_000_000
    assert len(group.pop("member_version")) == 32
    assert sorted(group.pop("member_list"), key=lambda one: one["userid"]) == [
        {**member, **by_owner, "userid": "lisi", "type": 1, "name": "李四"},
        {**member, **by_owner, "userid": pair["external_userid"], "type": 2, "name": "小王"},
        {**member, "userid": "zhangsan", "type": 1, "name": "张三"},
    ]
    assert group == {
        "chat_id": chat, "name": "福利群1", "owner": "zhangsan", "notice": "",
        "admin_list": [{"userid": "zhangsan"}],
    }  # fmt: skip


def test_names_of_members_come_only_when_asked_for(box: SandboxServer, chat: str) -> None:
    assert all("name" not in member for member in get(box, chat)["group_chat"]["member_list"])


def test_unknown_and_dismissed_groups_are_told_apart(box: SandboxServer, chat: str) -> None:
    box.post(f"/sandbox/groups/{chat}/dismiss")

    assert get(box, chat)["errcode"] == 49008
    assert get(box, "wrNobody")["errcode"] == 40050
    assert box.api("externalcontact/groupchat/get", {})["errcode"] == 40063
    assert listed(box)["group_chat_list"] == []


def test_list_goes_by_pages(box: SandboxServer, chat: str) -> None:
    made = {
        chat,
        *(box.post("/sandbox/groups", {"owner": "lisi", "name": "群"})["chat_id"] for _ in range(2)),
    }

    seen, cursor = [], ""
    for _ in range(3):
        page = listed(box, limit=1, cursor=cursor)
        seen += page["group_chat_list"]
        cursor = page["next_cursor"]

    assert (sorted(one["chat_id"] for one in seen), cursor) == (sorted(made), "")
    assert {one["status"] for one in seen} == {0}


def test_list_by_owner_and_by_status(box: SandboxServer, chat: str) -> None:
    lonely = box.post("/sandbox/groups", {"owner": "lisi", "name": "群"})["chat_id"]
    box.post("/sandbox/staff_change", {"op": "delete", "userid": "lisi"})

    of_owner = listed(box, owner_filter={"userid_list": ["zhangsan"]})["group_chat_list"]
    waiting = listed(box, status_filter=1)["group_chat_list"]

    assert of_owner == [{"chat_id": chat, "status": 0}]
    assert waiting == [{"chat_id": lonely, "status": 1}]


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"limit": 0}, 40058),
        ({"limit": 1001}, 40058),
        ({"status_filter": 4}, 40058),
        ({"cursor": "made-up"}, 40058),
        ({"owner_filter": {"userid_list": ["nobody"]}}, 60111),
        ({"owner_filter": {"userid_list": ["zhangsan"] * 101}}, 40032),
    ],
)
def test_bad_list_is_refused(box: SandboxServer, body: dict[str, Any], errcode: int) -> None:
    answer = listed(box, **body)

    assert (answer["errcode"], answer["group_chat_list"]) == (errcode, [])


def test_list_of_everybody_is_refused_where_there_are_too_many_owners() -> None:
    with SandboxServer(group_owner_cap=2) as crowded:
        assert listed(crowded)["errcode"] == 81017
        assert listed(crowded, owner_filter={"userid_list": ["lisi"]})["errcode"] == 0


def fields(receiver: CallbackReceiver) -> list[dict[str, str]]:
    common = (
        "ToUserName",
        "FromUserName",
        "CreateTime",
        "MsgType",
        "Event",
        "ChatId",
        "LastMemVer",
        "CurMemVer",
    )
    return [{key: value for key, value in event.items() if key not in common} for event in receiver.events]


def test_every_change_is_told_without_names(
    box: SandboxServer, pair: dict[str, str], receiver: CallbackReceiver
) -> None:
    receiver.clear()
    chat = box.post("/sandbox/groups", {"owner": "zhangsan", "name": "群", "staff": ["lisi"]})["chat_id"]
    for deed, body in (
        ("join", {"customers": ["小王"], "scene": 3, "state": "grp_7"}),
        ("leave", {"member": "小王", "removed": True}),
        ("rename", {"name": "新名"}),
        ("notice", {"notice": "公告"}),
        ("owner", {"owner": "lisi"}),
        ("dismiss", {}),
    ):
        assert box.post(f"/sandbox/groups/{chat}/{deed}", body)["callback_status"] == 200

    events = receiver.events
    assert {(event["Event"], event["ChatId"], event["FromUserName"]) for event in events} == {
        ("change_external_chat", chat, "sys")
    }
    assert fields(receiver) == [
        {"ChangeType": "create"},
        {
            "ChangeType": "update", "UpdateDetail": "add_member", "JoinScene": "3", "QuitScene": "0",
            "MemChangeCnt": "1", "MemChangeList": "",
        },
        {
            "ChangeType": "update", "UpdateDetail": "del_member", "QuitScene": "1", "MemChangeCnt": "1",
            "MemChangeList": "",
        },
        {"ChangeType": "update", "UpdateDetail": "change_name"},
        {"ChangeType": "update", "UpdateDetail": "change_notice"},
        {"ChangeType": "update", "UpdateDetail": "change_owner"},
        {"ChangeType": "dismiss"},
    ]  # fmt: skip
    changed = ElementTree.fromstring(receiver.received[1].xml).findall("MemChangeList/Item")
    assert [item.text for item in changed] == [pair["external_userid"]]


def test_versions_of_an_event_are_those_of_get(
    box: SandboxServer, chat: str, receiver: CallbackReceiver
) -> None:
    before = get(box, chat)["group_chat"]["member_version"]

    box.post(f"/sandbox/groups/{chat}/join", {"customers": ["路人"], "scene": 2})

    (event,) = receiver.events
    after = get(box, chat)["group_chat"]["member_version"]
    assert (event["LastMemVer"], event["CurMemVer"], event["JoinScene"]) == (before, after, "0")
    assert before != after


def test_members_lag_behind_the_event_where_the_platform_is_slow() -> None:
    with SandboxServer(group_lag_s=2.0) as slow:
        chat = slow.post("/sandbox/groups", {"owner": "zhangsan", "name": "群"})["chat_id"]
        slow.post(f"/sandbox/groups/{chat}/join", {"customers": ["路人"]})
        early = get(slow, chat)["group_chat"]
        slow.post("/sandbox/clock", {"advance_s": 2})
        late = get(slow, chat)["group_chat"]

    assert (len(early["member_list"]), len(late["member_list"])) == (1, 2)
    assert early["member_version"] != late["member_version"]


def test_state_is_shown_only_for_those_who_came_by_the_groups_code(box: SandboxServer, chat: str) -> None:
    for name, scene in (("甲", 2), ("乙", 3)):
        box.post(f"/sandbox/groups/{chat}/join", {"customers": [name], "scene": scene, "state": "grp_7"})

    members = {one["name"]: one for one in get(box, chat, need_name=1)["group_chat"]["member_list"]}
    assert ("state" in members["甲"], members["乙"]["state"]) == (False, "grp_7")


@pytest.mark.parametrize(
    ("deed", "body", "status", "code"),
    [
        ("join", {"customers": ["小王"]}, 400, "already_member"),
        ("join", {"customers": ["新人"], "scene": 4}, 400, "bad_field"),
        ("leave", {"member": "路人"}, 404, "not_in_group"),
        ("leave", {"member": "zhangsan"}, 400, "is_owner"),
        ("owner", {"owner": "wangwu"}, 400, "not_in_group"),
        ("rename", {}, 400, "missing_field"),
    ],
)
def test_what_cannot_happen_is_refused_and_told_to_nobody(
    box: SandboxServer, chat: str, receiver: CallbackReceiver, deed: str, body: Any, status: int, code: str
) -> None:
    answer = box.request("POST", f"/sandbox/groups/{chat}/{deed}", body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert receiver.events == []


def test_over_is_over(box: SandboxServer, chat: str) -> None:
    box.post(f"/sandbox/groups/{chat}/dismiss")

    answer = box.request("POST", f"/sandbox/groups/{chat}/join", {"customers": ["小王"]})

    assert answer.json()["error"]["code"] == "group_dismissed"
    assert box.get("/sandbox/groups?staff=lisi")["items"][0]["dismissed"] is True


def test_a_renamed_member_keeps_group_and_place(box: SandboxServer, chat: str) -> None:
    box.post("/sandbox/staff_change", {"op": "update", "userid": "zhangsan", "new_userid": "zhang3"})

    group = get(box, chat)["group_chat"]
    assert group["owner"] == "zhang3"
    assert "zhang3" in {member["userid"] for member in group["member_list"]}


def test_a_world_brings_its_groups(box: SandboxServer, pair: dict[str, str]) -> None:
    group = {
        "chat_id": "wrWorld0000000000000000000000001", "name": "老客户", "owner": "lisi", "notice": "周五见",
        "create_time": 1_700_000_000,
        "members": [{"userid": pair["external_userid"], "join_time": 1_700_000_100, "join_scene": 3, "state": "g"}],
    }  # fmt: skip

    for _ in range(2):
        assert box.post("/sandbox/load", {"groups": [group]})["groups"] == 1

    shown = get(box, group["chat_id"])["group_chat"]
    assert [(one["userid"], one["join_time"]) for one in shown["member_list"]] == [
        ("lisi", 1_700_000_000),
        (pair["external_userid"], 1_700_000_100),
    ]
    assert (shown["notice"], shown["create_time"]) == ("周五见", 1_700_000_000)


def test_the_sidebar_of_a_group_is_opened_for_that_group(box: SandboxServer, chat: str) -> None:
    answer = box.request("GET", f"/sandbox/sidebar?staff=zhangsan&group={chat}", allow_redirects=False)
    lost = box.request("GET", "/sandbox/sidebar?staff=zhangsan&group=wrNobody", allow_redirects=False)

    assert answer.headers["Location"].endswith(f"%3Fchat%3D{chat}")
    assert lost.status_code == 404
