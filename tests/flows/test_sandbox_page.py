"""The sandbox's page in a real browser, with the whole product behind it: what a visitor does in the first minute."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from bot.workers.sync import run_sync
from scrm.ids import new_id
from scrm.sync import service as sync
from tests.stand import Stand

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
CHROMIUM = Path("/usr/bin/chromium")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LINK = {
    "msgtype": "link",
    "link": {"title": "产品手册 2026", "desc": "四大系列", "url": "https://example.com/handbook"},
}
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    home = tmp_path_factory.mktemp("page")
    info = home / "demo.json"
    with_product = Stand(home, product_info=str(info))
    product = with_product.product
    info.write_text(json.dumps({"base_url": with_product.base, "api_token": with_product.token}), "utf-8")
    with product.database.write() as session:
        job = sync.start_sync(session, created_by="test", now=product.clock()).id
    run_sync(product.database, product.client, job, corp=product.corp, clock=product.clock, sleep=time.sleep)
    with with_product:
        body = {
            "name": "上海物流展", "staff": ["zhangsan"], "tags": ["展会"],
            "welcome": {"text": "{customer}，您好，欢迎！", "attachments": [LINK]},
        }  # fmt: skip
        made = with_product.api("POST", "/channels", body, headers={"Idempotency-Key": new_id()})
        assert made.status_code == 201, made.text
        yield with_product


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("no /usr/bin/chromium")
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        yield opened
        opened.close()


@pytest.fixture(params=[(1440, 900), (375, 812)], ids=["desk", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, stand: Stand) -> Iterator[Page]:
    width, height = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale="zh-CN", timezone_id="Asia/Shanghai",
        reduced_motion="reduce",
    )  # fmt: skip
    page = context.new_page()
    wrong: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and "404" not in message.text:  # a customer who is gone is asked for once
            wrong.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(stand.box.url)
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    context.close()
    assert wrong == []


def scan(page: Page, name: str) -> None:
    page.get_by_role("button", name="扫一扫").first.click()
    page.locator(".code", has_text="上海物流展").click()
    page.locator("#who-name").fill(name)
    page.get_by_role("button", name="扫码添加").click()


def go_to(page: Page, pane: str) -> None:
    """Show a pane where panes are tabs."""
    tab = page.locator(f"#tabs [data-pane={pane}]")
    if tab.is_visible():
        tab.click()


def only_customer(stand: Stand, name: str) -> dict[str, Any]:
    found: dict[str, Any] = stand.box.get(f"/sandbox/customers/{name}")
    return found


def test_a_scan_shows_the_welcome_the_reps_notice_and_every_step(page: Page, stand: Stand) -> None:
    name = f"周文博{new_id()[-4:]}"
    scan(page, name)

    chat = page.get_by_role("log", name="聊天记录")
    expect(chat).to_contain_text(f"{name}，您好，欢迎！")
    expect(chat.locator("a.card")).to_have_attribute("href", "https://example.com/handbook")
    go_to(page, "rep")
    card = page.locator(".app-card", has_text=name)
    expect(card.get_by_role("link")).to_have_attribute(
        "href", re.compile(re.escape(stand.base) + ".*contacts/")
    )
    go_to(page, "trace")
    expect(page.locator(".verdict")).to_contain_text("欢迎语在扫码后")
    expect(page.locator(".verdict")).to_contain_text("共")
    phases = page.locator(".step").evaluate_all("steps => steps.map(step => step.dataset.phase)")
    assert phases[:2] == ["scan", "callback"]
    assert {"inbox", "handler", "outbox", "api"} <= set(phases)
    welcome = page.locator(".step[data-phase=api]", has_text="发送欢迎语")
    expect(welcome).to_contain_text("errcode 0")
    expect(welcome).to_contain_text("成功")
    welcome.get_by_role("button").click()
    expect(welcome.locator("pre")).to_contain_text('"welcome_code": "***"')
    assert stand.token not in page.content()


def test_deleting_the_rep_on_the_phone_tells_the_product(page: Page, stand: Stand) -> None:
    name = f"林晓彤{new_id()[-4:]}"
    scan(page, name)
    expect(page.get_by_role("log", name="聊天记录")).to_contain_text("欢迎")

    page.get_by_role("button", name="联系人资料与删除").click()
    page.get_by_role("button", name="删除联系人").click()
    sheet = page.get_by_role("dialog", name="删除联系人")
    expect(sheet.get_by_role("button", name="取消")).to_be_focused()
    sheet.get_by_role("button", name="删除联系人").click()

    expect(page.locator("#screen")).to_contain_text("你已删除张三")
    go_to(page, "trace")
    expect(page.locator(".steps")).to_contain_text("客户删除了好友张三")
    assert only_customer(stand, name)["relations"][0]["deleted_by_customer"] is True


def test_a_name_is_text_whatever_it_is_made_of(page: Page, stand: Stand) -> None:
    name = f"<img src=x onerror=alert(1)>محمد\u202e{'很长' * 8}{new_id()[-4:]}"
    scan(page, name)

    expect(page.get_by_role("log", name="聊天记录")).to_contain_text("您好，欢迎！")
    assert page.locator("img[src=x]").count() == 0
    go_to(page, "rep")
    expect(page.locator(".app-card").first).to_contain_text("<img src=x")


def test_a_rep_edits_remark_and_tags_and_deletes_the_customer(page: Page, stand: Stand) -> None:
    name = f"孙海波{new_id()[-4:]}"
    scan(page, name)
    expect(page.get_by_role("log", name="聊天记录")).to_contain_text("欢迎")
    go_to(page, "rep")
    page.get_by_role("tab", name="客户", exact=True).click()
    row = page.locator(".customer", has_text=name)
    row.get_by_role("button").first.click()
    row.get_by_label("备注名").fill("孙总")
    row.get_by_role("button", name="官网").click()
    row.get_by_role("button", name="保存修改").click()

    expect(page.locator(".customer", has_text="孙总").first).to_contain_text("官网")
    assert only_customer(stand, name)["relations"][0]["remark"] == "孙总"
    row = page.locator(".customer", has_text=name)
    row.get_by_role("button").first.click()
    row.get_by_role("button", name="删除客户").click()
    page.get_by_role("dialog").get_by_role("button", name="删除客户").click()
    expect(page.locator(".customer", has_text=name)).to_have_count(0)
    assert only_customer(stand, name)["relations"] == []


def test_a_fault_is_armed_seen_in_the_trace_and_cleared(page: Page, stand: Stand) -> None:
    go_to(page, "trace")
    page.locator("#fault-api").select_option("message/send")
    page.locator("#fault-mode").select_option("errcode")
    page.locator("#fault-errcode").select_option("84061")
    page.locator("#arm").click()
    expect(page.locator(".armed")).to_contain_text("还剩 1 次")
    go_to(page, "phone")
    scan(page, f"何建国{new_id()[-4:]}")
    go_to(page, "trace")

    notice = page.locator(".step[data-phase=api]", has_text="通知员工")
    expect(notice).to_contain_text("84061")
    expect(page.locator(".armed")).to_be_hidden()
    page.locator("#arm").click()
    page.locator("#clear-faults").click()
    expect(page.locator(".armed")).to_be_hidden()
    assert stand.box.get("/sandbox/faults")["items"] == []


def test_a_resent_callback_changes_nothing(page: Page, stand: Stand) -> None:
    name = f"罗志强{new_id()[-4:]}"
    scan(page, name)
    expect(page.get_by_role("log", name="聊天记录")).to_contain_text("欢迎")
    go_to(page, "trace")
    expect(page.locator(".verdict")).to_contain_text("共")
    before = stand.box.get("/sandbox/summary")["seqs"]["ledger"]

    page.locator("#resend").click()

    expect(page.locator(".toast")).to_contain_text("应答 HTTP 200")
    expect(page.locator(".step[data-phase=callback] li")).to_have_count(2)
    time.sleep(1)
    assert stand.box.get("/sandbox/summary")["seqs"]["ledger"] == before


def test_language_theme_and_place_survive_a_reload(page: Page) -> None:
    scan(page, f"程雅静{new_id()[-4:]}")
    expect(page.get_by_role("log", name="聊天记录")).to_contain_text("欢迎")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("log", name="Conversation")).to_contain_text("欢迎")
    page.get_by_role("button", name="Switch to dark").click()
    page.reload()

    expect(page.get_by_role("log", name="Conversation")).to_contain_text("欢迎")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    left = page.evaluate(
        "[...document.querySelectorAll('button, h1, h2, h3, h4, label, option')]"
        ".filter(e => !e.querySelector('bdi') && !e.closest('.wx-body, .members, .choice, bdi'))"
        ".map(e => e.textContent).filter(text => /[\\u4e00-\\u9fff]/.test(text))"
    )
    assert [text for text in left if text not in ("中文", "张三", "@联客演示公司", "张三@联客演示公司")] == []


def test_a_code_in_the_address_asks_only_who_scans(page: Page, stand: Stand) -> None:
    way = stand.box.get("/sandbox/ways")["items"][0]
    page.goto(f"{stand.box.url}/?code={way['config_id']}")
    expect(page.get_by_role("dialog", name="谁来扫这个码？")).to_contain_text("上海物流展")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
