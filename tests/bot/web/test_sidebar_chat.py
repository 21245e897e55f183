"""The sidebar beside an open chat: who is sent where, whose profile opens, and what gets signed (attacks 15, 16)."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import TestResponse

from bot.app import create_app
from bot.wechat.errors import NotSent
from bot.wechat.jssdk import signature
from scrm.accounts import logins
from scrm.accounts.models import Account, LoginWay, Staff
from scrm.accounts.roles import Reach, Role
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind, RelationState
from tests.bot.web.conftest import Desk

CLIENT = {"User-Agent": "Mozilla/5.0 wxwork/4.1.36"}
BASE = "http://127.0.0.1:8000"
TICKET = "the-ticket-nobody-may-see"


class PretendedWeCom:
    """Has a ticket, or is away."""

    def __init__(self) -> None:
        self.is_away = False

    def app_ticket(self) -> str:
        if self.is_away:
            raise NotSent(errmsg="refused")
        return TICKET


@pytest.fixture
def wecom(desk: Desk) -> PretendedWeCom:
    """The desk's pages with a pretended WeCom behind them, and 李雷 known to it as wm1."""
    pretended = PretendedWeCom()
    desk.app = create_app(replace(desk.product, client=pretended))  # type: ignore[arg-type]
    desk.client = desk.app.test_client()
    known(desk, desk.contact.id, "wm1")
    return pretended


def known(desk: Desk, contact_id: str, external_userid: str) -> None:
    fields = {"kind": IdentityKind.WECOM, "value": external_userid, "created_at": desk.now}
    desk.add(ContactIdentity(contact_id=contact_id, **fields))


def enter(
    desk: Desk, staff: Staff, role: Role = Role.SALES, reach: Reach | None = None, cookie: str = "lianke_rep"
) -> Account:
    """Log the member in, as WeCom's sign-in does."""
    with desk.product.database.write() as session:
        account = logins.account_of_staff(session, staff, now=desk.now)
        logins.set_role(session, account, role, reach)
        _, token = logins.open_login(session, account, LoginWay.CLIENT, now=desk.now)
    desk.client.set_cookie(cookie, token)
    return account


def sign(desk: Desk, url: str, **more: str) -> TestResponse:
    page = desk.get("/sidebar").text
    csrf = re.search(r'data-csrf="([^"]+)"', page)
    headers = {"X-CSRF-Token": csrf[1] if csrf else "", **more}
    return desk.client.post("/sidebar/signature", data={"url": url}, headers=headers)


# --- where the sidebar leads


@pytest.mark.parametrize("path", ["/sidebar?chat=wm1", "/sidebar/open?external_userid=wm1"])
def test_client_without_session_is_sent_to_sign_in_and_back(
    desk: Desk, wecom: PretendedWeCom, path: str
) -> None:
    response = desk.get(path, headers=CLIENT)

    target = urlsplit(response.location)
    assert (response.status_code, target.path) == (303, "/sidebar/login")
    assert parse_qs(target.query) == {"next": [path]}


def test_profile_in_the_client_without_session_is_sent_to_sign_in(desk: Desk, wecom: PretendedWeCom) -> None:
    assert desk.get(headers=CLIENT).location.startswith("/sidebar/login?next=")
    assert desk.get().status_code == 403


def test_elsewhere_the_page_explains_and_offers_the_login(desk: Desk, wecom: PretendedWeCom) -> None:
    for path in ("/sidebar", "/sidebar/open?external_userid=wm1"):
        page = desk.get(path)
        assert page.status_code == 200
        assert 'href="/sidebar/login"' in page.text


def test_rep_gets_the_page_that_asks_the_client(desk: Desk, wecom: PretendedWeCom) -> None:
    enter(desk, desk.rep)

    page = desk.get("/sidebar?chat=wm1")

    assert page.status_code == 200
    assert "sandbox_sdk.js" in page.text
    assert "wecom.global.prod.js" not in page.text
    assert f'data-corp="{desk.product.config.wecom.corp_id}"' in page.text
    assert "connect-src 'self' http://127.0.0.1:9100;" in page.headers["Content-Security-Policy"]


def test_the_real_sdk_is_loaded_where_the_api_is_the_real_one(desk: Desk) -> None:
    config = desk.product.config
    real = config.wecom.model_copy(update={"api_base": "https://qyapi.weixin.qq.com"})
    desk.app = create_app(replace(desk.product, config=config.model_copy(update={"wecom": real})))
    desk.client = desk.app.test_client()
    enter(desk, desk.rep)

    page = desk.get("/sidebar")

    assert "wecom.global.prod.js" in page.text
    assert "sandbox" not in page.text
    assert "connect-src 'self';" in page.headers["Content-Security-Policy"]


# --- whose profile opens


def test_open_chat_leads_to_the_profile(desk: Desk, wecom: PretendedWeCom) -> None:
    enter(desk, desk.rep)

    page = desk.get("/sidebar/open?external_userid=wm1", follow_redirects=True)

    assert page.status_code == 200
    assert page.request.path == desk.path
    assert "李雷" in page.text


@pytest.mark.parametrize("asked", ["wm2", "wm-nobody", "", "w" * 65, "' OR 1=1 --"])
def test_foreign_and_unknown_customers_are_one_and_the_same_page(
    desk: Desk, wecom: PretendedWeCom, asked: str
) -> None:
    colleague = desk.staff("lina", "李娜")
    foreign = desk.add(Contact(name="韩梅梅", created_at=desk.now, owner_id=colleague.id))
    desk.relate(foreign, colleague)
    desk.relate(foreign, desk.rep, state=RelationState.TRANSFERRED)
    known(desk, foreign.id, "wm2")
    enter(desk, desk.rep)

    page = desk.get("/sidebar/open", query_string={"external_userid": asked})

    assert page.status_code == 404
    assert "看不到这位客户的资料" in page.text
    assert "韩梅梅" not in page.text
    assert desk.get(f"/sidebar/contacts/{foreign.id}").status_code == 404
    form = {"kind": "note", "content": "x", "next": "none", "form": "x"}
    answer = desk.client.post(f"/sidebar/contacts/{foreign.id}/followups", data=form)
    assert answer.status_code in (403, 404)
    assert desk.followups() == []


def test_manager_sees_within_their_reach(desk: Desk, wecom: PretendedWeCom) -> None:
    boss = desk.staff("boss", "主管")
    enter(desk, boss, Role.MANAGER, Reach.ALL)

    page = desk.get("/sidebar/open?external_userid=wm1", follow_redirects=True)

    assert page.status_code == 200
    assert "李雷" in page.text


def test_console_session_of_a_member_opens_the_sidebar_too(desk: Desk, wecom: PretendedWeCom) -> None:
    enter(desk, desk.rep, cookie="lianke_login")

    assert desk.get().status_code == 200


def test_follow_up_is_written_by_login(desk: Desk, wecom: PretendedWeCom) -> None:
    enter(desk, desk.rep)

    answer = desk.post(desk.form(desk.get()))

    assert answer.status_code == 303
    (row,) = desk.followups()
    assert (row.staff_id, row.content) == (desk.rep.id, "聊了报价")


def test_who_may_only_read_finds_no_form_and_is_refused(desk: Desk, wecom: PretendedWeCom) -> None:
    enter(desk, desk.rep)
    form = desk.form(desk.get())
    enter(desk, desk.rep, Role.READONLY)

    page = desk.get()

    assert page.status_code == 200
    assert "data-write" not in page.text
    assert desk.post(form).status_code == 403
    assert desk.followups() == []


def test_ended_session_opens_nothing(desk: Desk, wecom: PretendedWeCom) -> None:
    account = enter(desk, desk.rep)
    assert desk.get().status_code == 200

    with desk.product.database.write() as session:
        logins.end_all(session, account.id, now=desk.now)

    assert desk.get().status_code == 403
    assert sign(desk, f"{BASE}/sidebar").status_code == 403


# --- signatures


def test_own_page_is_signed_as_the_platform_signs(desk: Desk, wecom: PretendedWeCom) -> None:
    enter(desk, desk.rep)
    url = f"{BASE}/sidebar?chat=wm1"

    answer = sign(desk, url)

    told = answer.get_json()
    assert answer.status_code == 200
    assert set(told) == {"timestamp", "nonceStr", "signature"}
    assert told["signature"] == signature(TICKET, told["nonceStr"], told["timestamp"], url)
    assert TICKET not in answer.text


def test_signature_matches_the_published_vector() -> None:
    url = "https://scrm.example.com/sidebar?corp=1"

    assert signature("SIM_TICKET", "abc123", 1700000000, url) == "30b5925ff13345efc4b9894975eb580b0c624467"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/sidebar",
        "http://127.0.0.1:8000.evil.example/sidebar",
        "http://127.0.0.1:8000@evil.example/sidebar",
        "http://evil@127.0.0.1:8000/sidebar",
        "https://127.0.0.1:8000/sidebar",
        "http://127.0.0.1/sidebar",
        "//127.0.0.1:8000/sidebar",
        "/sidebar",
        f"{BASE}/sidebar#x",
        f"{BASE}/sidebarx",
        f"{BASE}/console",
        f"{BASE}/sidebar\\@evil.example",
        f"{BASE}/sidebar?a b",
        f"{BASE}/sidebar\n",
        f"{BASE}/sidebar?é",
        f"{BASE}/sidebar?{'x' * 2100}",
        "http://[::1/sidebar",
        "",
    ],
)
def test_nothing_else_is_signed(desk: Desk, wecom: PretendedWeCom, url: str) -> None:
    enter(desk, desk.rep)

    answer = sign(desk, url)

    assert answer.status_code == 403
    assert "signature" not in answer.text


def test_nobody_outside_gets_a_signature(desk: Desk, wecom: PretendedWeCom) -> None:
    assert desk.client.post("/sidebar/signature", data={"url": f"{BASE}/sidebar"}).status_code == 403


def test_another_site_cannot_ask_for_a_signature(desk: Desk, wecom: PretendedWeCom) -> None:
    enter(desk, desk.rep)

    assert sign(desk, f"{BASE}/sidebar", Origin="https://evil.example").status_code == 403
    assert sign(desk, f"{BASE}/sidebar", **{"X-CSRF-Token": "made-up"}).status_code == 403


def test_unreachable_wecom_is_no_signature(desk: Desk, wecom: PretendedWeCom) -> None:
    enter(desk, desk.rep)
    wecom.is_away = True

    assert sign(desk, f"{BASE}/sidebar").status_code == 502


@pytest.mark.parametrize(("language", "word"), [("zh", "看不到这位客户"), ("en", "You cannot see this")])
def test_pages_speak_both_languages(desk: Desk, wecom: PretendedWeCom, language: str, word: str) -> None:
    enter(desk, desk.rep)

    assert word in desk.get(f"/sidebar/open?external_userid=x&lang={language}").text
