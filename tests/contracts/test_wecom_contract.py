"""The platform's rules on access and contact ways, one by one, over HTTP."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.sandbox_fixture import SandboxServer

WAY = {"type": 2, "scene": 2, "user": ["zhangsan", "lisi"], "state": "ch_1"}


def add_way(box: SandboxServer, **changes: Any) -> str:
    answer = box.api("externalcontact/add_contact_way", {**WAY, **changes})
    assert answer["errcode"] == 0, answer
    return str(answer["config_id"])


# --- access


def test_gettoken_answers_the_same_token_while_it_is_valid(box: SandboxServer) -> None:
    assert box.token() == box.token()


def test_each_secret_has_its_own_token(box: SandboxServer) -> None:
    assert box.token() != box.token(box.settings.contact_secret)


@pytest.mark.parametrize(
    ("query", "errcode"),
    [
        ({}, 41002),
        ({"corpid": "ww1a2b3c4d5e6f7a8b"}, 41004),
        ({"corpid": "wwother", "corpsecret": "sandbox-app-secret"}, 40013),
        ({"corpid": "ww1a2b3c4d5e6f7a8b", "corpsecret": "wrong"}, 40001),
    ],
)
def test_gettoken_says_what_is_wrong(box: SandboxServer, query: dict[str, str], errcode: int) -> None:
    answer = box.request("GET", "/qyapi/cgi-bin/gettoken", params=query).json()

    assert answer["errcode"] == errcode


def test_unknown_path_is_404_with_an_empty_body_even_without_token(box: SandboxServer) -> None:
    response = box.request("GET", "/qyapi/cgi-bin/externalcontact/no_such_thing")

    assert (response.status_code, response.content) == (404, b"")


def test_token_is_checked_before_parameters(box: SandboxServer) -> None:
    assert box.api("externalcontact/mark_tag", {}, token="")["errcode"] == 41001
    assert box.api("externalcontact/mark_tag", {}, token="nonsense")["errcode"] == 40014
    assert box.api("externalcontact/mark_tag", {})["errcode"] == 40063


def test_token_in_a_header_does_not_count(box: SandboxServer) -> None:
    headers = {"access_token": box.token()}
    answer = box.request("GET", "/qyapi/cgi-bin/department/list", headers=headers).json()

    assert answer["errcode"] == 41001


def test_errors_carry_the_endpoints_default_empty_fields(box: SandboxServer) -> None:
    answer = box.api("externalcontact/get_follow_user_list", token="nonsense")

    assert (answer["errcode"], answer["follow_user"]) == (40014, [])
    assert "hint: [" in answer["errmsg"]
    assert "e=40014" in answer["errmsg"]


def test_token_dies_after_two_hours(box: SandboxServer) -> None:
    token = box.token()

    box.post("/sandbox/clock", {"advance_s": 7199})
    assert box.api("department/list", token=token)["errcode"] == 0

    box.post("/sandbox/clock", {"advance_s": 2})
    assert box.api("department/list", token=token)["errcode"] == 42001
    assert box.token() != token


@pytest.mark.parametrize("errcode", [42001, 40014])
def test_tokens_can_be_killed_early(box: SandboxServer, errcode: int) -> None:
    token = box.token()

    assert box.post("/sandbox/tokens/expire", {"errcode": errcode}) == {"expired": 1}

    assert box.api("department/list", token=token)["errcode"] == errcode
    assert box.api("department/list")["errcode"] == 0


def test_contact_secret_may_not_send_app_messages(box: SandboxServer) -> None:
    token = box.token(box.settings.contact_secret)

    assert box.api("message/send", {}, token=token)["errcode"] == 48002


def test_broken_json_counts_as_missing_parameters(box: SandboxServer) -> None:
    answer = box.api("externalcontact/get_contact_way", b"{broken")

    assert answer["errcode"] == 41043
    assert answer["errmsg"].startswith("Warning: wrong json format. ")


def test_escaped_unicode_is_refused_and_raw_utf8_is_not(box: SandboxServer) -> None:
    escaped = b'{"group_name":"\\u610f\\u5411","tag":[{"name":"a"}]}'
    raw = {"group_name": "意向", "tag": [{"name": "a\\u4e00"}]}  # a backslash of its own is no escape

    assert box.api("externalcontact/add_corp_tag", escaped)["errcode"] == 40033
    assert box.api("externalcontact/add_corp_tag", raw)["errcode"] == 0


def test_rate_limit_answers_45009_until_the_window_ends() -> None:
    with SandboxServer(rate_per_hour=3) as box:
        box.post("/sandbox/clock", {"advance_s": 3600 - time.time() % 3600 + 1})  # just after the hour
        token = box.token()

        codes = [box.api("department/list", token=token)["errcode"] for _ in range(5)]
        other = box.api("department/simplelist", token=token)["errcode"]
        box.post("/sandbox/clock", {"advance_s": 3600})

        assert (codes, other) == ([0, 0, 0, 45009, 45009], 0)
        assert box.api("department/list", token=token)["errcode"] == 0


def test_too_many_parallel_calls_of_a_write_api_are_45033() -> None:
    with SandboxServer(concurrency=2, latency_ms=1500) as box:
        token = box.token()
        url = f"{box.api_base}/cgi-bin/externalcontact/del_contact_way?access_token={token}"

        def call(_: int) -> int:
            return int(requests.post(url, data=b"{}", timeout=5).json()["errcode"])

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(call, range(4))) == [41043, 41043, 45033, 45033]


# --- contact ways


def test_contact_way_comes_back_as_it_was_made(box: SandboxServer) -> None:
    answer = box.api("externalcontact/add_contact_way", {**WAY, "remark": "展会", "is_exclusive": True})

    way = box.api("externalcontact/get_contact_way", {"config_id": answer["config_id"]})["contact_way"]

    assert len(answer["config_id"]) == 32
    assert answer["qr_code"] == way["qr_code"] == f"{box.url}/sandbox/qr/{answer['config_id']}.png"
    assert {key: way[key] for key in (*WAY, "remark", "skip_verify", "is_exclusive", "party", "is_temp")} == {
        **WAY, "remark": "展会", "skip_verify": True, "is_exclusive": True, "party": [], "is_temp": False,
    }  # fmt: skip


def test_adding_a_contact_way_twice_makes_two(box: SandboxServer) -> None:
    ids = {add_way(box), add_way(box)}

    listed = box.api("externalcontact/list_contact_way", {})["contact_way"]

    assert {item["config_id"] for item in listed} == ids


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"type": None}, 41039),
        ({"type": 3}, 41039),
        ({"scene": 9}, 41040),
        ({"style": 4}, 41042),
        ({"state": "长" * 31}, 40058),
        ({"remark": "长" * 31}, 40058),
        ({"user": ["nobody"]}, 40003),
        ({"user": "zhangsan"}, 40058),
        ({"user": []}, 40058),
        ({"type": 1}, 40058),
        ({"party": [99]}, 60003),
        ({"is_temp": True}, 40058),
        ({"conclusions": {"text": {"content": "再见"}}}, 40058),
    ],
)
def test_bad_contact_way_is_refused(box: SandboxServer, change: dict[str, Any], errcode: int) -> None:
    answer = box.api("externalcontact/add_contact_way", {**WAY, **change})

    assert answer["errcode"] == errcode
    assert box.get("/sandbox/ways")["items"] == []


def test_contact_way_without_type_or_scene_is_named(box: SandboxServer) -> None:
    assert box.api("externalcontact/add_contact_way", {"scene": 2, "user": ["lisi"]})["errcode"] == 41037
    assert box.api("externalcontact/add_contact_way", {"type": 2, "user": ["lisi"]})["errcode"] == 41038


def test_thirty_characters_of_state_fit_in_any_script(box: SandboxServer) -> None:
    assert len(add_way(box, state="长" * 30)) == 32


def test_contact_way_takes_a_hundred_members_and_no_more(box: SandboxServer) -> None:
    box.post("/sandbox/load", {"staff": [{"userid": f"u{n}", "name": f"u{n}"} for n in range(101)]})
    users = [f"u{n}" for n in range(101)]

    assert box.api("externalcontact/add_contact_way", {**WAY, "user": users})["errcode"] == 41041
    assert box.api("externalcontact/add_contact_way", {**WAY, "user": users[:100]})["errcode"] == 0


@pytest.mark.parametrize(
    ("change", "errcode"), [({"status": 4}, 41054), ({"follow_user": False}, 84074), ({"status": 5}, 40003)]
)
def test_member_must_be_able_to_serve_customers(
    box: SandboxServer, change: dict[str, Any], errcode: int
) -> None:
    box.post("/sandbox/staff_change", {"op": "update", "userid": "lisi", **change})

    assert box.api("externalcontact/add_contact_way", {**WAY, "user": ["lisi"]})["errcode"] == errcode


def test_corps_cap_on_contact_ways_is_41045() -> None:
    with SandboxServer(way_cap=1) as box:
        add_way(box)
        assert box.api("externalcontact/add_contact_way", WAY)["errcode"] == 41045


def test_update_overwrites_users_and_keeps_what_is_not_named(box: SandboxServer) -> None:
    config_id = add_way(box, remark="旧")

    answer = box.api("externalcontact/update_contact_way", {"config_id": config_id, "user": ["wangwu"]})

    way = box.api("externalcontact/get_contact_way", {"config_id": config_id})["contact_way"]
    assert (answer["errcode"], way["user"], way["remark"], way["state"]) == (0, ["wangwu"], "旧", "ch_1")


def test_deleted_contact_way_is_41044(box: SandboxServer) -> None:
    config_id = add_way(box)

    assert box.api("externalcontact/del_contact_way", {"config_id": config_id})["errcode"] == 0

    for api in ("get_contact_way", "update_contact_way", "del_contact_way"):
        assert box.api(f"externalcontact/{api}", {"config_id": config_id})["errcode"] == 41044
        assert box.api(f"externalcontact/{api}", {})["errcode"] == 41043


def test_listing_ways_pages_by_an_opaque_cursor_that_expires(box: SandboxServer) -> None:
    ids = [add_way(box, state=f"s{n}") for n in range(3)]
    first = box.api("externalcontact/list_contact_way", {"limit": 2})
    rest = {"limit": 2, "cursor": first["next_cursor"]}

    second = box.api("externalcontact/list_contact_way", rest)

    assert [item["config_id"] for item in first["contact_way"] + second["contact_way"]] == ids
    assert second["next_cursor"] == ""
    assert ids[1] not in first["next_cursor"]
    assert box.api("externalcontact/list_contact_way", {"cursor": "MTIz"})["errcode"] == 40058
    assert box.api("externalcontact/batch/get_by_user", {"userid_list": ["lisi"], **rest})["errcode"] == 40058
    box.post("/sandbox/clock", {"advance_s": 3601})
    assert box.api("externalcontact/list_contact_way", rest)["errcode"] == 40058
