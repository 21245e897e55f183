"""The platform's rules on scanning, callbacks and welcomes, one by one, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox_fixture import CallbackReceiver, SandboxServer

WAY = {"type": 2, "scene": 2, "user": ["zhangsan", "lisi"], "state": "ch_1"}
HELLO = {"text": {"content": "您好，我是张三"}}


def add_way(box: SandboxServer, **changes: Any) -> str:
    answer = box.api("externalcontact/add_contact_way", {**WAY, **changes})
    assert answer["errcode"] == 0, answer
    return str(answer["config_id"])


def scan(box: SandboxServer, customer: str = "小王", code: str = "ch_1", **options: Any) -> dict[str, Any]:
    answer: dict[str, Any] = box.post("/sandbox/scan", {"customer": customer, "code": code, **options})
    return answer


def ledger(box: SandboxServer) -> list[tuple[str, int]]:
    return [(item["api"], item["result"]["errcode"]) for item in box.get("/sandbox/ledger?after=0")["items"]]


# --- scanning and callbacks


def test_scan_delivers_the_add_event_word_for_word(box: SandboxServer, receiver: CallbackReceiver) -> None:
    config_id = add_way(box)

    answer = scan(box, code=config_id)

    (event,) = receiver.events
    created, code = event.pop("CreateTime"), event.pop("WelcomeCode")
    assert event == {
        "ToUserName": "ww1a2b3c4d5e6f7a8b",
        "FromUserName": "sys",
        "MsgType": "event",
        "Event": "change_external_contact",
        "ChangeType": "add_external_contact",
        "UserID": answer["staff"],
        "ExternalUserID": answer["customer_id"],
        "State": "ch_1",
    }
    assert created.isdigit()
    assert code
    assert answer["callback_status"] == 200
    assert answer["customer_id"].startswith("wm")
    assert len(answer["customer_id"]) == 32


def test_callback_is_signed_encrypted_and_addressed(box: SandboxServer, receiver: CallbackReceiver) -> None:
    add_way(box)
    scan(box)

    (received,) = receiver.received

    assert set(received.query) == {"msg_signature", "timestamp", "nonce"}
    assert received.body.startswith(b"<xml><ToUserName><![CDATA[ww1a2b3c4d5e6f7a8b]]></ToUserName>")
    assert b"<AgentID><![CDATA[1000002]]></AgentID><Encrypt><![CDATA[" in received.body
    assert "<UserID><![CDATA[" in received.xml


def test_code_may_be_config_id_state_or_qr_url(box: SandboxServer) -> None:
    config_id = add_way(box)
    (way,) = box.get("/sandbox/ways")["items"]

    for number, code in enumerate((config_id, "ch_1", way["qr_url"], f"{box.url}/?code={config_id}")):
        assert scan(box, customer=f"客户{number}", code=code)["callback_status"] == 200


def test_members_take_turns_and_follow_the_ways_current_users(box: SandboxServer) -> None:
    config_id = add_way(box)
    assert sorted(scan(box, f"甲{n}")["staff"] for n in range(4)) == ["lisi", "lisi", "zhangsan", "zhangsan"]

    box.api("externalcontact/update_contact_way", {"config_id": config_id, "user": ["wangwu"]})
    assert {scan(box, f"乙{n}")["staff"] for n in range(3)} == {"wangwu"}


def test_friends_who_scan_again_cause_no_event(box: SandboxServer, receiver: CallbackReceiver) -> None:
    add_way(box)
    first = scan(box)

    again = scan(box)

    assert again == {**first, "callback_status": None, "already": True}
    assert len(receiver.events) == 1


def test_adding_again_after_leaving_is_a_new_event_with_a_new_code(
    box: SandboxServer, receiver: CallbackReceiver
) -> None:
    add_way(box)
    first = scan(box)
    box.post("/sandbox/leave", {"customer": first["customer_id"], "staff": first["staff"]})

    second = scan(box)

    kinds = [event["ChangeType"] for event in receiver.events]
    assert second == first
    assert kinds == ["add_external_contact", "del_follow_user", "add_external_contact"]
    assert receiver.events[0]["WelcomeCode"] != receiver.events[2]["WelcomeCode"]


def test_code_with_verification_waits_for_the_rep(box: SandboxServer, receiver: CallbackReceiver) -> None:
    add_way(box, skip_verify=False)

    asked = scan(box)
    assert (asked["callback_status"], asked["pending"], receiver.events) == (None, True, [])

    box.post("/sandbox/accept", {"customer": "小王", "staff": asked["staff"]})
    assert [event["State"] for event in receiver.events] == ["ch_1"]


def test_refused_callback_comes_three_times_with_fresh_envelopes(
    box: SandboxServer, receiver: CallbackReceiver
) -> None:
    add_way(box)
    receiver.answers[:] = [500, 302, 204]

    answer = scan(box)

    (delivery,) = box.get("/sandbox/callbacks?after=0")["items"]
    assert answer["callback_status"] == 0
    assert len({item.xml for item in receiver.received}) == 1
    assert len({item.query["nonce"] for item in receiver.received}) == 3
    assert len({item.body for item in receiver.received}) == 3
    assert (delivery["state"], delivery["attempts"], delivery["status"]) == ("failed", 3, 0)


def test_slow_callback_times_out_and_comes_again(box: SandboxServer, receiver: CallbackReceiver) -> None:
    add_way(box)
    receiver.delay_s = 0.6
    box.post("/sandbox/scan", {"customer": "慢", "code": "ch_1", "mode": "async"})
    receiver.wait_for(1)
    receiver.delay_s = 0

    assert len(receiver.wait_for(2)) == 2


def test_resend_repeats_the_plaintext_in_new_envelopes(
    box: SandboxServer, receiver: CallbackReceiver
) -> None:
    add_way(box)
    scan(box)

    assert box.post("/sandbox/resend", {"times": 3})["statuses"] == [200, 200, 200]

    assert len(receiver.received) == 4
    assert len({item.xml for item in receiver.received}) == 1
    assert len({item.body for item in receiver.received}) == 4


def test_lost_callback_is_never_sent_but_the_friendship_stands(
    box: SandboxServer, receiver: CallbackReceiver
) -> None:
    add_way(box)

    answer = scan(box, lost=True)

    assert (answer["callback_status"], receiver.events) == (0, [])
    assert box.api("externalcontact/list", userid=answer["staff"])["external_userid"] == [
        answer["customer_id"]
    ]


def test_saving_the_callback_page_verifies_by_echo(box: SandboxServer, receiver: CallbackReceiver) -> None:
    assert box.post("/sandbox/verify", {"callback_url": receiver.url})["ok"] is True
    assert box.post("/sandbox/verify", {"callback_url": f"{receiver.url}/nowhere"})["ok"] is False


# --- welcomes


def welcome(box: SandboxServer, code: str, **body: Any) -> int:
    answer = box.api("externalcontact/send_welcome_msg", {"welcome_code": code, **(body or HELLO)})
    return int(answer["errcode"])


@pytest.fixture
def code(box: SandboxServer, receiver: CallbackReceiver) -> str:
    """The welcome code of a customer who has just scanned."""
    add_way(box)
    scan(box)
    return receiver.events[0]["WelcomeCode"]


def messages(box: SandboxServer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = box.get("/sandbox/customers/小王")["messages"]
    return found


def test_welcome_code_works_once(box: SandboxServer, code: str) -> None:
    assert [welcome(box, code), welcome(box, code)] == [0, 41051]

    (message,) = messages(box)
    assert (message["kind"], message["text"], message["attachments"]) == ("welcome", "您好，我是张三", [])
    assert ledger(box).count(("externalcontact/send_welcome_msg", 0)) == 1


def test_welcome_code_dies_after_twenty_seconds(box: SandboxServer, code: str) -> None:
    box.post("/sandbox/clock", {"advance_s": 21})

    assert (welcome(box, code), messages(box)) == (41050, [])


def test_unknown_and_missing_welcome_codes_are_told_apart(box: SandboxServer) -> None:
    assert welcome(box, "nonsense") == 41050
    assert box.api("externalcontact/send_welcome_msg", HELLO)["errcode"] == 41049


def test_chat_that_has_begun_spends_the_code(box: SandboxServer, code: str) -> None:
    staff = box.get("/sandbox/customers/小王")["staff"][0]
    box.post("/sandbox/chat", {"staff": staff, "customer": "小王", "from": "customer", "text": "在吗"})

    assert (welcome(box, code), messages(box)) == (41051, [])


def test_rival_app_takes_the_code_first(box: SandboxServer, receiver: CallbackReceiver) -> None:
    add_way(box)
    scan(box, rival=True)

    assert welcome(box, receiver.events[0]["WelcomeCode"]) == 41051


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"text": {"content": ""}}, 40058),
        ({"text": {"content": "长" * 1334}}, 40058),
        ({"attachments": [{"msgtype": "link", "link": {"title": "a", "url": "https://a"}}] * 10}, 41064),
        ({"attachments": [{"msgtype": "poster", "poster": {}}]}, 41065),
        ({"attachments": [{"msgtype": "image", "image": {"media_id": "gone"}}]}, 40007),
        ({"attachments": [{"msgtype": "link", "link": {"title": "a"}}]}, 40058),
    ],
)
def test_refused_content_does_not_spend_the_code(
    box: SandboxServer, code: str, body: dict[str, Any], errcode: int
) -> None:
    assert welcome(box, code, **body) == errcode
    assert messages(box) == []
    assert welcome(box, code) == 0


def test_no_code_comes_when_the_rep_typed_first_or_the_console_welcomes(
    box: SandboxServer, receiver: CallbackReceiver
) -> None:
    add_way(box)
    box.post(
        "/sandbox/staff_change", {"op": "update", "userid": "lisi", "console_welcome": True, "lost": True}
    )

    scan(box, "甲", staff="zhangsan", no_code=True)
    scan(box, "乙", staff="lisi")

    assert ["WelcomeCode" in event for event in receiver.events] == [False, False]


def test_half_add_then_add_share_one_welcome(box: SandboxServer, receiver: CallbackReceiver) -> None:
    add_way(box)
    box.post("/sandbox/half", {"customer": "小王", "code": "ch_1"})
    assert welcome(box, receiver.events[0]["WelcomeCode"]) == 0

    scan(box)

    half, full = receiver.events
    assert [half["ChangeType"], full["ChangeType"]] == ["add_half_external_contact", "add_external_contact"]
    assert "WelcomeCode" not in full


def test_half_option_sends_both_events_and_either_code_welcomes_once(
    box: SandboxServer, receiver: CallbackReceiver
) -> None:
    add_way(box)
    scan(box, half=True)

    half, full = (event["WelcomeCode"] for event in receiver.events)

    assert [welcome(box, half), welcome(box, full)] == [0, 41051]
