"""The platform's rules on media, members and app messages, one by one, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox_fixture import CallbackReceiver, SandboxServer

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


# --- media


def upload(box: SandboxServer, kind: str, data: bytes, name: str = "海报.png") -> dict[str, Any]:
    url = f"{box.api_base}/cgi-bin/media/upload"
    files = {"media": (name, data, "image/png")}
    answer: dict[str, Any] = box.session.post(
        url, params={"access_token": box.token(), "type": kind}, files=files, timeout=10
    ).json()
    return answer


def test_media_lives_three_days(box: SandboxServer, pair: dict[str, str]) -> None:
    answer = upload(box, "image", PNG)
    media_id = answer["media_id"]
    token = box.token()
    raw = box.request("GET", f"/qyapi/cgi-bin/media/get?media_id={media_id}&access_token={token}")
    assert (answer["errcode"], answer["type"], answer["created_at"].isdigit()) == (0, "image", True)
    assert (raw.content, raw.headers["Content-Type"]) == (PNG, "image/png")
    part = box.request("GET", raw.request.path_url, headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")

    box.post("/sandbox/clock", {"advance_s": 3 * 86400})

    assert box.api("media/get", media_id=media_id)["errcode"] == 40007


@pytest.mark.parametrize(
    ("kind", "data", "errcode"),
    [
        ("picture", PNG, 40005),
        ("image", b"", 44001),
        ("image", b"12345", 40006),
        ("image", b"GIF89a----", 40004),
        ("video", PNG, 40004),
        ("image", PNG + b"0" * 10 * 1024 * 1024, 45001),
    ],
)
def test_bad_uploads_are_refused(box: SandboxServer, kind: str, data: bytes, errcode: int) -> None:
    assert upload(box, kind, data)["errcode"] == errcode


def test_welcome_with_live_media_arrives_and_media_of_another_kind_does_not(
    box: SandboxServer, pair: dict[str, str], receiver: CallbackReceiver
) -> None:
    media_id = upload(box, "image", PNG)["media_id"]
    code = receiver.events[0]["WelcomeCode"]
    wrong = [{"msgtype": "file", "file": {"media_id": media_id}}]
    right = [{"msgtype": "image", "image": {"media_id": media_id}}]

    bodies = [{"welcome_code": code, "attachments": attachments} for attachments in (wrong, right)]
    codes = [box.api("externalcontact/send_welcome_msg", body)["errcode"] for body in bodies]

    assert codes == [40007, 0]
    assert box.get("/sandbox/customers/小王")["messages"][0]["attachments"] == right


# --- organisation and app messages


def test_departments_and_members_can_be_read(box: SandboxServer) -> None:
    departments = box.api("department/list")["department"]
    members = box.api("user/simplelist", department_id=2)["userlist"]
    user = box.api("user/get", userid="ZHANGSAN")

    assert [(item["id"], item["parentid"]) for item in departments] == [(1, 0), (2, 1), (3, 1)]
    assert [item["userid"] for item in members] == ["zhangsan", "lisi"]
    assert (user["userid"], user["name"], user["status"], user["main_department"]) == (
        "zhangsan",
        "张三",
        1,
        2,
    )
    assert len(box.api("user/list", department_id=1, fetch_child=1)["userlist"]) == 3
    assert box.api("user/get", userid="nobody")["errcode"] == 60111
    assert box.api("user/list", department_id=99)["errcode"] == 60003


def test_member_ids_are_listed_for_the_contact_secret_only(box: SandboxServer) -> None:
    token = box.token(box.settings.contact_secret)

    assert box.api("user/list_id", {})["errcode"] == 48002
    assert box.api("user/list_id", {}, token=token)["dept_user"][0] == {"userid": "zhangsan", "department": 2}


def send(box: SandboxServer, **changes: Any) -> dict[str, Any]:
    body = {"touser": "zhangsan", "msgtype": "text", "agentid": 1000002, "text": {"content": "今日待办"}}
    return box.api("message/send", {**body, **changes})


def inbox(box: SandboxServer, userid: str = "zhangsan") -> list[tuple[str, str, str]]:
    found = box.get(f"/sandbox/staff/{userid}")["messages"]
    return [(item["kind"], item["title"] or item["text"], item["url"]) for item in found]


def test_message_reaches_the_valid_and_names_the_invalid(box: SandboxServer) -> None:
    answer = send(box, touser="zhangsan|NoBody|lisi")

    assert (answer["errcode"], answer["invaliduser"], bool(answer["msgid"])) == (0, "nobody", True)
    assert inbox(box) == inbox(box, "lisi") == [("text", "今日待办", "")]


def test_cards_arrive_with_title_and_link(box: SandboxServer) -> None:
    card = {"title": "SOP 跟进", "description": "王女士", "url": "https://scrm.example.com/1"}
    notice = {
        "card_type": "text_notice", "main_title": {"title": "新客户"},
        "card_action": {"type": 1, "url": "https://scrm.example.com/2"},
    }  # fmt: skip

    assert send(box, msgtype="textcard", textcard=card)["errcode"] == 0
    assert send(box, msgtype="template_card", template_card=notice)["errcode"] == 0
    assert send(box, msgtype="markdown", markdown={"content": "**加粗**"})["errcode"] == 0

    assert inbox(box) == [
        ("textcard", "SOP 跟进", "https://scrm.example.com/1"),
        ("template_card.text_notice", "新客户", "https://scrm.example.com/2"),
        ("markdown", "**加粗**", ""),
    ]


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"touser": "nobody"}, 81013),
        ({"touser": ""}, 82001),
        ({"agentid": 0}, 40056),
        ({"agentid": 1000003}, 301002),
        ({"msgtype": "smoke"}, 40008),
        ({"text": {"content": ""}}, 44004),
        ({"msgtype": "markdown", "markdown": {"content": "长" * 683}}, 45002),
        ({"msgtype": "textcard", "textcard": {"title": "a", "description": "b", "url": "a.b"}}, 40058),
        ({"msgtype": "image", "image": {"media_id": "gone"}}, 40007),
        ({"msgtype": "news", "news": {"articles": []}}, 45008),
        ({"msgtype": "template_card", "template_card": {"card_type": "text_notice"}}, 40058),
    ],
)
def test_bad_messages_reach_nobody(box: SandboxServer, change: dict[str, Any], errcode: int) -> None:
    assert send(box, **change)["errcode"] == errcode
    assert inbox(box) == []


def test_duplicate_within_the_interval_is_answered_but_not_delivered(box: SandboxServer) -> None:
    check = {"enable_duplicate_check": 1, "duplicate_check_interval": 60}

    assert [send(box, **check)["errcode"] for _ in range(2)] == [0, 0]
    assert len(inbox(box)) == 1
    assert len(box.get("/sandbox/ledger?api=message/send")["items"]) == 1

    box.post("/sandbox/clock", {"advance_s": 61})
    send(box, **check)
    assert len(inbox(box)) == 2


def test_thirty_first_message_in_a_minute_is_dropped_silently(box: SandboxServer) -> None:
    codes = {send(box, text={"content": str(number)})["errcode"] for number in range(31)}

    assert codes == {0}
    assert len(inbox(box)) == 30
    assert box.get("/sandbox/calls?api=message/send")["items"][-1]["note"] == "dropped for 1"
