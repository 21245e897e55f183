"""The platform's rules on customers and their transfer, one by one, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox_fixture import CallbackReceiver, SandboxServer

STRANGER = "wmStranger0000000000000000000000"
TAG = "etDefaultTagWebsite0000000000002"


def get(box: SandboxServer, pair: dict[str, str]) -> dict[str, Any]:
    return box.api("externalcontact/get", external_userid=pair["external_userid"])


# --- customers


def test_get_shows_the_pair_as_documented(box: SandboxServer, pair: dict[str, str]) -> None:
    answer = get(box, pair)

    (follow,) = answer["follow_user"]
    assert answer["external_contact"] == {
        "external_userid": pair["external_userid"], "name": "小王", "avatar": "", "type": 1, "gender": 0,
    }  # fmt: skip
    assert follow.pop("createtime") > 1_700_000_000
    assert follow == {
        "userid": "zhangsan", "remark": "", "description": "", "tags": [], "remark_corp_name": "",
        "remark_mobiles": [], "oper_userid": pair["external_userid"], "add_way": 1, "state": "ch_1",
    }  # fmt: skip


def test_member_without_customers_gets_84061_not_an_empty_list(box: SandboxServer) -> None:
    answer = box.api("externalcontact/list", userid="lisi")

    assert (answer["errcode"], answer["external_userid"]) == (84061, [])


def test_ids_are_checked_before_relations(box: SandboxServer, pair: dict[str, str]) -> None:
    assert box.api("externalcontact/get", external_userid="xx1")["errcode"] == 40096
    assert box.api("externalcontact/get", external_userid=STRANGER)["errcode"] == 84061
    assert box.api("externalcontact/list", userid="nobody")["errcode"] == 60111


def test_remark_changes_only_what_is_named(box: SandboxServer, pair: dict[str, str]) -> None:
    assert (
        box.api("externalcontact/remark", {**pair, "remark": "王女士", "remark_mobiles": ["139"]})["errcode"]
        == 0
    )
    assert box.api("externalcontact/remark", {**pair, "description": "采购"})["errcode"] == 0
    (follow,) = get(box, pair)["follow_user"]
    assert (follow["remark"], follow["description"], follow["remark_mobiles"]) == ("王女士", "采购", ["139"])

    box.api("externalcontact/remark", {**pair, "remark_mobiles": [""]})
    assert get(box, pair)["follow_user"][0]["remark_mobiles"] == []


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({}, 40058),
        ({"remark": "长" * 21}, 40058),
        ({"description": "长" * 151}, 40058),
        ({"remark_company": "长" * 21}, 40058),
        ({"remark_pic_mediaid": "gone"}, 40007),
        ({"external_userid": STRANGER, "remark": "a"}, 84061),
        ({"userid": "lisi", "remark": "a"}, 84061),
        ({"userid": "nobody", "remark": "a"}, 60111),
    ],
)
def test_bad_remark_is_refused(
    box: SandboxServer, pair: dict[str, str], change: dict[str, Any], errcode: int
) -> None:
    assert box.api("externalcontact/remark", {**pair, **change})["errcode"] == errcode


def test_customer_who_left_is_still_on_the_members_side(
    box: SandboxServer, pair: dict[str, str], receiver: CallbackReceiver
) -> None:
    box.post("/sandbox/leave", {"customer": pair["external_userid"], "staff": "zhangsan"})

    assert receiver.events[-1]["ChangeType"] == "del_follow_user"
    assert box.api("externalcontact/list", userid="zhangsan")["external_userid"] == [pair["external_userid"]]
    assert box.api("externalcontact/mark_tag", {**pair, "add_tag": [TAG]})["errcode"] == 0


def test_customer_whom_the_rep_removed_is_gone(
    box: SandboxServer, pair: dict[str, str], receiver: CallbackReceiver
) -> None:
    box.post("/sandbox/remove", {"customer": pair["external_userid"], "staff": "zhangsan"})

    assert receiver.events[-1]["ChangeType"] == "del_external_contact"
    assert get(box, pair)["errcode"] == 84061
    assert box.api("externalcontact/mark_tag", {**pair, "add_tag": [TAG]})["errcode"] == 84061


def load_customers(box: SandboxServer, count: int) -> list[str]:
    ids = [f"wm{number:030d}" for number in range(count)]
    rows = [
        {"external_userid": i, "name": i, "relations": [{"userid": "lisi", "tag_ids": [TAG]}]} for i in ids
    ]
    box.post("/sandbox/load", {"customers": rows})
    return ids


def read_all(box: SandboxServer, limit: int) -> tuple[list[dict[str, Any]], list[int]]:
    """Every customer of two members by batch/get_by_user, and the sizes of the pages."""
    found, sizes, cursor = [], [], ""
    while True:
        body = {"userid_list": ["lisi", "zhangsan"], "limit": limit, "cursor": cursor}
        page = box.api("externalcontact/batch/get_by_user", body)
        found += page["external_contact_list"]
        sizes.append(len(page["external_contact_list"]))
        cursor = page["next_cursor"]
        if not cursor:
            return found, sizes


def test_batch_pages_through_every_customer_once(box: SandboxServer) -> None:
    ids = load_customers(box, 25)

    found, sizes = read_all(box, 10)

    assert [item["external_contact"]["external_userid"] for item in found] == ids
    assert sizes == [10, 10, 5]
    assert found[0]["follow_info"]["tag_id"] == [TAG]
    assert "tags" not in found[0]["follow_info"]


def test_batch_pages_may_be_short_and_empty() -> None:
    with SandboxServer(short_pages=True) as box:
        ids = load_customers(box, 12)

        found, sizes = read_all(box, 10)

        assert [item["external_contact"]["external_userid"] for item in found] == ids
        assert sizes == [5, 0, 5, 2]


def test_batch_refuses_too_many_members_and_too_big_pages(box: SandboxServer) -> None:
    assert box.api("externalcontact/batch/get_by_user", {"userid_list": ["lisi"] * 101})["errcode"] == 40032
    assert (
        box.api("externalcontact/batch/get_by_user", {"userid_list": ["lisi"], "limit": 101})["errcode"]
        == 40058
    )
    assert box.api("externalcontact/batch/get_by_user", {})["errcode"] == 40063


# --- no callback for what the API does


def test_api_changes_fire_no_callback(
    box: SandboxServer, pair: dict[str, str], receiver: CallbackReceiver
) -> None:
    before = len(receiver.events)
    tag = box.api("externalcontact/add_corp_tag", {"group_name": "a", "tag": [{"name": "b"}]})["tag_group"][
        "tag"
    ][0]
    way = box.api("externalcontact/add_contact_way", {"type": 1, "scene": 2, "user": ["lisi"]})["config_id"]
    for api, body in (
        ("mark_tag", {**pair, "add_tag": [tag["id"]]}),
        ("remark", {**pair, "remark": "甲"}),
        ("edit_corp_tag", {"id": tag["id"], "name": "c"}),
        ("del_corp_tag", {"tag_id": [tag["id"]]}),
        ("update_contact_way", {"config_id": way, "user": ["wangwu"]}),
        ("del_contact_way", {"config_id": way}),
    ):
        assert box.api(f"externalcontact/{api}", body)["errcode"] == 0

    assert box.get("/sandbox/callbacks?after=1")["items"] == []
    assert len(receiver.events) == before


# --- transfers


def test_transfer_is_accepted_after_a_day_with_both_events(
    box: SandboxServer, pair: dict[str, str], receiver: CallbackReceiver
) -> None:
    customer = pair["external_userid"]
    box.api("externalcontact/mark_tag", {**pair, "add_tag": [TAG]})
    pairing = {"handover_userid": "zhangsan", "takeover_userid": "lisi"}
    body = {**pairing, "external_userid": [customer, STRANGER]}
    items = box.api("externalcontact/transfer_customer", body)["customer"]
    assert [item["errcode"] for item in items] == [0, 40131]
    again = box.api("externalcontact/transfer_customer", body)["customer"]
    assert again[0]["errcode"] == 40129
    assert box.api("externalcontact/transfer_result", pairing)["customer"][0]["status"] == 2

    box.post("/sandbox/clock", {"advance_s": 86400})

    lost, gained = receiver.wait_for(3)[1:]
    if lost["ChangeType"] == "add_external_contact":  # order is not guaranteed
        lost, gained = gained, lost
    assert (lost["ChangeType"], lost["UserID"], lost["Source"]) == (
        "del_external_contact", "zhangsan", "DELETE_BY_TRANSFER",
    )  # fmt: skip
    assert (gained["ChangeType"], gained["UserID"], "State" in gained) == (
        "add_external_contact",
        "lisi",
        False,
    )
    assert box.api("externalcontact/transfer_result", pairing)["customer"][0]["status"] == 1
    (follow,) = get(box, pair)["follow_user"]
    assert (follow["userid"], follow["add_way"], follow["tags"][0]["tag_id"]) == ("lisi", 202, TAG)


def test_refused_transfer_keeps_the_customer(
    box: SandboxServer, pair: dict[str, str], receiver: CallbackReceiver
) -> None:
    pairing = {"handover_userid": "zhangsan", "takeover_userid": "lisi"}
    box.api("externalcontact/transfer_customer", {**pairing, "external_userid": [pair["external_userid"]]})

    box.post("/sandbox/transfer", {"customer": "小王", "op": "refuse"})

    event = receiver.events[-1]
    assert (event["ChangeType"], event["UserID"], event["FailReason"]) == (
        "transfer_fail",
        "lisi",
        "customer_refused",
    )
    assert get(box, pair)["follow_user"][0]["userid"] == "zhangsan"
    assert box.api("externalcontact/transfer_result", pairing)["customer"][0]["status"] == 3
