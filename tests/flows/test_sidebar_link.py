"""A rep's own way: a customer scans, the app message comes, its link opens the profile, a follow-up is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.flows.scene import Scene

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ARTEFACTS = Path("artifacts/sidebar")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path) as made:
        yield made


@pytest.fixture(params=[360, 375], ids=["pc-sidebar", "phone"])
def phone(request: pytest.FixtureRequest) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        context = browser.new_context(viewport={"width": request.param, "height": 720}, locale="zh-CN")
        yield context.new_page()
        browser.close()


@pytest.mark.browser
def test_the_rep_opens_the_message_writes_a_follow_up_and_sees_it(scene: Scene, phone: Page) -> None:
    channel = scene.channel("上海展会")
    who = scene.scan("李雷", channel)
    scene.settle()
    contact = scene.contact(who["customer_id"])
    notice = scene.ledger_of("message/send", who["customer_id"])[0]["body"]
    troubles: list[str] = []
    phone.on(
        "console", lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None
    )
    phone.on("pageerror", lambda error: troubles.append(str(error)))

    phone.goto(notice["textcard"]["url"])

    assert notice["touser"] == who["staff"]
    assert phone.url == f"{scene.base}/sidebar/contacts/{contact['id']}"
    expect(phone.get_by_role("heading", level=1)).to_have_text("李雷")
    expect(phone.locator(".who")).to_contain_text("上海展会")
    expect(phone.locator(".owner")).to_contain_text("归我")

    phone.get_by_role("link", name="写跟进").click()
    expect(phone.get_by_label("跟进内容")).to_be_focused()
    phone.keyboard.type("要三份样品，下周报价")
    phone.get_by_role("radio", name="明天").check()
    phone.get_by_placeholder("下一步做什么").fill("发样品清单")
    phone.get_by_role("button", name="保存跟进").click()

    expect(phone.get_by_role("status").first).to_contain_text("跟进已保存")
    expect(phone.locator(".entry").first).to_contain_text("记录了跟进：要三份样品，下周报价")
    expect(phone.locator(".todo")).to_contain_text("发样品清单")
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert troubles == []
    log = scene.all("/followups")
    assert [(row["content"], row["staff"]["userid"], row["contact"]["id"]) for row in log] == [
        ("要三份样品，下周报价", who["staff"], contact["id"])
    ]
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    phone.screenshot(path=ARTEFACTS / f"profile-{phone.viewport_size['width']}.png")


@pytest.mark.browser
def test_an_unfinished_follow_up_survives_the_sidebar_being_rebuilt(scene: Scene, phone: Page) -> None:
    who = scene.scan("李雷", scene.channel("上海展会"))
    scene.settle()
    link = scene.ledger_of("message/send", who["customer_id"])[0]["body"]["textcard"]["url"]
    phone.goto(link)
    phone.get_by_role("link", name="写跟进").click()
    phone.get_by_label("跟进内容").fill("写到一半")

    phone.goto(link)
    phone.get_by_role("link", name="写跟进").click()

    expect(phone.get_by_label("跟进内容")).to_have_value("写到一半")
    phone.get_by_role("button", name="保存跟进").click()
    expect(phone.locator(".entry").first).to_contain_text("写到一半")
    phone.reload()
    expect(phone.get_by_label("跟进内容")).to_have_value("")
