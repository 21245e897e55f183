"""A scan and what follows, over real HTTP: greeting, tags, owner, notice, loss, return; and everything only once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.flows.scene import LINK, Scene

WELCOME, TAG, NOTICE = "externalcontact/send_welcome_msg", "externalcontact/mark_tag", "message/send"
GET = "externalcontact/get"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Scene(tmp_path_factory.mktemp("scan")) as made:
        yield made


@pytest.fixture(scope="module")
def channel(scene: Scene) -> dict[str, Any]:
    welcome = {"text": "{customer}您好，我是{rep}", "attachments": [LINK]}
    return scene.channel("秋季展会", welcome=welcome, tags=["来源/展会"], remark_template="{customer}-展会")


@pytest.fixture(scope="module")
def other(scene: Scene) -> dict[str, Any]:
    return scene.channel("官网表单", staff=["lisi"], welcome={"text": "欢迎来自官网的您"}, tags=["来源/官网"])


def kinds(scene: Scene, customer_id: str) -> list[str]:
    return [entry["kind"] for entry in scene.timeline(scene.contact(customer_id))]


def test_a_scan_becomes_a_greeted_tagged_owned_contact_and_the_rep_is_told(
    scene: Scene, channel: dict[str, Any]
) -> None:
    before = len(scene.box.get("/sandbox/staff/zhangsan")["messages"])
    scan = scene.scan("王芳", channel)
    scene.settle()

    assert scan["callback_status"] == 200
    phone = scene.customer(scan["customer_id"])
    (message,) = phone["messages"]
    assert message["text"] == "王芳您好，我是张三"
    assert [item["msgtype"] for item in message["attachments"]] == ["link"]
    assert [tag["name"] for tag in phone["tags"]] == ["展会"]
    assert phone["relations"][0]["remark"] == "王芳-展会"

    contact = scene.contact(scan["customer_id"])
    assert contact["name"] == "王芳"
    assert contact["owner"]["name"] == "张三"
    assert contact["channel"] == {"id": channel["id"], "name": "秋季展会"}
    assert [(tag["name"], tag["group"]) for tag in contact["tags"]] == [("展会", "来源")]
    (relation,) = contact["relations"]
    assert (relation["state"], relation["lost_at"]) == ("active", None)

    (why,) = scene.all(f"/contacts/{contact['id']}/assignments")
    assert (why["reason"], why["staff"]["name"]) == ("scanned_code", "张三")
    told = ["contact.added", "scan.recorded", "owner.assigned", "tag.added"]
    told += ["welcome.sent", "tag.sent", "remark.sent", "notice.sent"]
    assert sorted(kinds(scene, scan["customer_id"])) == sorted(told)

    notices = scene.box.get("/sandbox/staff/zhangsan")["messages"][before:]
    (notice,) = notices
    assert notice["title"] == "新客户：王芳"
    assert "来源：秋季展会" in notice["text"]
    assert urlsplit(notice["url"]).path == f"/sidebar/contacts/{contact['id']}"


def test_each_effect_of_a_scan_is_one_call_and_the_profile_is_read_once(
    scene: Scene, channel: dict[str, Any]
) -> None:
    calls_before = len(scene.box.get("/sandbox/calls")["items"])
    scan = scene.scan("李娜", channel)
    scene.settle()

    made = [call["api"] for call in scene.box.get("/sandbox/calls")["items"][calls_before:]]
    assert sorted(made) == sorted([WELCOME, TAG, NOTICE, GET, "externalcontact/remark"])
    contact = scene.contact(scan["customer_id"])
    (fetch,) = scene.calls(contact, GET)
    assert (fetch["state"], fetch["reason"]) == ("skipped", "欢迎语发送时已读取客户资料")


def test_a_customer_who_deletes_the_rep_is_lost(scene: Scene, channel: dict[str, Any]) -> None:
    scan = scene.scan("离开的客户", channel)
    scene.settle()
    scene.move(2)  # the platform's events carry whole seconds, ours microseconds
    scene.box.post("/sandbox/leave", {"customer": scan["customer_id"], "staff": "zhangsan"})
    scene.settle()

    contact = scene.contact(scan["customer_id"])
    (relation,) = contact["relations"]
    assert relation["state"] == "lost"
    assert relation["lost_at"] == contact["lost_at"] is not None
    assert kinds(scene, scan["customer_id"])[-1] == "contact.lost"


def test_a_customer_whom_the_rep_deletes_is_removed(scene: Scene, channel: dict[str, Any]) -> None:
    scan = scene.scan("被删除的客户", channel)
    scene.settle()
    scene.move(2)
    scene.box.post("/sandbox/remove", {"customer": scan["customer_id"], "staff": "zhangsan"})
    scene.settle()

    contact = scene.contact(scan["customer_id"])
    (relation,) = contact["relations"]
    assert relation["state"] == "removed"
    assert contact["lost_at"] is not None
    entry = scene.timeline(contact)[-1]
    assert (entry["kind"], entry["actor"]) == ("contact.removed", "staff:zhangsan")


def test_one_who_returns_through_another_channel_is_regained_and_keeps_the_first_source(
    scene: Scene, channel: dict[str, Any], other: dict[str, Any]
) -> None:
    scan = scene.scan("回头客", channel)
    scene.settle()
    scene.box.post("/sandbox/leave", {"customer": scan["customer_id"], "staff": "zhangsan"})
    scene.settle()
    scene.move(61)  # nobody is greeted twice within a minute
    back = scene.scan(scan["customer_id"], channel)
    scene.settle()
    scene.move(2)
    scene.scan(scan["customer_id"], other)
    scene.settle()

    assert back["customer_id"] == scan["customer_id"]
    contact = scene.contact(scan["customer_id"])
    assert contact["channel"]["id"] == channel["id"]
    assert contact["lost_at"] is None
    assert contact["owner"]["name"] == "张三"
    states = {relation["staff"]["name"]: relation["state"] for relation in contact["relations"]}
    assert states == {"张三": "active", "李四": "active"}
    history = kinds(scene, scan["customer_id"])
    assert (history.count("contact.added"), history.count("contact.regained")) == (2, 1)
    assert history.count("scan.recorded") == 3
    texts = [message["text"] for message in scene.customer(scan["customer_id"])["messages"]]
    assert texts == ["回头客您好，我是张三", "回头客您好，我是张三", "欢迎来自官网的您"]


def test_the_same_callback_again_changes_nothing(scene: Scene, channel: dict[str, Any]) -> None:
    scan = scene.scan("重复回调", channel)
    scene.settle()
    events, calls = scene.all("/events"), scene.all("/calls")
    ledger, entries = scene.ledger(), scene.timeline(scene.contact(scan["customer_id"]))

    again = scene.box.post("/sandbox/resend", {"times": 3})
    scene.settle()

    assert again["statuses"] == [200, 200, 200]
    assert scene.all("/events") == events
    assert scene.all("/calls") == calls
    assert scene.ledger() == ledger
    assert scene.timeline(scene.contact(scan["customer_id"])) == entries


def test_replaying_a_scan_repeats_no_effect(scene: Scene, channel: dict[str, Any]) -> None:
    scan = scene.scan("重放事件", channel)
    scene.settle()
    ledger, calls = scene.ledger(), scene.all("/calls")
    contact = scene.contact(scan["customer_id"])
    (welcome,) = scene.calls(contact, WELCOME)

    answer = scene.api("POST", f"/events/{welcome['caused_by']}/replay", {})
    scene.settle()

    assert answer.status_code == 200
    assert scene.ledger() == ledger
    assert scene.all("/calls") == calls
    assert scene.contact(scan["customer_id"]) == contact


def test_a_half_add_greets_and_the_add_does_the_rest_without_a_second_greeting(
    scene: Scene, channel: dict[str, Any]
) -> None:
    half = scene.box.post("/sandbox/half", {"customer": "未确认客户", "code": channel["state"]})
    scene.settle()
    first = scene.contact(half["customer_id"])
    assert [relation["state"] for relation in first["relations"]] == ["half"]
    assert (first["owner"], first["tags"]) == (None, [])
    assert len(scene.customer(half["customer_id"])["messages"]) == 1

    scene.move(3)
    scene.scan(half["customer_id"], channel)
    scene.settle()

    contact = scene.contact(half["customer_id"])
    assert [relation["state"] for relation in contact["relations"]] == ["active"]
    assert contact["owner"]["name"] == "张三"
    assert [tag["name"] for tag in contact["tags"]] == ["展会"]
    assert len(scene.customer(half["customer_id"])["messages"]) == 1
    assert len(scene.ledger_of(TAG, half["customer_id"])) == 1
    assert len(scene.ledger_of(NOTICE, half["customer_id"])) == 1
    history = kinds(scene, half["customer_id"])
    assert history.count("scan.recorded") == 1
    assert "welcome.not_owed" not in history


def test_a_scan_without_a_welcome_code_says_why_nobody_was_greeted(
    scene: Scene, channel: dict[str, Any]
) -> None:
    scan = scene.scan("没有凭证", channel, no_code=True)
    scene.settle()

    contact = scene.contact(scan["customer_id"])
    (entry,) = [entry for entry in scene.timeline(contact) if entry["kind"].startswith("welcome")]
    assert (entry["kind"], entry["detail"]["reason"]) == ("welcome.not_owed", "no_code")
    assert entry["title"] == "没有发送欢迎语：企业微信没有给出欢迎语凭证"
    assert scene.calls(contact, WELCOME) == []
    assert scene.customer(scan["customer_id"])["messages"] == []
    assert len(scene.ledger_of(NOTICE, scan["customer_id"])) == 1


def test_a_code_that_another_app_used_is_reported_and_not_tried_again(
    scene: Scene, channel: dict[str, Any]
) -> None:
    scan = scene.scan("被抢先的客户", channel, rival=True)
    scene.settle()

    contact = scene.contact(scan["customer_id"])
    (call,) = scene.calls(contact, WELCOME)
    assert (call["state"], call["errcode"], call["attempts"]) == ("failed", 41051, 1)
    assert kinds(scene, scan["customer_id"]).count("welcome.failed") == 1
    assert scene.customer(scan["customer_id"])["messages"] == []


def crafted(scene: Scene, customer: str, channel: dict[str, Any], *, age: float) -> tuple[str, int]:
    """A scan whose callback arrives ``age`` seconds late; answers the customer and the status."""
    scan = scene.scan(customer, channel, lost=True)
    (lost,) = [
        item for item in scene.box.get("/sandbox/callbacks")["items"] if scan["customer_id"] in item["xml"]
    ]
    created = int((scene.time() - timedelta(seconds=age)).timestamp())
    xml = re.sub(r"<CreateTime>\d+</CreateTime>", f"<CreateTime>{created}</CreateTime>", lost["xml"])
    return scan["customer_id"], scene.post_callback(xml)


def test_a_welcome_is_never_late(scene: Scene, channel: dict[str, Any]) -> None:
    calls = len(scene.box.get(f"/sandbox/calls?api={WELCOME}")["items"])
    customer_id, status = crafted(scene, "迟到的回调", channel, age=21)
    assert status == 200
    scene.settle()

    contact = scene.contact(customer_id)
    (call,) = scene.calls(contact, WELCOME)
    assert (call["state"], call["reason"]) == ("expired", "超过有效期，未发送")
    assert kinds(scene, customer_id).count("welcome.expired") == 1
    assert len(scene.box.get(f"/sandbox/calls?api={WELCOME}")["items"]) == calls
    assert scene.customer(customer_id)["messages"] == []
    assert [tag["name"] for tag in contact["tags"]] == ["展会"]
    assert len(scene.ledger_of(NOTICE, customer_id)) == 1


def test_a_welcome_that_just_makes_it_is_sent(scene: Scene, channel: dict[str, Any]) -> None:
    customer_id, _ = crafted(scene, "刚好赶上", channel, age=12)
    scene.settle()

    assert len(scene.customer(customer_id)["messages"]) == 1


def test_a_profile_that_does_not_come_leaves_the_name_out_of_the_welcome(
    scene: Scene, channel: dict[str, Any]
) -> None:
    scene.fault(GET, mode="timeout", delay_ms=600)
    scan = scene.scan("名字未知", channel)
    scene.settle()

    (message,) = scene.customer(scan["customer_id"])["messages"]
    assert message["text"] == "您好，我是张三"
    contact = scene.contact(scan["customer_id"])
    assert contact["name"] == "名字未知"  # read again afterwards
    (fetch,) = scene.calls(contact, GET)
    assert fetch["state"] == "sent"
    assert len(scene.ledger_of(NOTICE, scan["customer_id"])) == 1
