"""45009 on each API of a scan: that API rests a minute, the refusal counts no attempt, and what can wait waits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.flows.faults import GET, NOTICE, QUOTA, TAG, WAY, WELCOME, check_others, suffer
from tests.flows.scene import Scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Scene(tmp_path_factory.mktemp("quota")) as made:
        yield made


@pytest.fixture(scope="module")
def channel(scene: Scene) -> dict[str, Any]:
    return scene.channel("限流渠道", tags=["来源/展会"])


def seconds(call: dict[str, Any]) -> float:
    """From owed to done."""
    began, ended = (datetime.fromisoformat(call[name]) for name in ("created_at", "done_at"))
    return (ended - began).total_seconds()


@pytest.mark.parametrize("api", [TAG, NOTICE, GET])
def test_what_can_wait_is_done_a_minute_later_in_its_first_attempt(
    scene: Scene, channel: dict[str, Any], api: str
) -> None:
    contact, call = suffer(scene, channel, api, QUOTA)

    assert (call["state"], call["attempts"], call["uncertain"]) == ("sent", 1, False)
    assert 60 <= seconds(call) < 75
    check_others(scene, contact, but="")


def test_a_channel_code_waits_too(scene: Scene) -> None:
    ways = len(scene.box.get("/sandbox/ways")["items"])
    scene.fault(WAY, **QUOTA.how)
    body = {"name": "稍后", "staff": ["zhangsan"], "welcome": {"text": "您好"}}
    made = scene.api("POST", "/channels", body).json()
    assert made["code_state"] == "pending"  # we did wait five seconds for it
    scene.settle()

    assert scene.api("GET", f"/channels/{made['id']}").json()["code_state"] == "ready"
    assert len(scene.box.get("/sandbox/ways")["items"]) == ways + 1


def test_a_welcome_cannot_wait_and_is_reported_at_its_deadline(scene: Scene, channel: dict[str, Any]) -> None:
    contact, call = suffer(scene, channel, WELCOME, QUOTA)

    assert (call["state"], call["attempts"]) == ("expired", 1)
    assert 16 <= seconds(call) < 25  # not a minute later
    assert scene.ledger_of(WELCOME, contact["customer_id"]) == []
    kinds = [entry["kind"] for entry in scene.timeline(contact)]
    assert [kind for kind in kinds if kind.startswith("welcome.")] == ["welcome.expired"]
    check_others(scene, contact, but=WELCOME)
