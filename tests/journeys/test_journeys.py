"""What people do from end to end, in a browser, with the sandbox as WeCom and its ledger as the judge."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
import python_calamine
from playwright.sync_api import Page, expect

from scrm.ids import new_id
from tests.journeys.conftest import BEFORE_THE_IMPORT, PHONE, SIDEBAR, Look, World, faults, shoot

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300), pytest.mark.xdist_group("journeys")]
NASTY = "<img src=x onerror=alert(1)>'\"><script>window.hurt=1</script>&amp;\u202e"
REP, OTHER = "chensiyuan", "zhoulei"


def external_of(contact: dict[str, Any]) -> str:
    """The id WeCom knows a contact by."""
    return next(one["value"] for one in contact["identities"] if one["kind"] == "wecom_external_userid")


def friend_of(world: World, userid: str) -> dict[str, Any]:
    """A contact who is connected with this member and nobody else; thousands who came by the import are not."""
    for contact in world.rest("GET", f"/contacts?limit=100&created_to={BEFORE_THE_IMPORT}")["items"]:
        live = [row for row in contact["relations"] if row["state"] == "active"]
        if [row["staff"]["userid"] for row in live] == [userid]:
            return contact
    raise AssertionError(f"{userid} has nobody of their own")


def a_rep(world: World) -> str:
    """Somebody who has customers of their own."""
    for person in world.rest("GET", "/staff?limit=50")["items"]:
        try:
            friend_of(world, person["userid"])
        except AssertionError:
            continue
        return str(person["userid"])
    raise AssertionError("nobody has customers")


def make_channel(world: World, page: Page, name: str) -> str:
    """By the wizard; the code's config_id."""
    page.goto(f"{world.base}/console/channels/new")
    for edit in (
        lambda: page.locator("#name").fill(name),
        page.locator("input[name=staff]").first.check,
        lambda: page.locator("#text").fill("{customer}您好，我是{rep}"),
    ):
        # One after another: an edit, or the page's end, aborts the preview that is on its way.
        with page.expect_response(re.compile("/channels/preview")):
            edit()
    expect(page.locator("#preview")).to_contain_text("您好，我是")
    page.locator("#channel-form button[type=submit]").first.click()
    page.wait_for_url(re.compile(r"/console/channels/01"))
    channel = page.url.split("/channels/")[1].split("?")[0]
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = world.rest("GET", f"/channels/{channel}")
        if found.get("config_id"):
            return str(found["config_id"])
        time.sleep(0.2)
    raise AssertionError("WeCom made no code")


def scan(world: World, code: str, name: str) -> tuple[str, str]:
    """A customer scans; their id and the rep who is added."""
    answer = world.box("POST", "/scan", {"customer": name, "code": code})
    return answer["customer_id"], answer["staff"]


def phone(world: World, customer: str) -> list[str]:
    """What arrived on the customer's phone."""
    return [message.get("text") or "" for message in world.box("GET", f"/customers/{customer}")["messages"]]


def until(told: str, happened: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, told
        time.sleep(0.1)


def test_a_newcomer_makes_a_channel_serves_a_customer_and_the_manager_reads_of_it(
    world: World, windows
) -> None:
    name = f"周文博{new_id()[-5:]}"
    desk = windows()
    world.enter(desk)
    code = make_channel(world, desk, f"展会{new_id()[-5:]}")
    shoot(desk, "journey-channel-made")
    customer, staff = scan(world, code, name)
    until("the welcome arrived", lambda: any(name in text for text in phone(world, customer)))

    sidebar = windows(Look(SIDEBAR))
    world.beside_chat(sidebar, staff, customer)
    sidebar.wait_for_url(re.compile("/sidebar/contacts/"))
    expect(sidebar.locator("body")).to_contain_text(name)
    shoot(sidebar, "journey-sidebar")
    # a tag, in two taps; WeCom has it
    sidebar.locator("a[href='#tags']").first.click()
    tag = sidebar.locator("#tags .tag-group .chip-button").first
    wanted = tag.inner_text().strip()
    tag.click()
    expect(sidebar.locator(".chips").first).to_contain_text(wanted)
    until("WeCom has the tag", lambda: wanted in str(world.box("GET", f"/customers/{customer}")["tags"]))
    # a quick reply, which arrives on the phone
    sidebar.get_by_role("link", name="话术").click()
    before = len(world.box("GET", f"/customers/{customer}")["messages"])
    sidebar.locator("[data-item]").first.click()
    until("it arrived", lambda: len(world.box("GET", f"/customers/{customer}")["messages"]) > before)
    shoot(sidebar, "journey-reply-sent")
    sidebar.get_by_role("link", name="写跟进").first.click()
    sidebar.locator("#content").fill("介绍了冷藏挂车的租期，客户要报价")
    sidebar.locator("#write button[type=submit]").click()
    sidebar.wait_for_load_state()

    desk.goto(f"{world.base}/console/followups")
    row = desk.locator("main", has_text="介绍了冷藏挂车的租期，客户要报价")
    expect(row).to_contain_text(name)
    shoot(desk, "journey-followup-found")
    desk.locator(".export summary").first.click()
    with desk.expect_download() as kept:
        desk.locator(".export form button[formaction]").click()
    assert "冷藏挂车" in Path(kept.value.path()).read_text("utf-8-sig")


def test_a_list_that_is_open_shows_who_has_just_scanned(world: World, windows) -> None:
    desk = windows()
    world.enter(desk)
    code = make_channel(world, desk, f"直播{new_id()[-5:]}")
    desk.goto(f"{world.base}/console/contacts")
    name = f"刚刚来{new_id()[-5:]}"
    scan(world, code, name)
    expect(desk.locator("main")).to_contain_text(name)
    shoot(desk, "journey-live")


def test_a_rep_opens_nobody_elses_customer_by_any_address(world: World, windows) -> None:
    rep = a_rep(world)
    foreign = next(
        contact
        for contact in world.rest("GET", "/contacts?limit=100")["items"]
        if rep not in [row["staff"]["userid"] for row in contact["relations"]]
        and (contact["owner"] or {}).get("id")
        not in [p["id"] for p in world.rest("GET", "/staff?limit=50")["items"] if p["userid"] == rep]
    )
    page = windows(expects="404|403")
    page.goto(f"{world.base}/console/login")
    own = friend_of(world, rep)
    page.goto(f"{world.sandbox}/sandbox/sidebar?staff={rep}&customer={external_of(own)}")
    page.wait_for_url(re.compile(f"/sidebar/contacts/{own['id']}"))
    expect(page.locator("body")).to_contain_text(own["name"] or "客户")
    page.goto(f"{world.sandbox}/sandbox/sidebar?staff={rep}&customer={external_of(foreign)}")
    page.wait_for_load_state("networkidle")
    expect(page.locator("body")).not_to_contain_text(foreign["name"] or "nobody has no name")
    for path in (
        f"/sidebar/contacts/{foreign['id']}",
        f"/sidebar/contacts/{foreign['id']}?tab=followups",
        f"/sidebar/contacts/{foreign['id']}/replies",
        f"/sidebar/contacts/{foreign['id']}/materials",
    ):
        answer = page.goto(f"{world.base}{path}")
        assert answer is not None
        assert answer.status in (403, 404), (path, answer.status)
    for path in (f"/sidebar/contacts/{own['id']}", f"/sidebar/contacts/{own['id']}/replies"):
        answer = page.goto(f"{world.base}{path}")
        assert answer is not None
        assert answer.status == 200, (path, answer.status)


def test_names_that_are_markup_stay_text_everywhere(world: World, windows) -> None:
    desk = windows()
    world.enter(desk)
    code = make_channel(world, desk, f"{NASTY}{new_id()[-5:]}"[:60])
    customer, staff = scan(world, code, NASTY)
    until("the welcome arrived", lambda: phone(world, customer))
    contact = world.rest("GET", "/contacts?limit=1")["items"][0]
    world.rest(
        "POST", f"/contacts/{contact['id']}/followups", {"staff": staff, "kind": "note", "content": NASTY}
    )
    for path in (
        *("/console", "/console/contacts", f"/console/contacts/{contact['id']}", "/console/channels"),
        *("/console/followups", "/console/events", "/console/calls", "/console/audit"),
    ):
        desk.goto(f"{world.base}{path}")
        assert desk.evaluate("window.hurt") is None, path
        assert desk.locator("img[src=x]").count() == 0, path
    sidebar = windows(Look(PHONE))
    world.beside_chat(sidebar, staff, customer)
    sidebar.wait_for_url(re.compile("/sidebar/contacts/"))
    assert sidebar.evaluate("window.hurt") is None
    assert sidebar.locator("img[src=x]").count() == 0
    shoot(sidebar, "journey-markup")


def test_an_event_is_followed_and_replayed(world: World, windows) -> None:
    desk = windows()
    world.enter(desk)
    desk.goto(f"{world.base}/console/events")
    desk.locator("main a[href*='/console/events/']").first.click()
    expect(desk.locator(".way")).to_be_visible()
    shoot(desk, "journey-event")
    desk.locator("a[href*='/replay']").first.click()
    again = desk.get_by_role("button", name="确认重放")
    expect(again).to_be_visible()
    shoot(desk, "journey-replay-tried")
    again.click()
    desk.wait_for_url(re.compile(r"/console/events/\d+"))
    expect(desk.locator(".way")).to_be_visible()


def test_5000_rows_are_imported_and_the_37_bad_ones_come_back(world: World, windows, tmp_path: Path) -> None:
    every = 5000 // 37
    bad = {n * every for n in range(37)}
    rows = [f"导入{n},{'12' if n in bad else f'1571{n:07d}'}" for n in range(5000)]
    sheet = tmp_path / "leads.csv"
    sheet.write_text("姓名,手机号\n" + "\n".join(rows), "utf-8")
    desk = windows()
    world.enter(desk)
    desk.goto(f"{world.base}/console/import")
    desk.locator("#file").set_input_files(sheet)
    expect(desk.locator(".drop.is-filled")).to_contain_text(sheet.name)
    desk.locator("main form button[type=submit]").first.click()
    expect(desk.locator("#looked")).to_contain_text("4,963", timeout=60_000)
    shoot(desk, "journey-import-preview")
    desk.locator("#looked .btn-primary").click()
    desk.wait_for_url(re.compile("/console/jobs/"))
    link = desk.locator("#job a[href*=failed]")
    expect(link).to_be_visible(timeout=180_000)
    expect(desk.locator("#job")).to_contain_text("4,963")
    shoot(desk, "journey-import-done")
    with desk.expect_download() as kept:
        link.click()
    book = python_calamine.load_workbook(str(kept.value.path()))
    assert len(book.get_sheet_by_index(0).to_python()) == 1 + 37


def test_a_customer_is_found_by_letters_from_anywhere(world: World, windows) -> None:
    desk = windows()
    world.enter(desk)
    code = make_channel(world, desk, f"拼音{new_id()[-5:]}")
    scan(world, code, "欧阳娜娜")
    until("the name is known", lambda: world.rest("GET", "/contacts?q=欧阳娜娜")["items"])
    desk.goto(f"{world.base}/console/audit")
    desk.keyboard.press("Control+k")
    expect(desk.locator(".palette")).to_be_visible()
    with desk.expect_response(re.compile("q=oynn")):  # not before: a page left meanwhile aborts the search
        desk.keyboard.type("oynn")
    expect(desk.locator(".palette")).to_contain_text("欧阳娜娜")
    shoot(desk, "journey-palette")
    desk.locator(".palette a", has_text="欧阳娜娜").first.click()
    desk.wait_for_url(re.compile("/console/contacts/"))
    expect(desk.locator("h1")).to_contain_text("欧阳娜娜")


def test_a_group_chat_has_its_sidebar(world: World, windows) -> None:
    group = world.rest("GET", "/groups?limit=1")["items"][0]
    owner = group["owner"]["userid"]
    sidebar = windows(Look(SIDEBAR))
    sidebar.goto(f"{world.sandbox}/sandbox/sidebar?staff={owner}&group={group['chat_id']}")
    sidebar.wait_for_url(re.compile("/sidebar/groups/"))
    expect(sidebar.locator("body")).to_contain_text(group["name"])
    shoot(sidebar, "journey-group")


def test_a_member_becomes_a_manager_and_sees_the_department(world: World, windows) -> None:
    desk = windows()
    world.enter(desk)
    desk.goto(f"{world.base}/console/settings/people")
    expect(desk.locator("main")).to_contain_text(world.demo.info["console_user"])
    shoot(desk, "journey-people")


def test_a_rep_begins_the_day_at_home(world: World, windows) -> None:
    sidebar = windows(Look(SIDEBAR))
    world.beside_chat(sidebar, a_rep(world))
    sidebar.wait_for_url(re.compile("/sidebar/home"))
    shoot(sidebar, "journey-home")
    assert faults(sidebar) == []


def test_an_ended_session_is_over_at_once(world: World, windows) -> None:
    desk, same = windows(), windows()
    desk.goto(f"{world.base}/console/login")
    desk.locator("#username").fill(world.demo.info["console_user"])
    desk.locator("#password").fill(world.demo.info["console_password"])
    desk.locator("form button[type=submit]").first.click()
    desk.wait_for_url(re.compile(r"/console(?!/login)"))
    same.context.add_cookies(desk.context.cookies())
    same.goto(f"{world.base}/console/contacts")
    expect(same.locator("h1")).to_be_visible()
    desk.locator(".me summary").click()
    desk.locator("form[action*=logout] button").click()
    desk.wait_for_url(re.compile("/console/login"))
    same.goto(f"{world.base}/console/contacts")
    assert "/console/login" in same.url
