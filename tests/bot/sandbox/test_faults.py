"""Faults break exactly what they say, and the ledger tells whether the effect happened."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from tests.sandbox_fixture import SandboxServer

API = "externalcontact/add_corp_tag"
BODY = {"group_name": "意向", "tag": [{"name": "高"}]}


def arm(box: SandboxServer, **fault: Any) -> None:
    box.post("/sandbox/faults", {"api": API, "times": 1, **fault})


def effects(box: SandboxServer) -> int:
    return len(box.get("/sandbox/ledger?after=0")["items"])


def groups(box: SandboxServer) -> list[str]:
    return [group["name"] for group in box.get("/sandbox/tags")["items"]]


def test_errcode_answers_without_effect_then_clears(box: SandboxServer) -> None:
    arm(box, mode="errcode", errcode=45009)

    assert [box.api(API, BODY)["errcode"] for _ in range(2)] == [45009, 0]
    assert effects(box) == 1


def test_http_answers_the_status_without_effect(box: SandboxServer) -> None:
    arm(box, mode="http", status=502)
    token = box.token()

    response = box.request("POST", f"/qyapi/cgi-bin/{API}?access_token={token}", BODY)

    assert (response.status_code, effects(box), groups(box)) == (502, 0, ["来源"])


def test_timeout_waits_and_drops_without_effect(box: SandboxServer) -> None:
    token = box.token()
    arm(box, mode="timeout", delay_ms=150)
    began = time.monotonic()

    with pytest.raises(requests.ConnectionError):
        box.api(API, BODY, token=token)

    assert time.monotonic() - began >= 0.15
    assert (effects(box), groups(box)) == (0, ["来源"])
    assert box.get("/sandbox/calls")["items"][-1]["note"] == "fault:timeout"


def test_cut_applies_the_effect_and_drops_the_connection(box: SandboxServer) -> None:
    token = box.token()
    arm(box, mode="cut")

    with pytest.raises(requests.ConnectionError):
        box.api(API, BODY, token=token)

    assert (effects(box), groups(box)) == (1, ["来源", "意向"])
    assert box.get("/sandbox/calls")["items"][-1]["note"] == "fault:cut"


def test_star_hits_any_api_as_often_as_told(box: SandboxServer) -> None:
    token = box.token()
    box.post("/sandbox/faults", {"api": "*", "mode": "errcode", "errcode": -1, "times": 2})

    codes = [
        box.api(api, token=token)["errcode"] for api in ("department/list", "user/get", "department/list")
    ]

    assert codes == [-1, -1, 0]


def test_cleared_faults_do_not_strike(box: SandboxServer) -> None:
    arm(box, mode="errcode", times=5)

    assert box.delete("/sandbox/faults") == {"cleared": 1}
    assert box.api(API, BODY)["errcode"] == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"mode": "explode"},
        {"mode": "cut", "times": 0},
        {"mode": "http", "status": 42},
        {"mode": "cut", "api": ""},
    ],
)
def test_bad_fault_is_refused_in_words(box: SandboxServer, fault: dict[str, Any]) -> None:
    response = box.request("POST", "/sandbox/faults", {"api": API, **fault})

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "bad_field"
