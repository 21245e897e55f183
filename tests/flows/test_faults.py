"""Each kind of fault on each API of a scan: the end that the state machine promises, and at most one effect.

Time is the test's: what is due later happens at once, here and at the platform. A spent quota is in test_quota.py.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from bot.workers.limits import Circuit
from scrm.outbox.models import CallState
from tests.flows.faults import (
    BROKEN,
    CUT,
    FAULTS,
    GET,
    NOTICE,
    TAG,
    UNKNOWN,
    WAY,
    WELCOME,
    Fault,
    check_history,
    check_others,
    suffer,
)
from tests.flows.scene import Scene

ids = [fault.name for fault in FAULTS]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Scene(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.fixture(scope="module")
def channel(scene: Scene) -> dict[str, Any]:
    return scene.channel("故障渠道", tags=["来源/展会"])


@pytest.fixture(autouse=True)
def _quiet(scene: Scene) -> Iterator[None]:
    yield
    scene.box.delete("/sandbox/faults")


@pytest.mark.parametrize("fault", FAULTS, ids=ids)
def test_a_fault_on_the_welcome(scene: Scene, channel: dict[str, Any], fault: Fault) -> None:
    contact, call = suffer(scene, channel, WELCOME, fault)

    greetings = scene.ledger_of(WELCOME, contact["customer_id"])
    kinds = [entry["kind"] for entry in scene.timeline(contact) if entry["kind"].startswith("welcome.")]
    check_others(scene, contact, but=WELCOME)
    assert (call["state"], len(greetings), kinds) == ("sent", 1, ["welcome.sent"])
    assert call["done_at"] < call["expires_at"]
    assert call["uncertain"] is (fault in UNKNOWN)
    assert (call["reason"] or "").startswith("presumed_sent") is (fault is CUT)
    check_history(call, fault)


@pytest.mark.parametrize("fault", FAULTS, ids=ids)
def test_a_fault_on_tagging(scene: Scene, channel: dict[str, Any], fault: Fault) -> None:
    contact, call = suffer(scene, channel, TAG, fault)

    assert (call["state"], call["recovery"]) == ("sent", "repeat")
    assert len(scene.ledger_of(TAG, contact["customer_id"])) == 1
    assert [tag["name"] for tag in scene.customer(contact["customer_id"])["tags"]] == ["展会"]
    assert [tag["name"] for tag in contact["tags"]] == ["展会"]
    assert call["uncertain"] is (fault in UNKNOWN)
    check_history(call, fault)
    check_others(scene, contact, but=TAG)


@pytest.mark.parametrize("fault", FAULTS, ids=ids)
def test_a_fault_on_telling_the_rep(scene: Scene, channel: dict[str, Any], fault: Fault) -> None:
    contact, call = suffer(scene, channel, NOTICE, fault)

    assert (call["state"], call["recovery"]) == ("sent", "window")
    assert len(scene.ledger_of(NOTICE, contact["customer_id"])) == 1
    told = [
        item for item in scene.box.get("/sandbox/staff/zhangsan")["messages"] if contact["id"] in item["url"]
    ]
    assert len(told) == 1
    assert call["uncertain"] is (fault in UNKNOWN)
    check_history(call, fault)
    check_others(scene, contact, but=NOTICE)


@pytest.mark.parametrize("fault", FAULTS, ids=ids)
def test_a_fault_on_reading_the_profile(scene: Scene, channel: dict[str, Any], fault: Fault) -> None:
    contact, call = suffer(scene, channel, GET, fault)

    assert (call["state"], call["uncertain"]) == ("sent", False)  # a reading has no effect to be unsure of
    assert contact["name"] == f"{fault.name}@{GET}"
    check_history(call, fault)
    check_others(scene, contact, but=GET)


@pytest.mark.parametrize("fault", FAULTS, ids=ids)
def test_a_fault_on_making_a_channel_code(scene: Scene, fault: Fault) -> None:
    ways = len(scene.box.get("/sandbox/ways")["items"])
    scene.fault(WAY, **fault.how)
    made: list[dict[str, Any]] = []
    body = {"name": f"渠道 {fault.name}", "staff": ["zhangsan"], "welcome": {"text": "您好"}}
    asking = threading.Thread(target=lambda: made.append(scene.api("POST", "/channels", body).json()))
    asking.start()
    scene.until(
        "the code is owed",
        lambda: (
            any(call["state"] != "sent" for call in scene.all(f"/calls?api={WAY}")) or not asking.is_alive()
        ),
    )
    scene.settle(until=lambda: not asking.is_alive())
    asking.join()

    assert made[0]["code_state"] == "ready", made
    listed = scene.box.get("/sandbox/ways")["items"]
    assert len(listed) == ways + 1
    assert listed[-1]["config_id"] == made[0]["config_id"]
    call = scene.api("GET", f"/calls/{scene.all(f'/calls?api={WAY}')[0]['id']}").json()
    assert (call["state"], call["recovery"], call["uncertain"]) == ("sent", "lookup", fault in UNKNOWN)
    check_history(call, fault)
    scan = scene.scan(f"扫 {fault.name}", made[0])
    scene.settle()
    assert len(scene.ledger_of(WELCOME, scan["customer_id"])) == 1


def test_all_tokens_dying_at_once_costs_one_new_token_per_secret_and_no_attempt(
    scene: Scene, channel: dict[str, Any]
) -> None:
    scene.scan("令牌失效之前", channel)
    scene.settle()
    before = len(scene.box.get("/sandbox/calls?api=gettoken")["items"])
    scene.box.post("/sandbox/tokens/expire", {})
    scans = [scene.scan(f"令牌失效 {number}", channel) for number in range(8)]
    scene.settle()

    for scan in scans:
        contact = {**scene.contact(scan["customer_id"]), "customer_id": scan["customer_id"]}
        check_others(scene, contact, but="")
        assert all(
            call["attempts"] == 1 for api in (WELCOME, TAG, NOTICE) for call in scene.calls(contact, api)
        )
    assert len(scene.box.get("/sandbox/calls?api=gettoken")["items"]) == before + 2


@pytest.mark.parametrize(
    ("fault", "state", "errcode", "greetings"), [(CUT, "sent", 41051, 1), (BROKEN, "expired", 41050, 0)]
)
def test_a_welcome_that_may_have_gone_out_is_settled_by_asking_about_its_dead_code(
    scene: Scene, channel: dict[str, Any], fault: Fault, state: str, errcode: int, greetings: int
) -> None:
    """As after an outage: the first attempt's end is unknown, and the deadline has passed when we can look again."""
    scene.fault(WELCOME, **fault.how)
    scene.scan(f"结果未知 {fault.name}", channel)
    call = scene.until(
        "an unknown outcome",
        lambda: [call for call in scene.all(f"/calls?api={WELCOME}") if call["state"] == "unknown"],
    )[0]
    scene.move(30)
    scene.settle()

    found = scene.api("GET", f"/calls/{call['id']}").json()
    assert (found["state"], found["errcode"]) == (state, errcode)
    assert (found["reason"] or "").startswith("presumed_sent") is (state == "sent")
    phone = scene.customer(f"结果未知 {fault.name}")
    assert len(phone["messages"]) == greetings
    kinds = [entry["kind"] for entry in scene.timeline(scene.contact(phone["id"]))]
    assert [kind for kind in kinds if kind.startswith("welcome.")] == [f"welcome.{state}"]


def test_a_platform_that_is_away_opens_the_circuit_and_nothing_is_lost(
    scene: Scene, channel: dict[str, Any]
) -> None:
    scene.box.post("/sandbox/faults", {"api": TAG, "mode": "http", "status": 502, "times": 7})
    scans = [scene.scan(f"平台故障 {number}", channel) for number in range(6)]
    scene.settle()

    for scan in scans:
        assert len(scene.ledger_of(TAG, scan["customer_id"])) == 1
        (call,) = scene.calls(scene.contact(scan["customer_id"]), TAG)
        assert call["state"] == CallState.SENT
    (state,) = [state for state in scene.product.gate.snapshot() if state.api == TAG]
    assert state.circuit is Circuit.CLOSED
