"""Sign-in with WeCom: who gets in, at which door, and every way in which nobody does (attack 14)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from bot.app import create_app
from bot.wechat.errors import NotSent, error_for
from scrm.accounts import logins
from scrm.accounts.models import Account, Login, LoginWay, StaffStatus
from scrm.accounts.roles import Reach, Role
from scrm.audit.models import AuditEntry
from tests.bot.web.conftest import Desk

SCAN, SIDEBAR, BACK = "/console/login/wecom", "/sidebar/login", "/login/wecom"


class PretendedWeCom:
    """Knows codes; ``error`` is what the next exchange meets."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.codes: dict[str, str | None] = {"good": "wangmin", "outsider": None, "stranger": "nobody"}
        self.error: Exception | None = None
        self.asked: list[str] = []

    def member_of_code(self, code: str) -> str | None:
        self.asked.append(code)
        with self._desk.product.database.write():  # a transaction of ours open now would make this one wait
            pass
        if self.error:
            raise self.error
        if code not in self.codes:
            raise error_for(40029, "invalid code")
        return self.codes.pop(code)


@pytest.fixture
def wecom(desk: Desk) -> PretendedWeCom:
    """The desk's pages with a pretended WeCom behind them."""
    pretended = PretendedWeCom(desk)
    desk.app = create_app(replace(desk.product, client=pretended))  # type: ignore[arg-type]
    desk.client = desk.app.test_client()
    return pretended


def begin(client: FlaskClient, page: str = SCAN, target: str = "", **more: Any) -> tuple[str, str]:
    """Start a login: WeCom's address and the state."""
    response = client.get(page, query_string={"next": target} if target else {}, **more)
    assert response.status_code == 303
    return response.location, parse_qs(urlsplit(response.location).query)["state"][0]


def come_back(client: FlaskClient, state: str, code: str = "good") -> TestResponse:
    return client.get(BACK, query_string={"code": code, "state": state}, headers={"Accept-Language": "zh-CN"})


def rows(desk: Desk, model: Any) -> list[Any]:
    with desk.product.database.read() as session:
        return list(session.scalars(select(model)))


def assert_nobody_entered(desk: Desk, response: TestResponse, status: int = 400) -> None:
    assert response.status_code == status
    assert "lianke_login" not in "".join(response.headers.getlist("Set-Cookie"))
    assert rows(desk, Login) == []


def test_scanned_code_opens_the_console_for_a_sales_rep(desk: Desk, wecom: PretendedWeCom) -> None:
    _, state = begin(desk.client, SCAN, "/console?lang=en")

    response = come_back(desk.client, state)

    assert (response.status_code, response.location) == (303, "/console?lang=en")
    assert desk.client.get("/console").status_code == 200
    (account,), (login,) = rows(desk, Account), rows(desk, Login)
    assert (account.staff_id, account.role, account.reach) == (desk.rep.id, Role.SALES, Reach.OWN)
    assert login.way is LoginWay.SCAN
    assert [entry.action for entry in rows(desk, AuditEntry)] == ["login:opened"]


def test_the_sidebar_has_a_door_of_its_own(desk: Desk, wecom: PretendedWeCom) -> None:
    _, state = begin(desk.client, SIDEBAR)

    response = come_back(desk.client, state)

    assert (response.status_code, response.location) == (303, "/sidebar")
    assert rows(desk, Login)[0].way is LoginWay.CLIENT
    assert desk.client.get("/console").status_code == 303  # still asks who it is


@pytest.mark.parametrize(
    ("page", "agent", "expected"),
    [
        (SCAN, "Mozilla/5.0", "/wwlogin/sso/login"),
        (SCAN, "Mozilla/5.0 wxwork/4.1.36", "/connect/oauth2/authorize"),
        (SIDEBAR, "Mozilla/5.0", "/connect/oauth2/authorize"),
    ],
)
def test_browsers_scan_and_the_client_does_not(desk: Desk, page: str, agent: str, expected: str) -> None:
    address, state = begin(desk.client, page, headers={"User-Agent": agent})

    parts, query = urlsplit(address), parse_qs(urlsplit(address).query)
    assert parts.path == expected
    assert parts.netloc == "127.0.0.1:9100"  # the sandbox's
    assert query["redirect_uri"] == ["http://127.0.0.1:8000/login/wecom"]
    assert query["agentid"] == [str(desk.product.config.wecom.agent_id)]
    assert state.isalnum()
    assert len(state) == 32


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (SCAN, "https://login.work.weixin.qq.com/wwlogin/sso/login?login_type=CorpApp&appid="),
        (SIDEBAR, "https://open.weixin.qq.com/connect/oauth2/authorize?appid="),
    ],
)
def test_the_real_wecom_is_asked_where_the_api_is_the_real_one(desk: Desk, page: str, expected: str) -> None:
    config = desk.product.config
    real = config.wecom.model_copy(update={"api_base": "https://qyapi.weixin.qq.com"})
    app = create_app(replace(desk.product, config=config.model_copy(update={"wecom": real})))

    address, _ = begin(app.test_client(), page)

    assert address.startswith(expected)
    assert address.endswith("#wechat_redirect") == (page == SIDEBAR)


def test_state_is_good_once_even_with_the_cookie_kept(desk: Desk, wecom: PretendedWeCom) -> None:
    _, state = begin(desk.client)
    cookie = desk.client.get_cookie("lianke_oauth")
    assert cookie is not None
    assert come_back(desk.client, state).status_code == 303
    wecom.codes["again"] = "wangmin"

    thief = desk.app.test_client()
    thief.set_cookie("lianke_oauth", cookie.value)
    response = come_back(thief, state, "again")

    assert response.status_code == 400
    assert "again" not in wecom.asked
    assert len(rows(desk, Login)) == 1


def test_state_of_another_browser_lets_nobody_in(desk: Desk, wecom: PretendedWeCom) -> None:
    _, state = begin(desk.client)
    victim = desk.app.test_client()
    begin(victim)  # has one of its own under way

    assert_nobody_entered(desk, come_back(victim, state))
    assert wecom.asked == []


def test_state_is_over_after_ten_minutes(desk: Desk, wecom: PretendedWeCom) -> None:
    _, state = begin(desk.client)
    desk.now += timedelta(minutes=10)

    assert_nobody_entered(desk, come_back(desk.client, state))
    assert wecom.asked == []


@pytest.mark.parametrize("query", ["", "code=good", "code=good&state=", "code=good&state=%C3%A9", "state=x"])
def test_state_that_is_missing_or_made_up_lets_nobody_in(
    desk: Desk, wecom: PretendedWeCom, query: str
) -> None:
    begin(desk.client)

    response = desk.client.get(f"{BACK}?{query}", headers={"Accept-Language": "zh-CN"})

    assert_nobody_entered(desk, response)
    assert "重新登录" in response.text


def test_cookie_that_we_did_not_sign_lets_nobody_in(desk: Desk, wecom: PretendedWeCom) -> None:
    _, state = begin(desk.client)
    cookie = desk.client.get_cookie("lianke_oauth")
    assert cookie is not None

    desk.client.set_cookie("lianke_oauth", cookie.value[:-2] + "xx")

    assert_nobody_entered(desk, come_back(desk.client, state))


def test_several_tabs_may_sign_in_at_once(desk: Desk, wecom: PretendedWeCom) -> None:
    wecom.codes |= {"second": "wangmin"}
    states = [begin(desk.client)[1] for _ in range(3)]

    assert come_back(desk.client, states[2]).status_code == 303
    assert come_back(desk.client, states[0], "second").status_code == 303


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("made-up", 400, "40029"),
        ("", 400, "登录码"),
        ("x" * 600, 400, "登录码"),
        ("outsider", 403, "不是本企业的成员"),
        ("stranger", 403, "lianke sync"),
    ],
)
def test_code_that_names_no_member_lets_nobody_in(
    desk: Desk, wecom: PretendedWeCom, code: str, status: int, said: str
) -> None:
    _, state = begin(desk.client)

    response = come_back(desk.client, state, code)

    assert_nobody_entered(desk, response, status)
    assert said in response.text


def test_unreachable_wecom_is_said_so(desk: Desk, wecom: PretendedWeCom) -> None:
    wecom.error = NotSent(errmsg="refused")
    _, state = begin(desk.client)

    response = come_back(desk.client, state)

    assert_nobody_entered(desk, response, 502)
    assert "连不上企业微信" in response.text


def test_member_who_left_is_not_let_in(desk: Desk, wecom: PretendedWeCom) -> None:
    left = desk.staff("gone", "已离职", status=StaffStatus.LEFT)
    wecom.codes["gone"] = left.userid
    _, state = begin(desk.client)

    assert_nobody_entered(desk, come_back(desk.client, state, "gone"), 403)
    assert [entry.action for entry in rows(desk, AuditEntry)] == ["login:refused"]


def test_disabled_account_is_not_let_in(desk: Desk, wecom: PretendedWeCom) -> None:
    with desk.product.database.write() as session:
        account = logins.account_of_staff(session, desk.rep, now=desk.now)
        logins.disable(session, account, now=desk.now)
    _, state = begin(desk.client)

    assert_nobody_entered(desk, come_back(desk.client, state), 403)


def test_session_ends_when_the_member_leaves(desk: Desk, wecom: PretendedWeCom) -> None:
    _, state = begin(desk.client)
    come_back(desk.client, state)
    assert desk.client.get("/console").status_code == 200

    with desk.product.database.write() as session:
        session.merge(desk.rep).status = StaffStatus.LEFT

    assert desk.client.get("/console").status_code == 303


def test_second_login_ends_the_first_session(desk: Desk, wecom: PretendedWeCom) -> None:
    wecom.codes["second"] = "wangmin"
    come_back(desk.client, begin(desk.client)[1])
    first = desk.client.get_cookie("lianke_login")
    assert first is not None

    come_back(desk.client, begin(desk.client)[1], "second")

    old = desk.app.test_client()
    old.set_cookie("lianke_login", first.value)
    assert old.get("/console").status_code == 303
    assert desk.client.get("/console").status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example", "/\\evil", "https:evil", "https://evil.example", "@evil", "/x%0d%0aLocation:%20//evil",
        "javascript:alert(1)", "/a\r\nX: 1", "\\\\evil",
    ],
)  # fmt: skip
def test_nobody_is_sent_elsewhere_after_the_login(desk: Desk, wecom: PretendedWeCom, target: str) -> None:
    _, state = begin(desk.client, SCAN, target)

    response = come_back(desk.client, state)

    assert response.status_code == 303
    assert urlsplit(response.location).netloc == ""
    assert response.location.startswith("/")
    assert not response.location.startswith(("//", "/\\"))
    assert "\r" not in response.location


@pytest.mark.parametrize(("language", "word"), [("zh", "企业微信扫码登录"), ("en", "scanning with WeCom")])
def test_login_page_offers_the_scan(desk: Desk, language: str, word: str) -> None:
    page = desk.client.get(f"/console/login?lang={language}&next=/console/audit").text

    assert word in page
    assert "/console/login/wecom?" in page
    assert "next=/console/audit" in page
