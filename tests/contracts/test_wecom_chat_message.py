"""sendChatMessage of the JS-SDK, as the sandbox's client plays it: what it takes, and what the customer then reads."""

from __future__ import annotations

import pytest

from tests.sandbox_fixture import SandboxServer

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 32
NEWS = {"link": "https://example.com/a", "title": "手册", "desc": "四大系列", "imgUrl": ""}
MINI = {
    "appid": "wx123456",
    "title": "计算器",
    "imgUrl": "https://example.com/a.png",
    "page": "pages/a.html?id=1",
}


def send(box: SandboxServer, pair: dict[str, str], kind: str, part: object) -> dict[str, object]:
    message = {"msgtype": kind, "enterChat": True, kind: part}
    body = {"staff": pair["userid"], "customer": pair["external_userid"], "message": message}
    return box.post("/sandbox/send_chat_message", body)


def newest(box: SandboxServer, pair: dict[str, str]) -> dict[str, object]:
    return box.get(f"/sandbox/phone/{pair['external_userid']}")["chats"][0]["messages"][-1]


def upload(box: SandboxServer, kind: str, data: bytes) -> str:
    answer = box.session.post(
        f"{box.api_base}/cgi-bin/media/upload",
        params={"access_token": box.token(), "type": kind},
        files={"media": ("a.png", data, "image/png")},
        timeout=10,
    )
    return str(answer.json()["media_id"])


def test_text_arrives_as_it_was_sent(box: SandboxServer, pair: dict[str, str]) -> None:
    assert send(box, pair, "text", {"content": "您好"})["errcode"] == 0

    message = newest(box, pair)
    assert (message["kind"], message["text"], message["from"]) == ("text", "您好", "staff")


@pytest.mark.parametrize(
    ("kind", "part", "shown"),
    [
        ("news", NEWS, {"title": "手册", "url": "https://example.com/a", "desc": "四大系列", "picurl": ""}),
        (
            "miniprogram",
            MINI,
            {"title": "计算器", "appid": "wx123456", "page": MINI["page"], "picurl": MINI["imgUrl"]},
        ),
    ],
)
def test_cards_arrive_as_the_phone_draws_them(box, pair, kind, part, shown) -> None:
    assert send(box, pair, kind, part)["errcode"] == 0

    (attachment,) = newest(box, pair)["attachments"]
    assert attachment[attachment["msgtype"]] == shown


@pytest.mark.parametrize(
    ("kind", "data"), [("image", PNG), ("video", b"0000ftypisom0000"), ("file", b"%PDF-1.4")]
)
def test_a_file_arrives_by_its_media_id_and_only_as_its_kind(box, pair, kind, data) -> None:
    media_id = upload(box, kind, data)
    assert send(box, pair, kind, {"mediaid": media_id})["errcode"] == 0

    (attachment,) = newest(box, pair)["attachments"]
    assert (attachment["msgtype"], attachment["media"]["id"]) == (kind, media_id)
    other = "image" if kind != "image" else "file"
    assert send(box, pair, other, {"mediaid": media_id})["errmsg"] == "invalid mediaid"


@pytest.mark.parametrize(
    ("kind", "part", "told"),
    [
        ("text", {"content": ""}, "invalid content"),
        ("text", "您好", "invalid text"),
        ("voice", {"mediaid": "x"}, "invalid msgtype"),
        ("image", {"mediaid": "nothing"}, "invalid mediaid"),
        ("image", {"media_id": "nothing"}, "invalid mediaid"),
        ("news", {**NEWS, "link": "javascript:alert(1)"}, "invalid link"),
        ("news", {**NEWS, "title": ""}, "invalid title"),
        ("miniprogram", {**MINI, "page": "pages/a"}, "invalid page"),
        ("miniprogram", {**MINI, "imgUrl": "/a.png"}, "invalid imgUrl"),
    ],
)
def test_what_the_client_does_not_take_reaches_nobody(box, pair, kind, part, told) -> None:
    before = len(box.get(f"/sandbox/phone/{pair['external_userid']}")["chats"][0]["messages"])

    answer = send(box, pair, kind, part)

    assert (answer["errcode"], answer["errmsg"]) == (40058, told)
    assert len(box.get(f"/sandbox/phone/{pair['external_userid']}")["chats"][0]["messages"]) == before
