"""The platform's rules on corp tags, one by one, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox_fixture import SandboxServer

TAG = "etDefaultTagWebsite0000000000002"


def get(box: SandboxServer, pair: dict[str, str]) -> dict[str, Any]:
    return box.api("externalcontact/get", external_userid=pair["external_userid"])


def tag_ids(box: SandboxServer, pair: dict[str, str]) -> list[str]:
    return [tag["tag_id"] for tag in get(box, pair)["follow_user"][0]["tags"]]


# --- tags


def test_mark_tag_between_half_add_and_add_answers_84061(box: SandboxServer, pair: dict[str, str]) -> None:
    half = box.post("/sandbox/half", {"customer": "小李", "code": "ch_1"})
    call = {"userid": "zhangsan", "external_userid": half["customer_id"], "add_tag": [TAG]}
    assert box.api("externalcontact/mark_tag", call)["errcode"] == 84061
    assert get(box, call)["errcode"] == 0

    box.post("/sandbox/scan", {"customer": "小李", "code": "ch_1"})
    assert box.api("externalcontact/mark_tag", call)["errcode"] == 0


def test_tags_belong_to_the_pair(box: SandboxServer, pair: dict[str, str]) -> None:
    box.post("/sandbox/load", {"customers": [{"external_userid": pair["external_userid"], "name": "小王",
                                              "relations": [{"userid": "lisi"}]}]})  # fmt: skip
    box.api("externalcontact/mark_tag", {**pair, "add_tag": [TAG]})

    followers = {item["userid"]: item["tags"] for item in get(box, pair)["follow_user"]}

    assert followers == {
        "zhangsan": [{"group_name": "来源", "tag_name": "官网", "tag_id": TAG, "type": 1}],
        "lisi": [],
    }


def test_marking_is_idempotent_and_one_bad_id_changes_nothing(
    box: SandboxServer, pair: dict[str, str]
) -> None:
    for _ in range(2):
        assert box.api("externalcontact/mark_tag", {**pair, "add_tag": [TAG]})["errcode"] == 0
    assert box.api("externalcontact/mark_tag", {**pair, "remove_tag": [TAG, "etNo"]})["errcode"] == 40068
    assert tag_ids(box, pair) == [TAG]

    for _ in range(2):
        assert box.api("externalcontact/mark_tag", {**pair, "remove_tag": [TAG]})["errcode"] == 0
    assert tag_ids(box, pair) == []


def test_mark_tag_needs_something_to_do(box: SandboxServer, pair: dict[str, str]) -> None:
    assert box.api("externalcontact/mark_tag", pair)["errcode"] == 40063


def test_add_corp_tag_makes_the_group_once_and_each_name_once(box: SandboxServer) -> None:
    body = {"group_name": "意向", "tag": [{"name": "高", "order": 3}, {"name": "高"}, {"name": "中"}]}

    first = box.api("externalcontact/add_corp_tag", body)["tag_group"]
    second = box.api("externalcontact/add_corp_tag", body)["tag_group"]

    assert first == second
    assert [tag["name"] for tag in first["tag"]] == ["高", "中"]
    assert first["tag"][0]["order"] == 3
    (listed,) = box.api("externalcontact/get_corp_tag_list", {"group_id": [first["group_id"]]})["tag_group"]
    assert [(tag["name"], tag["deleted"]) for tag in listed["tag"]] == [("高", False), ("中", False)]


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"group_name": "空", "tag": []}, 40063),
        ({"tag": [{"name": "a"}]}, 40063),
        ({"group_id": "etNo", "tag": [{"name": "a"}]}, 40068),
        ({"group_name": "长" * 31, "tag": [{"name": "a"}]}, 40072),
        ({"group_name": "a", "tag": [{"name": "长" * 31}]}, 40072),
        ({"group_name": "a", "tag": [{"name": "b", "order": 2**32}]}, 40058),
    ],
)
def test_bad_tags_are_refused_and_no_empty_group_stays(
    box: SandboxServer, body: dict[str, Any], errcode: int
) -> None:
    assert box.api("externalcontact/add_corp_tag", body)["errcode"] == errcode
    groups = box.api("externalcontact/get_corp_tag_list", {})["tag_group"]
    assert [group["group_name"] for group in groups] == ["来源"]


def test_cap_on_tags_is_40126() -> None:
    with SandboxServer(tag_cap=4) as box:
        body = {"group_name": "a", "tag": [{"name": "b"}, {"name": "c"}]}
        assert box.api("externalcontact/add_corp_tag", body)["errcode"] == 40126


def test_renaming_keeps_the_id_and_a_taken_name_is_40071(box: SandboxServer) -> None:
    assert box.api("externalcontact/edit_corp_tag", {"id": TAG, "name": "展会"})["errcode"] == 40071
    assert box.api("externalcontact/edit_corp_tag", {"id": TAG, "name": "网站"})["errcode"] == 0

    (group,) = box.api("externalcontact/get_corp_tag_list", {"tag_id": [TAG]})["tag_group"]
    assert [(tag["id"], tag["name"]) for tag in group["tag"]] == [(TAG, "网站")]


def test_deleted_tag_leaves_customers_and_the_last_one_takes_its_group(
    box: SandboxServer, pair: dict[str, str]
) -> None:
    group = box.api("externalcontact/add_corp_tag", {"group_name": "a", "tag": [{"name": "b"}]})["tag_group"]
    tag = group["tag"][0]["id"]
    box.api("externalcontact/mark_tag", {**pair, "add_tag": [tag]})

    assert box.api("externalcontact/del_corp_tag", {"tag_id": [tag]})["errcode"] == 0

    assert tag_ids(box, pair) == []
    (gone,) = box.api("externalcontact/get_corp_tag_list", {"group_id": [group["group_id"]]})["tag_group"]
    assert (gone["deleted"], gone["tag"][0]["deleted"]) == (True, True)
    assert box.api("externalcontact/mark_tag", {**pair, "add_tag": [tag]})["errcode"] == 40068
    assert box.api("externalcontact/del_corp_tag", {"tag_id": [tag]})["errcode"] == 40068


def test_app_may_not_edit_tags_made_in_the_console(box: SandboxServer, pair: dict[str, str]) -> None:
    made = box.post("/sandbox/tag_change", {"op": "create", "kind": "tag", "group": "来源", "name": "线下"})
    (tag,) = made["ids"]

    assert box.api("externalcontact/edit_corp_tag", {"id": tag, "name": "门店"})["errcode"] == 60011
    assert box.api("externalcontact/del_corp_tag", {"tag_id": [tag]})["errcode"] == 60011
    assert box.api("externalcontact/mark_tag", {**pair, "add_tag": [tag]})["errcode"] == 0
