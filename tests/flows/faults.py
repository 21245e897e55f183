"""The kinds of fault, making one call suffer one, and what must be true of it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.flows.scene import Scene

WELCOME, TAG, NOTICE = "externalcontact/send_welcome_msg", "externalcontact/mark_tag", "message/send"
GET, WAY = "externalcontact/get", "externalcontact/add_contact_way"


@dataclass(frozen=True)
class Fault:
    """What the sandbox does to the next call."""

    name: str
    how: dict[str, Any]


BUSY = Fault("busy_minus_1", {"mode": "errcode", "errcode": -1})
QUOTA = Fault("quota_45009", {"mode": "errcode", "errcode": 45009})
CROWDED = Fault("concurrency_45033", {"mode": "errcode", "errcode": 45033})
SECRET = Fault("token_40001", {"mode": "errcode", "errcode": 40001})
EXPIRED = Fault("token_42001", {"mode": "errcode", "errcode": 42001})
BROKEN = Fault("http_502", {"mode": "http", "status": 502})
SILENT = Fault("read_timeout", {"mode": "timeout", "delay_ms": 800})  # we wait 400 ms
DROPPED = Fault("dropped", {"mode": "timeout", "delay_ms": 20})
CUT = Fault("cut", {"mode": "cut", "delay_ms": 20})
FAULTS = (BUSY, CROWDED, SECRET, EXPIRED, BROKEN, SILENT, DROPPED, CUT)
UNKNOWN = (BUSY, BROKEN, SILENT, DROPPED, CUT)  # nobody can tell whether it took effect
TOKEN = (SECRET, EXPIRED)


def suffer(
    scene: Scene, channel: dict[str, Any], api: str, fault: Fault
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scan while the next call of ``api`` suffers the fault; answers the contact and that call at its end."""
    scene.fault(api, **fault.how)
    scan = scene.scan(f"{fault.name}@{api}", channel)
    scene.settle()
    contact = scene.contact(scan["customer_id"])
    (call,) = scene.calls(contact, api)
    assert scene.box.get("/sandbox/faults")["items"] == []  # it did happen
    return {**contact, "customer_id": scan["customer_id"]}, call


def check_history(call: dict[str, Any], fault: Fault) -> None:
    """One attempt for what the client mends by itself, else one for the fault and one more."""
    history = call["history"]
    assert [attempt["n"] for attempt in history] == list(range(1, len(history) + 1))
    assert all(attempt["finished_at"] is not None for attempt in history)
    assert call["attempts"] == len(history) == (1 if fault in TOKEN else 2)
    if fault in (BUSY, CROWDED):
        assert history[0]["errcode"] == fault.how["errcode"]
    if fault is BROKEN:
        assert history[0]["http_status"] == 502
    if fault in UNKNOWN:
        assert history[0]["bytes_sent"] is True


def check_others(scene: Scene, contact: dict[str, Any], *, but: str) -> None:
    """The other effects of the scan are done, once."""
    for api in {WELCOME, TAG, NOTICE} - {but}:
        assert len(scene.ledger_of(api, contact["customer_id"])) == 1, api
    assert contact["owner"]["name"] == "张三"
    assert contact["name"] != ""
