"""The platform's rules on signing in and on JS-SDK tickets, one by one, over HTTP."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from bot.wechat.jssdk import signature
from tests.sandbox_fixture import CallbackReceiver, SandboxServer

CLIENT, SCAN = "/connect/oauth2/authorize", "/wwlogin/sso/login"


@pytest.fixture
def target(receiver: CallbackReceiver) -> str:
    """A page on the trusted domain."""
    parts = urlsplit(receiver.url)
    return f"{parts.scheme}://{parts.netloc}/login/wecom?door=1"


def visit(box: SandboxServer, page: str, target: str, **changes: str) -> requests.Response:
    """Open a page of sign-in with everything right but ``changes``; an empty value leaves the field out."""
    common = {"appid": box.settings.corp_id, "agentid": str(box.settings.agent_id), "redirect_uri": target}
    own = {"response_type": "code", "scope": "snsapi_base"} if page == CLIENT else {"login_type": "CorpApp"}
    query = {**common, **own, "state": "s1", "userid": "zhangsan", **changes}
    return box.request(
        "GET", page, params={name: text for name, text in query.items() if text}, allow_redirects=False
    )


def code_of(response: requests.Response) -> str:
    assert response.status_code == 302, response.text
    return parse_qs(urlsplit(response.headers["Location"]).query)["code"][0]


@pytest.mark.parametrize("page", [CLIENT, SCAN])
def test_member_comes_back_with_code_and_state(box: SandboxServer, target: str, page: str) -> None:
    response = visit(box, page, target)

    back = urlsplit(response.headers["Location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == target.partition("?")[0]
    assert list(parse_qs(back.query)) == ["door", "code", "state"]
    assert parse_qs(back.query)["state"] == ["s1"]
    assert len(code_of(response)) <= 512
    assert box.api("auth/getuserinfo", code=code_of(response))["userid"] == "zhangsan"


@pytest.mark.parametrize("page", [CLIENT, SCAN])
def test_page_asks_who_it_is(box: SandboxServer, target: str, page: str) -> None:
    box.session.cookies.clear()  # another test may have opened a sidebar here

    response = visit(box, page, target, userid="")

    assert response.status_code == 200
    assert "张三" in response.text
    assert "userid=zhangsan" in response.text


def test_client_knows_who_opened_the_sidebar_and_a_browser_does_not(box: SandboxServer, target: str) -> None:
    box.request("GET", "/sandbox/sidebar?staff=lisi", allow_redirects=False)

    code = code_of(visit(box, CLIENT, target, userid=""))

    assert box.api("auth/getuserinfo", code=code)["userid"] == "lisi"
    assert visit(box, SCAN, target, userid="").status_code == 200
    box.session.cookies.clear()


@pytest.mark.parametrize("page", [CLIENT, SCAN])
@pytest.mark.parametrize(
    "foreign",
    [
        "https://evil.example.com/login",
        "{origin}0/login",
        "{origin}@evil.example.com/login",
        "//evil.example.com",
        "javascript:alert(1)",
        "",
    ],
)
def test_only_the_trusted_domain_gets_a_code(
    box: SandboxServer, target: str, page: str, foreign: str
) -> None:
    parts = urlsplit(target)

    response = visit(box, page, foreign.replace("{origin}", f"{parts.scheme}://{parts.netloc}"))

    assert response.status_code == 400
    assert "50001" in response.text
    assert "Location" not in response.headers


@pytest.mark.parametrize(
    ("page", "changes", "errcode"),
    [
        (CLIENT, {"appid": "wwother"}, 40013),
        (CLIENT, {"agentid": "7"}, 40056),
        (CLIENT, {"agentid": "", "scope": "snsapi_privateinfo"}, 40056),
        (CLIENT, {"scope": "snsapi_userinfo"}, 40035),
        (CLIENT, {"response_type": "token"}, 40035),
        (CLIENT, {"state": "a-b"}, 40035),
        (CLIENT, {"state": "a" * 129}, 40035),
        (SCAN, {"appid": ""}, 40013),
        (SCAN, {"agentid": ""}, 40056),
        (SCAN, {"login_type": "ServiceApp"}, 40035),
    ],
)
def test_page_says_what_is_wrong(
    box: SandboxServer, target: str, page: str, changes: dict[str, str], errcode: int
) -> None:
    response = visit(box, page, target, **changes)

    assert response.status_code == 400
    assert f"<code>{errcode}</code>" in response.text


def test_agent_is_optional_for_a_silent_login(box: SandboxServer, target: str) -> None:
    assert code_of(visit(box, CLIENT, target, agentid=""))


def test_code_is_good_once(box: SandboxServer) -> None:
    code = box.post("/sandbox/oauth", {"staff": "zhangsan"})["code"]

    assert box.api("auth/getuserinfo", code=code)["errcode"] == 0
    assert box.api("auth/getuserinfo", code=code)["errcode"] == 42022
    assert box.api("user/getuserinfo", code=code)["errcode"] == 42022


def test_code_lives_five_minutes(box: SandboxServer) -> None:
    first, second = (box.post("/sandbox/oauth", {"staff": "zhangsan"})["code"] for _ in range(2))

    box.post("/sandbox/clock", {"advance_s": 290})
    assert box.api("auth/getuserinfo", code=first)["errcode"] == 0
    box.post("/sandbox/clock", {"advance_s": 11})
    assert box.api("auth/getuserinfo", code=second)["errcode"] == 42003


@pytest.mark.parametrize(("query", "errcode"), [({}, 41008), ({"code": "made-up"}, 40029)])
def test_bad_code_is_refused(box: SandboxServer, query: dict[str, str], errcode: int) -> None:
    assert box.api("auth/getuserinfo", **query)["errcode"] == errcode


def test_only_the_app_learns_who_signed_in(box: SandboxServer) -> None:
    code = box.post("/sandbox/oauth", {"staff": "zhangsan"})["code"]

    contact = box.token(box.settings.contact_secret)

    assert box.api("auth/getuserinfo", code=code, token=contact)["errcode"] == 48002
    assert box.api("auth/getuserinfo", code=code)["userid"] == "zhangsan"


def test_old_alias_answers_with_capitals(box: SandboxServer) -> None:
    code = box.post("/sandbox/oauth", {"staff": "zhangsan"})["code"]

    assert box.api("user/getuserinfo", code=code)["UserId"] == "zhangsan"


def test_outsider_is_no_member(box: SandboxServer, pair: dict[str, str]) -> None:
    first, second = (box.post("/sandbox/oauth", {"customer": "小王"})["code"] for _ in range(2))

    told = box.api("auth/getuserinfo", code=first)

    assert "userid" not in told
    assert told["external_userid"] == pair["external_userid"]
    assert told["openid"].startswith("o")
    assert box.api("user/getuserinfo", code=second)["OpenId"] == told["openid"]


def test_tickets_of_corp_and_app_differ_and_stay(box: SandboxServer) -> None:
    corp = box.api("get_jsapi_ticket")
    app = box.api("ticket/get", type="agent_config")

    assert corp["ticket"] != app["ticket"]
    assert 0 < app["expires_in"] <= 7200
    assert box.api("get_jsapi_ticket")["ticket"] == corp["ticket"]
    assert box.api("ticket/get", type="agent_config")["ticket"] == app["ticket"]


def test_ticket_is_new_when_the_old_one_is_over(box: SandboxServer) -> None:
    before = box.api("ticket/get", type="agent_config")["ticket"]

    box.post("/sandbox/clock", {"advance_s": 7201})

    assert box.api("ticket/get", type="agent_config")["ticket"] != before


def test_app_ticket_is_for_the_app_and_its_type(box: SandboxServer) -> None:
    contact = box.token(box.settings.contact_secret)

    assert box.api("ticket/get", type="wx_card")["errcode"] == 91040
    assert box.api("ticket/get", type="agent_config", token=contact)["errcode"] == 48002


# --- the JS-SDK's configuration


def configure(box: SandboxServer, url: str, **changes: object) -> int:
    """What wx.agentConfig comes to for a page signed with the app's ticket."""
    ticket = str(changes.pop("ticket", None) or box.api("ticket/get", type="agent_config")["ticket"])
    fields = {"timestamp": 1700000000, "nonceStr": "n1", "url": url, "corpid": box.settings.corp_id}
    fields |= {"agentid": str(box.settings.agent_id), "signature": signature(ticket, "n1", 1700000000, url)}
    return int(box.post("/sandbox/agent_config", {**fields, **changes})["errcode"])


def test_page_on_the_trusted_domain_is_configured(box: SandboxServer, target: str) -> None:
    assert configure(box, target) == 0


def test_wrong_configurations_are_refused(box: SandboxServer, target: str) -> None:
    corp_ticket = box.api("get_jsapi_ticket")["ticket"]

    assert configure(box, target, ticket=corp_ticket) == 40093
    assert configure(box, target, signature="0" * 40) == 40093
    assert configure(box, target, nonceStr="other") == 40093
    assert configure(box, "https://evil.example/sidebar") == 80001
    assert configure(box, target, corpid="wwother") == 40013
    assert configure(box, target, agentid="7") == 40056


def test_only_scripts_of_the_product_read_the_answer(box: SandboxServer, target: str) -> None:
    origin = target.partition("/login")[0]
    allowed = [
        box.request("POST", "/sandbox/agent_config", {"url": target}, headers={"Origin": one}).headers.get(
            "Access-Control-Allow-Origin"
        )
        for one in (origin, "https://evil.example")
    ]

    assert allowed == [origin, None]
