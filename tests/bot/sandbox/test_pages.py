"""The sandbox's page and what it reads: a summary to poll, pages of people, one callback's way through the product."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import bot.sandbox.pages as pages_module
from tests.sandbox_fixture import CallbackReceiver, HttpServer, SandboxServer

STATIC = Path(pages_module.__file__).with_name("static")
SCRIPTS = sorted(STATIC.glob("js/*.js"))
TOKEN = "lk_the-products-token"
ADD = "wecom.change_external_contact.add_external_contact"
WELCOME = "externalcontact/send_welcome_msg"


class FakeProduct:
    """Answers what the page asks of the product."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.status = 200
        self._server = HttpServer()
        self.url = self._server.url
        self._server.serve(self._make)

    def _make(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/v1/{what:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({}, status=401)
        if request.match_info["what"] == "trace":
            return web.json_response({"items": self.steps}, status=self.status)
        return web.json_response({"asked": request.match_info["what"]}, status=self.status)

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture
def product() -> Iterator[FakeProduct]:
    fake = FakeProduct()
    yield fake
    fake.stop()


@pytest.fixture
def told(product: FakeProduct, receiver: CallbackReceiver) -> Iterator[SandboxServer]:
    """A sandbox that may ask the product."""
    with SandboxServer(
        callback_url=receiver.url, product_url=product.url, product_token=TOKEN, callback_timeout_s=0.5
    ) as server:
        yield server


def make_code(box: SandboxServer, state: str = "ch_1") -> None:
    box.api("externalcontact/add_contact_way", {"type": 1, "scene": 2, "user": ["zhangsan"], "state": state})


def steps_of(started: datetime, event: int, *, first_call: int) -> list[dict[str, Any]]:
    """What the product tells about a scan that arrived at ``started``."""

    def step(ms: int, name: str, title: str, detail: str | None, event_id: int | None, call_id: int | None,
             state: str | None) -> dict[str, Any]:  # fmt: skip
        at = (started + timedelta(milliseconds=ms)).isoformat().replace("+00:00", "Z")
        return {"at": at, "step": name, "title": title, "detail": detail, "event_id": event_id, "call_id": call_id,
                "state": state, "ms_since_start": ms}  # fmt: skip

    welcome = first_call
    return [
        step(0, "received", "收到：客户添加员工", ADD, event, None, "done"),
        step(10, "changed", "渠道自动打上标签：展会", "tag.added", None, None, None),
        step(10, "enqueued", "待办：发送欢迎语", WELCOME, event, welcome, "sent"),
        step(40, "handled", "已处理：客户添加员工", None, event, None, "done"),
        step(50, "sending", "正在发送欢迎语", None, event, welcome, "sent"),
        step(90, "sent", "发送欢迎语：成功", None, event, welcome, "sent"),
    ]


def arrival(box: SandboxServer) -> datetime:
    """When the newest callback was queued, and a moment later."""
    queued = box.get("/sandbox/callbacks")["items"][-1]["at"]
    return datetime.fromisoformat(queued) + timedelta(milliseconds=5)


# --- the page


def test_page_and_its_files_are_served_with_a_policy_that_loads_nothing_from_elsewhere(
    box: SandboxServer,
) -> None:
    page = box.request("GET", "/")

    assert (page.status_code, page.headers["Content-Type"].split(";")[0]) == (200, "text/html")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'; img-src 'self' data:;")
    files = re.findall(r'(?:src|href)="(/sandbox/static/[^"#]+)"', page.text)
    assert len(files) > 5
    for path in files:
        answer = box.request("GET", path)
        assert answer.status_code == 200, path
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert box.request("GET", "/sandbox/static/../settings.py").status_code == 404


def test_uploads_cannot_act_as_pages_of_the_sandbox(box: SandboxServer) -> None:
    files = {"media": ("x.html", b"<script>alert(1)</script>", "text/html")}
    answer = box.session.post(
        f"{box.api_base}/cgi-bin/media/upload", params={"access_token": box.token(), "type": "file"},
        files=files, timeout=5,
    ).json()  # fmt: skip

    media = box.request("GET", f"/sandbox/media/{answer['media_id']}")

    assert "sandbox" in media.headers["Content-Security-Policy"].split("; ")
    assert media.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_make_text_nodes_only_and_stay_readable(path: Path) -> None:
    text = path.read_text("utf-8")

    assert not re.search(r"innerHTML\s*=|outerHTML\s*=|insertAdjacentHTML|document\.write|eval\(", text)
    assert set(re.findall(r"https?://[^\s\"'`]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert len(text.splitlines()) < 400


def test_every_text_has_both_languages_and_every_text_asked_for_exists() -> None:
    words = (STATIC / "js/words.js").read_text("utf-8")
    entries = re.findall(r'^ {2}"?([\w.-]+)"?: \["(.*?)", "(.*?)"\],$', words, re.MULTILINE)
    known = {key for key, _, _ in entries}
    asked = {
        key
        for path in [*SCRIPTS, STATIC / "index.html"]
        for key in re.findall(r'(?:\bt\(|data-t=)"([\w.-]+)"', path.read_text("utf-8"))
    }

    assert len(known) > 150
    assert asked - known == set()
    assert [key for key, zh, en in entries if not zh or not en] == []
    assert [key for key, _, en in entries if re.search(r"[\u4e00-\u9fff]", en)] == []
    places = [(set(re.findall(r"\{(\w+)\}", zh)), set(re.findall(r"\{(\w+)\}", en))) for _, zh, en in entries]
    assert [pair for pair in places if pair[0] != pair[1]] == []


# --- what it polls


def test_summary_changes_its_version_with_what_the_page_shows_and_not_with_mere_calls(
    box: SandboxServer,
) -> None:
    make_code(box)
    before = box.get("/sandbox/summary")

    box.api("externalcontact/get", external_userid="wm" + "x" * 30)
    asked = box.get("/sandbox/summary")
    box.post("/sandbox/scan", {"customer": "小王", "code": "ch_1"})
    scanned = box.get("/sandbox/summary")

    assert asked["version"] == before["version"]
    assert asked["seqs"]["calls"] > before["seqs"]["calls"]
    assert scanned["version"] != before["version"]
    assert (scanned["counts"], scanned["company"]) == ({"customers": 1, "ways": 1}, "联客演示公司")
    assert TOKEN not in str(scanned)


def test_people_come_in_pages_newest_first_without_repeats(box: SandboxServer) -> None:
    box.post(
        "/sandbox/load",
        {
            "customers": [
                {
                    "external_userid": f"wm{n:030d}",
                    "name": f"客户{n:03d}",
                    "relations": [{"userid": "zhangsan", "createtime": 1000 + n // 2}],
                }
                for n in range(75)
            ]
        },
    )  # fmt: skip
    for staff in ("", "zhangsan"):
        seen: list[str] = []
        cursor = ""
        while True:
            page = box.get(f"/sandbox/people?limit=30&staff={staff}&cursor={cursor}")
            seen += [person["name"] for person in page["items"]]
            cursor = page["next_cursor"] or ""
            assert page["total"] == 75
            if not cursor:
                break
        assert seen == [f"客户{n:03d}" for n in reversed(range(75))]


def test_people_are_found_by_name_or_the_reps_remark_and_signs_mean_themselves(box: SandboxServer) -> None:
    known = {"userid": "lisi", "remark": "赵总", "tag_ids": ["etDefaultTagWebsite0000000000002"]}
    people = [("1", "100%折扣", known), ("2", "1000折扣", {"userid": "lisi"})]
    box.post(
        "/sandbox/load",
        {
            "customers": [
                {"external_userid": f"wm{number * 30}", "name": name, "relations": [relation]}
                for number, name, relation in people
            ]
        },
    )

    by_name = box.get("/sandbox/people?q=100%25折")["items"]
    by_remark = box.get("/sandbox/people?q=赵总&staff=lisi")["items"]

    assert [(person["name"], person["staff"]) for person in by_name] == [("100%折扣", ["李四"])]
    assert [(person["name"], person["tags"]) for person in by_remark] == [
        ("100%折扣", [{"id": "etDefaultTagWebsite0000000000002", "name": "官网"}])
    ]
    assert box.get("/sandbox/people?q=赵总")["items"] == []


@pytest.mark.parametrize(
    ("query", "status"),
    [("limit=0", 400), ("limit=101", 400), ("limit=x", 400), ("cursor=abc", 400), ("staff=ghost", 404)],
)
def test_people_asked_for_wrongly_is_refused(box: SandboxServer, query: str, status: int) -> None:
    assert box.request("GET", f"/sandbox/people?{query}").status_code == status


def test_phone_tells_how_customer_and_rep_stand(box: SandboxServer) -> None:
    make_code(box)

    def standing() -> str:
        return str(box.get("/sandbox/phone/小王")["chats"][0]["standing"])

    box.post("/sandbox/half", {"customer": "小王", "code": "ch_1"})
    half = standing()
    box.post("/sandbox/scan", {"customer": "小王", "code": "ch_1"})
    friend = standing()
    box.post("/sandbox/chat", {"customer": "小王", "staff": "zhangsan", "from": "customer", "text": "你好"})
    box.post("/sandbox/leave", {"customer": "小王", "staff": "zhangsan"})
    deleted = standing()
    box.post("/sandbox/remove", {"customer": "小王", "staff": "zhangsan"})

    assert (half, friend, deleted, standing()) == ("half", "friend", "deleted", "removed")
    assert [message["text"] for message in box.get("/sandbox/phone/小王")["chats"][0]["messages"]] == ["你好"]
    assert box.request("GET", "/sandbox/phone/没有").status_code == 404


def test_one_who_waits_to_be_accepted_is_on_the_phone_and_in_the_reps_list(box: SandboxServer) -> None:
    way = {"type": 1, "scene": 2, "user": ["zhangsan"], "state": "ask", "skip_verify": False}
    box.api("externalcontact/add_contact_way", way)
    box.post("/sandbox/scan", {"customer": "小李", "code": "ask"})

    assert box.get("/sandbox/phone/小李")["chats"][0]["standing"] == "asked"
    assert [person["name"] for person in box.get("/sandbox/requests?staff=zhangsan")["items"]] == ["小李"]


def test_phone_describes_the_files_of_a_welcome(box: SandboxServer) -> None:
    make_code(box)
    customer = box.post("/sandbox/scan", {"customer": "小王", "code": "ch_1"})["customer_id"]
    files = {"media": ("报价单.pdf", b"%PDF-1.4 price list", "application/pdf")}
    media_id = box.session.post(
        f"{box.api_base}/cgi-bin/media/upload", params={"access_token": box.token(), "type": "file"},
        files=files, timeout=5,
    ).json()["media_id"]  # fmt: skip
    attached = [{"msgtype": "file", "file": {"media_id": media_id}}]
    box.post("/sandbox/chat", {"customer": customer, "staff": "zhangsan", "attachments": attached})

    (attachment,) = box.get(f"/sandbox/phone/{customer}")["chats"][0]["messages"][0]["attachments"]

    assert attachment["media"] == {
        "id": media_id, "filename": "报价单.pdf", "content_type": "application/pdf", "size": 19,
    }  # fmt: skip


def test_scans_are_the_newest_callbacks_about_customers(box: SandboxServer) -> None:
    make_code(box)
    box.post("/sandbox/scan", {"customer": "小王", "code": "ch_1"})
    box.post("/sandbox/staff_change", {"op": "update", "userid": "lisi", "name": "李四四"})
    box.post("/sandbox/leave", {"customer": "小王", "staff": "zhangsan"})

    scans = box.get("/sandbox/scans")["items"]

    assert [(scan["change_type"], scan["customer"]["name"], scan["staff"]["name"]) for scan in scans] == [
        ("del_follow_user", "小王", "张三"),
        ("add_external_contact", "小王", "张三"),
    ]


# --- the trace


def test_trace_without_a_token_shows_the_sandboxs_own_side(box: SandboxServer) -> None:
    make_code(box)
    customer = box.post("/sandbox/scan", {"customer": "小王", "code": "ch_1"})["customer_id"]

    trace = box.get(f"/sandbox/trace?customer={customer}")

    assert (trace["product"], trace["arrived"]) == ("unknown", False)
    assert [(node["phase"], node["state"]) for node in trace["nodes"]] == [("callback", "ok")]
    assert "<WelcomeCode><![CDATA[***]]></WelcomeCode>" in trace["nodes"][0]["xml"]


def test_trace_draws_the_way_from_the_callback_to_the_platforms_answer(
    told: SandboxServer, product: FakeProduct
) -> None:
    make_code(told)
    customer = told.post("/sandbox/scan", {"customer": "小王", "code": "ch_1"})["customer_id"]
    product.steps = steps_of(arrival(told), 7, first_call=20)

    answer = told.request("GET", f"/sandbox/trace?customer={customer}")
    trace = answer.json()

    assert (trace["product"], trace["arrived"], trace["settled"]) == ("ok", True, True)
    phases = ["callback", "inbox", "handler", "outbox", "api"]
    assert [(node["phase"], node["state"]) for node in trace["nodes"]] == [(phase, "ok") for phase in phases]
    assert [node["ms"] for node in trace["nodes"]] == pytest.approx([0, 5, 15, 15, 55], abs=1)
    handler, outbox, api = trace["nodes"][2:]
    assert handler["changes"] == [{"name": "tag.added", "title": "渠道自动打上标签：展会"}]
    assert [(call["call_id"], call["name"], call["state"]) for call in outbox["calls"]] == [
        (20, WELCOME, "sent")
    ]
    assert (handler["ended_ms"], api["ended_ms"], api["errcode"]) == pytest.approx((45, 95, 0), abs=1)
    assert TOKEN not in answer.text


def test_each_scan_of_a_customer_has_a_trace_of_its_own(told: SandboxServer, product: FakeProduct) -> None:
    make_code(told)
    customer = told.post("/sandbox/scan", {"customer": "小王", "code": "ch_1"})["customer_id"]
    product.steps = steps_of(arrival(told), 7, first_call=20)
    told.post("/sandbox/remove", {"customer": customer, "staff": "zhangsan"})
    told.post("/sandbox/clock", {"advance_s": 3600})
    told.post("/sandbox/scan", {"customer": customer, "code": "ch_1"})
    second = arrival(told) - timedelta(seconds=3600)  # the product keeps real time
    product.steps += steps_of(second, 9, first_call=22)
    seqs = [
        scan["seq"] for scan in told.get("/sandbox/scans")["items"] if scan["change_type"].startswith("add")
    ]

    traces = [told.get(f"/sandbox/trace?customer={customer}&callback={seq}") for seq in seqs]

    assert [
        [node.get("event_id") for node in trace["nodes"] if node["phase"] == "inbox"] for trace in traces
    ] == [
        [9],
        [7],
    ]
    assert [node["ms"] for node in traces[0]["nodes"]] == pytest.approx([0, 5, 15, 15, 55], abs=1)


def test_trace_of_a_failed_call_tells_its_errcode_and_a_waiting_one_is_not_settled(
    told: SandboxServer, product: FakeProduct
) -> None:
    make_code(told)
    customer = told.post("/sandbox/scan", {"customer": "小王", "code": "ch_1"})["customer_id"]
    steps = steps_of(arrival(told), 7, first_call=20)
    for step in steps:
        if step["call_id"]:
            step["state"] = "failed"
    product.steps = [*steps[:-1], {**steps[-1], "step": "failed", "detail": "已不是好友（84061）"}]
    failed = told.get(f"/sandbox/trace?customer={customer}")
    for step in steps:
        if step["call_id"]:
            step["state"] = "pending"
    product.steps = steps[:-1]
    waiting = told.get(f"/sandbox/trace?customer={customer}")

    assert (failed["settled"], failed["nodes"][-1]["state"], failed["nodes"][-1]["errcode"]) == (
        True,
        "failed",
        84061,
    )
    assert (waiting["settled"], waiting["nodes"][-1]["state"], waiting["nodes"][-1]["errcode"]) == (
        False, "waiting", None,
    )  # fmt: skip


def ask_with(receiver: CallbackReceiver, url: str, token: str) -> dict[str, Any]:
    """The trace of a fresh scan in a sandbox told this address and token."""
    with SandboxServer(callback_url=receiver.url, product_url=url, product_token=token) as box:
        make_code(box)
        customer = box.post("/sandbox/scan", {"customer": "小王", "code": "ch_1"})["customer_id"]
        found: dict[str, Any] = box.get(f"/sandbox/trace?customer={customer}")
        return found


def test_trace_says_when_the_product_refuses_stumbles_or_is_away(
    receiver: CallbackReceiver, product: FakeProduct
) -> None:
    refused = ask_with(receiver, product.url, "lk_wrong")
    product.status = 500
    stumbled = ask_with(receiver, product.url, TOKEN)
    away = ask_with(receiver, "http://127.0.0.1:9", TOKEN)

    assert (refused["product"], refused["status"]) == ("refused", 401)
    assert (stumbled["product"], stumbled["status"]) == ("broken", 500)
    assert (away["product"], [node["phase"] for node in away["nodes"]]) == ("away", ["callback"])


def test_token_is_read_from_the_file_the_demo_writes_even_if_it_comes_later(
    receiver: CallbackReceiver, product: FakeProduct, tmp_path: Path
) -> None:
    with SandboxServer(callback_url=receiver.url, database=str(tmp_path / "sandbox.db")) as box:
        make_code(box)
        customer = box.post("/sandbox/scan", {"customer": "小王", "code": "ch_1"})["customer_id"]
        before = box.get(f"/sandbox/trace?customer={customer}")["product"]
        (tmp_path / "demo.json").write_text(
            f'{{"base_url": "{product.url}", "api_token": "{TOKEN}", "wecom": {{}}}}'
        )
        after = box.get(f"/sandbox/trace?customer={customer}")["product"]

    assert (before, after) == ("unknown", "ok")


def test_payloads_come_from_the_product(told: SandboxServer) -> None:
    assert told.get("/sandbox/trace/event/7")["item"] == {"asked": "events/7"}
    assert told.get("/sandbox/trace/call/8")["item"] == {"asked": "calls/8"}
    assert told.request("GET", "/sandbox/trace/event/../../x").status_code == 404
    assert told.request("GET", "/sandbox/trace/token/1").status_code == 404


def test_trace_of_somebody_without_callbacks_is_404(box: SandboxServer) -> None:
    box.post("/sandbox/load", {"customers": [{"external_userid": "wm" + "1" * 30, "name": "老王"}]})

    assert box.request("GET", "/sandbox/trace?customer=老王").status_code == 404
    assert box.request("GET", "/sandbox/trace?customer=没有").status_code == 404
    assert box.request("GET", "/sandbox/trace").status_code == 404
