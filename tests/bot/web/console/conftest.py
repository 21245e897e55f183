"""The console in test browsers: people with roles, who log in as people do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from scrm.accounts import logins
from scrm.accounts.models import Account, Staff
from scrm.accounts.roles import USUAL_REACH, Reach, Role
from tests.bot.web.conftest import Desk

PASSWORD = "a password for tests"


class Browser:
    """One person's browser; it keeps cookies and sends forms with the token of the page they stand on."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client

    def get(self, path: str, **options: Any) -> TestResponse:
        return self._client.get(path, **options)

    def post(self, path: str, form: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Send a form, with the token that a page of ours would carry."""
        return self._client.post(path, data={"csrf_token": self.token(), **(form or {})}, **options)

    def token(self) -> str:
        """From whatever page this person can open: the login, or their password's."""
        page = self.get("/console/password", follow_redirects=True).text
        return re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]

    def login(self, username: str, password: str = PASSWORD, **form: str) -> TestResponse:
        return self.post("/console/login", {"username": username, "password": password, **form})

    def cookie(self) -> Any:
        return self._client.get_cookie("lianke_login")

    def use_cookie(self, value: str) -> None:
        self._client.set_cookie("lianke_login", value)


@pytest.fixture
def browse(desk: Desk) -> Callable[[], Browser]:
    """A new browser."""
    return lambda: Browser(desk.app.test_client())


@pytest.fixture
def person(desk: Desk) -> Callable[..., Account]:
    """An account with the tests' password; of a member where one is named."""

    def make(
        role: Role, username: str = "", staff: Staff | None = None, reach: Reach | None = None
    ) -> Account:
        with desk.product.database.write() as session:
            account = logins.create_local(
                session,
                username=username or role.value,
                password=PASSWORD,
                role=role,
                now=desk.now,
                must_change=False,
            )
            account.staff_id = staff.id if staff else None
            account.reach = reach or USUAL_REACH[role]
        return account

    return make


@pytest.fixture
def enter(person: Callable[..., Account], browse: Callable[[], Browser]) -> Iterator[Callable[..., Browser]]:
    """A browser in which somebody of this role is in."""

    def open_for(role: Role, **more: Any) -> Browser:
        account = person(role, **more)
        browser = browse()
        answer = browser.login(account.username or "")
        assert answer.status_code == 303, answer.text
        return browser

    return open_for
