"""The whole demo as its users see it: real processes, real browsers; what they looked like is kept under artifacts/."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.flows.test_demo import Demo

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "artifacts" / "screens"
CHROMIUM = Path("/usr/bin/chromium")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
DESK, PHONE, SIDEBAR = (1440, 900), (375, 812), (360, 640)
PATIENCE_MS = 20_000
# A journey imports thousands of customers who have no chat.
BEFORE_THE_IMPORT = date.today() - timedelta(days=2)  # noqa: DTZ011 - of the demo, on this machine
SERIOUS = ("serious", "critical")
PASSWORD = "a long password for the demo"
expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Look:
    """How a browser looks at the product."""

    size: tuple[int, int] = DESK
    language: str = "zh-CN"
    theme: str = "light"

    def __str__(self) -> str:
        return f"{self.size[0]}-{self.language[:2]}-{self.theme}"


class World:
    """The running demo and a browser."""

    def __init__(self, demo: Demo, browser: Browser) -> None:
        self.demo = demo
        self.browser = browser
        self.base: str = demo.info["base_url"]
        self.sandbox: str = demo.info["sandbox_url"]
        self._signed_in: list[dict[str, Any]] | None = None

    @contextmanager
    def window(self, look: Look | None = None, *, expects: str = "") -> Iterator[Page]:
        """A browser of its own. Nothing may go wrong in it: no script error, no page wider than the screen.

        ``expects`` matches errors of the network that the journey provokes.
        """
        look = look or Look()
        width, height = look.size
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            locale=look.language,
            color_scheme="dark" if look.theme == "dark" else "light",
            timezone_id="Asia/Shanghai",
            reduced_motion="reduce",
            accept_downloads=True,
        )
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        wrong: list[str] = []

        def heard(message: ConsoleMessage) -> None:
            if message.type == "error" and not (expects and re.search(expects, message.text)):
                wrong.append(message.text)

        page.on("console", heard)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        try:
            yield page
            assert wrong == []
        finally:
            context.close()

    def enter(self, page: Page) -> None:
        """Be the administrator whose login ``make demo`` printed."""
        if self._signed_in is None:
            page.goto(f"{self.base}/console")
            page.locator("#username").fill(self.demo.info["console_user"])
            page.locator("#password").fill(self.demo.info["console_password"])
            page.locator("form button[type=submit]").first.click()
            page.wait_for_url(re.compile(r"/console(?!/login)"))
            self._signed_in = page.context.cookies()  # type: ignore[assignment]
        page.context.add_cookies(self._signed_in)  # type: ignore[arg-type]
        page.goto(f"{self.base}/console")

    def beside_chat(self, page: Page, staff: str, customer: str = "") -> None:
        """Open the sidebar as WeCom does beside a chat of this member with this customer."""
        page.goto(f"{self.sandbox}/sandbox/sidebar?staff={staff}&customer={customer}")

    def box(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The sandbox's control API."""
        answer = self.demo.http.request(method, f"{self.sandbox}/sandbox{path}", json=body, timeout=20)
        assert answer.ok, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def rest(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The product's REST API."""
        headers = {"Authorization": f"Bearer {self.demo.info['api_token']}"}
        if method != "GET":
            headers["Idempotency-Key"] = re.sub(r"\W", "", f"{path}{body}")[:60]
        url = f"{self.base}/api/v1{path}"
        answer = self.demo.http.request(method, url, json=body, headers=headers, timeout=20)
        assert answer.ok, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not CHROMIUM.exists():
        pytest.skip("no /usr/bin/chromium")
    demo = Demo(tmp_path_factory.mktemp("journeys"))
    demo.start()
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
            yield World(demo, browser)
            browser.close()
    finally:
        demo.end(15)


def shoot(page: Page, name: str) -> None:
    """Keep what the page looks like."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def faults(page: Page) -> list[str]:
    """What keeps people from using the page: axe's serious findings, and a page that scrolls sideways."""
    found = Axe().run(
        page, options={"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]}
    )
    told = [
        f"{one['id']}: {one['help']} ({node['html'][:160]})"
        for one in found.response["violations"]
        if one["impact"] in SERIOUS
        for node in one["nodes"][:3]
    ]
    wide, inner = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    if wide > inner:
        told.append(f"scrolls sideways: {wide} of {inner}")
    return told


@pytest.fixture
def windows(world: World) -> Iterator[Callable[..., Page]]:
    """Open windows that are closed, and judged, at the end of the test."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda look=None, **more: stack.enter_context(world.window(look, **more))


def signed_in(context: BrowserContext) -> bool:
    """Whether this browser has a session."""
    return any("lianke" in cookie.get("name", "") for cookie in context.cookies())
