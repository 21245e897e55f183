"""In and out of the console, and what keeps others out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.web.console.door import safe_next
from scrm.accounts import logins
from scrm.accounts.models import Account, Login
from scrm.accounts.roles import PERMISSIONS, Role
from scrm.audit.models import AuditEntry
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import PASSWORD, Browser

Enter = Callable[..., Browser]


def deeds(desk: Desk) -> list[tuple[str, str]]:
    with desk.product.database.read() as session:
        rows = session.execute(select(AuditEntry.action, AuditEntry.actor_name).order_by(AuditEntry.n))
        return [(row.action, row.actor_name) for row in rows]


def logins_of(desk: Desk) -> list[Login]:
    with desk.product.database.read() as session:
        return list(session.scalars(select(Login)))


def test_whoever_is_not_in_is_asked_who_he_is_and_then_gets_what_he_wanted(
    browse: Callable[[], Browser], person: Callable[..., Account]
):
    person(Role.ADMIN, "admin")
    browser = browse()

    asked = browser.get("/console/audit?before=3")
    assert (asked.status_code, asked.location) == (303, "/console/login?next=%2Fconsole%2Faudit%3Fbefore%3D3")
    entered = browser.login("admin", next="/console/audit?before=3")
    assert (entered.status_code, entered.location) == (303, "/console/audit?before=3")
    assert browser.get(entered.location).status_code == 200


def test_a_wrong_password_and_a_wrong_name_look_the_same(
    desk: Desk, browse: Callable[[], Browser], person: Callable[..., Account]
):
    person(Role.ADMIN, "admin")

    wrong = [browse().login(name, password) for name, password in (("admin", "x"), ("nobody", PASSWORD))]

    assert [answer.status_code for answer in wrong] == [403, 403]
    assert (
        len(
            {
                answer.text.replace('value="nobody"', 'value="admin"').split("csrf_token")[0]
                for answer in wrong
            }
        )
        == 1
    )
    assert logins_of(desk) == []
    assert deeds(desk) == [("login:refused", "admin"), ("login:refused", "nobody")]


def test_five_wrong_passwords_from_an_address_close_the_door_for_that_name_there(
    browse: Callable[[], Browser], person: Callable[..., Account]
):
    person(Role.ADMIN, "admin")
    person(Role.ADMIN, "other")

    answers = [browse().login("admin", "wrong").status_code for _ in range(6)]

    assert answers == [403] * 5 + [429]
    assert browse().login("ADMIN".lower()).status_code == 429
    assert browse().login("other").status_code == 303


def test_the_cookie_is_for_http_only_and_new_at_each_login(
    browse: Callable[[], Browser], person: Callable[..., Account]
):
    person(Role.ADMIN, "admin")
    browser = browse()
    browser.use_cookie("planted")
    first = browser.login("admin").headers["Set-Cookie"]
    kept = browser.cookie().value
    browser.login("admin")

    assert "HttpOnly" in first
    assert "SameSite=Lax" in first
    assert "Max-Age" not in first
    assert kept != "planted"
    assert browser.cookie().value != kept


def test_an_ended_session_is_over_at_once_also_for_who_copied_the_cookie(
    desk: Desk, enter: Enter, browse: Any
):
    browser, thief = enter(Role.ADMIN), browse()
    thief.use_cookie(browser.cookie().value)
    assert thief.get("/console").status_code == 200

    assert browser.post("/console/logout").status_code == 303

    assert thief.get("/console").status_code == 303
    assert [action for action, _ in deeds(desk)] == ["login:opened", "login:ended"]


def test_a_role_that_was_taken_holds_at_the_next_request(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)
    assert browser.get("/console/audit").status_code == 200
    with desk.product.database.write() as session:
        logins.set_role(session, session.scalars(select(Account)).one(), Role.SALES)

    answer = browser.get("/console/audit")

    assert answer.status_code == 403
    assert "您没有这个权限" in answer.text


def test_an_idle_session_ends_and_one_in_use_goes_on(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)
    for _ in range(3):
        desk.now += timedelta(minutes=29)
        assert browser.get("/console").status_code == 200
    desk.now += timedelta(minutes=31)
    assert browser.get("/console").status_code == 303


def test_a_generated_password_must_be_changed_first(desk: Desk, browse: Callable[[], Browser]):
    with desk.product.database.write() as session:
        logins.create_local(session, username="admin", password=PASSWORD, role=Role.ADMIN, now=desk.now)
    browser = browse()
    browser.login("admin")

    assert browser.get("/console").location == "/console/password"
    assert browser.post("/console/audit/verify").location == "/console/password"
    short = browser.post("/console/password", {"old": PASSWORD, "new": "short"})
    assert (short.status_code, "新密码为 10-128 个字符" in short.text) == (422, True)
    assert browser.post("/console/password", {"old": "x", "new": "a long new one"}).status_code == 422
    assert browser.post("/console/password", {"old": PASSWORD, "new": "a long new one"}).status_code == 303
    assert browser.get("/console").status_code == 200
    assert browse().login("admin").status_code == 403
    assert browse().login("admin", "a long new one").status_code == 303


def test_a_form_without_its_token_or_from_elsewhere_changes_nothing(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)

    bare = browser._client.post("/console/logout")
    foreign = browser.post("/console/logout", headers={"Origin": "https://evil.example"})
    wrong = browser.post("/console/logout", {"csrf_token": "x"})
    null = browser.post("/console/logout", headers={"Origin": "null"})

    assert [answer.status_code for answer in (bare, foreign, wrong, null)] == [403] * 4
    assert browser.get("/console").status_code == 200


def test_every_unsafe_page_refuses_a_request_without_a_token(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)
    rules = [
        rule
        for rule in desk.app.url_map.iter_rules()
        if rule.rule.startswith("/console") and "POST" in rule.methods
    ]
    assert len(rules) >= 4
    for rule in rules:
        path = rule.rule
        for argument in rule.arguments:
            path = path.replace(f"<{argument}>", "x").replace(f"<int:{argument}>", "1")
        assert browser._client.post(path).status_code == 403, rule.rule


@pytest.mark.parametrize("role", [*Role])
def test_each_role_opens_what_it_may_and_nothing_else(desk: Desk, enter: Enter, role: Role):
    """Every page of the console that needs no row, declared with its permission."""
    browser = enter(role, staff=desk.rep)
    pages = [
        page
        for page in desk.app.extensions["lianke_console"]
        if page.method == "GET" and "<" not in page.rule
    ]
    assert len(pages) >= 3
    for page in pages:
        may = not page.permission or page.permission in PERMISSIONS[role]
        assert browser.get(page.rule).status_code == (200 if may else 403), page.rule


def test_every_route_under_console_is_declared_with_a_permission(desk: Desk):
    declared = {(page.rule, page.method) for page in desk.app.extensions["lianke_console"]}
    open_to_all = {("/console/login", "GET"), ("/console/login", "POST"), ("/console/login/wecom", "GET")}
    routes = {
        (rule.rule, method)
        for rule in desk.app.url_map.iter_rules()
        if rule.rule.startswith("/console")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }

    assert routes == declared | open_to_all


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil",
        "https:evil",
        "https://evil.example/",
        "javascript:alert(1)",
        "",
        "@evil",
        "/a\r\nX: y",
        "\\\\evil",
    ],
)
def test_nobody_is_sent_elsewhere(target: str):
    assert safe_next(target) == "/console"


def test_names_of_people_stay_text(desk: Desk, enter: Enter):
    evil = "<img src=x onerror=alert(1)>"
    with desk.product.database.write() as session:
        session.add(Account(name=evil, username="x", role=Role.ADMIN, reach="all", created_at=desk.now))
    browser = enter(Role.ADMIN)
    browser.login(evil, "x")

    page = browser.get("/console/audit").text

    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_the_console_is_there_in_english(enter: Enter):
    page = enter(Role.ADMIN).get("/console/audit?lang=en").text

    assert "Who did what and when" in page
    assert 'lang="en"' in page
