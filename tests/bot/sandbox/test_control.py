"""The control interface: loading, looking, console changes, and errors a person understands."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.sandbox_fixture import CallbackReceiver, SandboxServer

CUSTOMER = "wm000000000000000000000000000001"
WORLD: dict[str, Any] = {
    "departments": [{"id": 1, "name": "启程", "parentid": 0, "order": 1}],
    "staff": [{"userid": "chen", "name": "陈晨", "department": [1], "position": "SDR"}],
    "tag_groups": [{"group_id": "etg1", "name": "来源", "tags": [{"id": "et1", "name": "展会"}]}],
    "ways": [{"config_id": "cfg1", "state": "expo", "user": ["chen"], "remark": "展会", "type": 2, "scene": 2}],
    "customers": [
        {
            "external_userid": CUSTOMER, "name": "老王", "gender": 1, "avatar": "", "unionid": "u1",
            "relations": [{"userid": "chen", "remark": "王总", "state": "expo", "createtime": 1700000000,
                           "tag_ids": ["et1"], "deleted_by_customer": True}],
        }
    ],
}  # fmt: skip


def refusal(box: SandboxServer, path: str, body: dict[str, Any]) -> tuple[int, str]:
    response = box.request("POST", path, body)
    return response.status_code, response.json()["error"]["code"]


def test_loaded_world_replaces_the_default_one_and_loading_twice_changes_nothing(box: SandboxServer) -> None:
    first = box.post("/sandbox/load", WORLD)
    views = [box.get(f"/sandbox/{name}") for name in ("staff", "departments", "tags", "ways", "customers")]

    second = box.post("/sandbox/load", WORLD)

    assert (
        first
        == second
        == {"departments": 1, "staff": 1, "tag_groups": 1, "ways": 1, "customers": 1, "groups": 0}
    )
    assert [
        box.get(f"/sandbox/{name}") for name in ("staff", "departments", "tags", "ways", "customers")
    ] == views
    assert [item["userid"] for item in views[0]["items"]] == ["chen"]
    assert views[3]["items"][0]["qr_url"] == f"{box.url}/sandbox/qr/cfg1.png"


def test_loaded_customer_is_what_api_and_phone_show(box: SandboxServer) -> None:
    box.post("/sandbox/load", WORLD)

    api = box.api("externalcontact/get", external_userid=CUSTOMER)
    phone = box.get("/sandbox/customers/老王")

    assert api["external_contact"]["unionid"] == "u1"
    assert (api["follow_user"][0]["remark"], api["follow_user"][0]["createtime"]) == ("王总", 1700000000)
    assert phone["tags"] == [{"id": "et1", "name": "展会", "group": "来源", "staff": "chen"}]
    assert (phone["staff"], phone["relations"][0]["deleted_by_customer"]) == ([], True)


def test_load_that_refers_to_nothing_changes_nothing(box: SandboxServer) -> None:
    broken = {**WORLD, "customers": [{**WORLD["customers"][0], "relations": [{"userid": "ghost"}]}]}

    assert refusal(box, "/sandbox/load", broken) == (400, "staff_unknown")
    assert refusal(box, "/sandbox/load", {"persons": []}) == (400, "bad_field")
    assert refusal(box, "/sandbox/load", {"staff": [{"name": "无号"}]}) == (400, "bad_row")
    assert len(box.get("/sandbox/staff")["items"]) == 3


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/sandbox/scan", {"customer": "小王", "code": "nope"}, (404, "code_unknown")),
        ("/sandbox/scan", {"customer": "小王"}, (400, "missing_field")),
        ("/sandbox/scan", {"customer": 5, "code": "expo"}, (400, "bad_field")),
        ("/sandbox/scan", {"customer": "wm" + "9" * 30, "code": "expo"}, (404, "customer_unknown")),
        ("/sandbox/scan", {"customer": "小王", "code": "expo", "staff": "lisi"}, (400, "staff_not_on_code")),
        ("/sandbox/leave", {"customer": "没有", "staff": "chen"}, (404, "customer_unknown")),
        ("/sandbox/leave", {"customer": "老王", "staff": "ghost"}, (404, "staff_unknown")),
        ("/sandbox/leave", {"customer": "老王", "staff": "chen"}, (400, "already_left")),
        ("/sandbox/clock", {"advance_s": -1}, (400, "bad_field")),
        ("/sandbox/resend", {}, (404, "callback_unknown")),
        ("/sandbox/nothing", {}, (404, "not_found")),
    ],
)
def test_control_errors_say_what_is_wrong(
    box: SandboxServer, path: str, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    box.post("/sandbox/load", WORLD)

    assert refusal(box, path, body) == expected


def test_body_that_is_no_json_object_is_400(box: SandboxServer) -> None:
    assert box.session.post(f"{box.url}/sandbox/scan", data="[", timeout=5).status_code == 400
    assert box.session.post(f"{box.url}/sandbox/scan", data="[]", timeout=5).status_code == 400


def test_code_whose_members_all_left_cannot_be_scanned(box: SandboxServer) -> None:
    box.post("/sandbox/load", WORLD)
    box.post("/sandbox/staff_change", {"op": "delete", "userid": "chen"})

    assert refusal(box, "/sandbox/scan", {"customer": "小王", "code": "expo"}) == (400, "code_without_staff")


def test_qr_images_are_real(box: SandboxServer) -> None:
    box.post("/sandbox/load", WORLD)

    assert box.request("GET", "/sandbox/qr/cfg1.png").content.startswith(b"\x89PNG")
    assert b"<svg" in box.request("GET", "/sandbox/qr/cfg1.svg").content
    assert box.request("GET", "/sandbox/qr/other.png").status_code == 404


def test_reps_edit_is_told_and_a_phone_number_is_not(box: SandboxServer, receiver: CallbackReceiver) -> None:
    box.post("/sandbox/load", WORLD)
    pair = {"staff": "chen", "customer": "老王"}

    told = box.post("/sandbox/edit", {**pair, "remark": "王老板", "remove_tags": ["展会"]})
    silent = box.post("/sandbox/edit", {**pair, "remark_mobiles": ["138"]})

    assert (told["callback_status"], silent["callback_status"]) == (200, None)
    assert [event["ChangeType"] for event in receiver.events] == ["edit_external_contact"]
    relation = box.get("/sandbox/customers/老王")["relations"][0]
    assert (relation["remark"], relation["remark_mobiles"]) == ("王老板", ["138"])


def test_console_changes_of_members_are_told_with_ids_only(
    box: SandboxServer, receiver: CallbackReceiver
) -> None:
    box.post("/sandbox/staff_change", {"op": "create", "userid": "zhao", "name": "赵六", "department": [2]})
    box.post("/sandbox/staff_change", {"op": "update", "userid": "zhao", "new_userid": "zhao6"})
    box.post("/sandbox/staff_change", {"op": "delete", "userid": "zhao6"})

    keys = ("ChangeType", "UserID", "NewUserID", "Department", "Name")
    assert [{key: event[key] for key in keys if key in event} for event in receiver.events] == [
        {"ChangeType": "create_user", "UserID": "zhao", "Department": "2"},
        {"ChangeType": "update_user", "UserID": "zhao", "NewUserID": "zhao6"},
        {"ChangeType": "delete_user", "UserID": "zhao6"},
    ]
    assert box.api("user/get", userid="zhao6")["errcode"] == 60111


def test_console_changes_of_departments_are_told(box: SandboxServer, receiver: CallbackReceiver) -> None:
    box.post("/sandbox/department_change", {"op": "create", "id": 12, "name": "华南", "parentid": 2})
    box.post("/sandbox/department_change", {"op": "update", "id": 12, "name": "华南销售"})
    box.post("/sandbox/department_change", {"op": "delete", "id": 12})

    assert [(event["ChangeType"], event["Id"]) for event in receiver.events] == [
        ("create_party", "12"), ("update_party", "12"), ("delete_party", "12"),
    ]  # fmt: skip


def test_deleting_a_tag_group_in_the_console_is_one_event(
    box: SandboxServer, receiver: CallbackReceiver
) -> None:
    box.post("/sandbox/tag_change", {"op": "create", "kind": "group", "name": "意向", "tags": ["高", "中"]})
    box.post("/sandbox/tag_change", {"op": "delete", "kind": "group", "name": "意向"})

    told = [(event["ChangeType"], event["TagType"]) for event in receiver.events]
    assert told == [("create", "tag_group"), ("create", "tag"), ("create", "tag"), ("delete", "tag_group")]
    assert [group["name"] for group in box.get("/sandbox/tags")["items"]] == ["来源"]


def test_member_writes_to_the_app_and_taps_its_menu(box: SandboxServer, receiver: CallbackReceiver) -> None:
    box.post("/sandbox/app_message", {"staff": "zhangsan", "content": "今日待办"})
    box.post("/sandbox/app_event", {"staff": "zhangsan", "event": "click", "event_key": "TODAY"})

    message, click = receiver.events
    assert (message["FromUserName"], message["MsgType"], message["Content"]) == (
        "zhangsan",
        "text",
        "今日待办",
    )
    assert (message["MsgId"].isdigit(), message["AgentID"]) == (True, "1000002")
    assert (click["Event"], click["EventKey"], "MsgId" in click) == ("click", "TODAY", False)


def test_sidebar_opens_as_the_client_of_that_member(box: SandboxServer) -> None:
    box.post("/sandbox/load", WORLD)

    response = box.request("GET", "/sandbox/sidebar?staff=chen&customer=老王", allow_redirects=False)

    target = urlsplit(response.headers["Location"])
    assert target.path == "/sidebar/login"
    assert parse_qs(target.query) == {"next": [f"/sidebar?chat={CUSTOMER}"]}
    assert "sandbox_rep=chen" in response.headers["Set-Cookie"]


def test_reset_leaves_the_default_world_and_nothing_else(box: SandboxServer) -> None:
    box.post("/sandbox/load", WORLD)
    box.post("/sandbox/clock", {"advance_s": 100})
    box.api("externalcontact/add_corp_tag", {"group_name": "a", "tag": [{"name": "b"}]})

    box.post("/sandbox/reset")

    assert [item["userid"] for item in box.get("/sandbox/staff")["items"]] == ["zhangsan", "lisi", "wangwu"]
    for name in ("customers", "ways", "ledger", "calls", "callbacks", "faults"):
        assert box.get(f"/sandbox/{name}")["items"] == []
    assert box.get("/sandbox/clock")["offset_s"] == 0


@pytest.mark.parametrize(("own", "ahead"), [(False, 0), (True, 86_400)])
def test_callbacks_are_signed_with_real_time_unless_the_product_shares_the_clock(
    own: bool, ahead: int, receiver: CallbackReceiver
) -> None:
    with SandboxServer(callback_url=receiver.url, callback_own_clock=own) as box:
        box.post("/sandbox/load", WORLD)
        box.post("/sandbox/clock", {"advance_s": 86_400})

        box.post("/sandbox/scan", {"customer": "甲", "code": "expo"})

    (received,) = receiver.received
    assert int(received.query["timestamp"]) == pytest.approx(time.time() + ahead, abs=60)
