"""Every page that can be reached, in both languages, at its widths, in both themes, can be read and used."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.journeys.conftest import BEFORE_THE_IMPORT, DESK, PHONE, SIDEBAR, Look, World, faults, shoot

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600), pytest.mark.xdist_group("journeys")]
# One desk and one phone, one language and theme each; LIANKE_ALL_LOOKS=1 walks the others too.
LOOKS = [Look(DESK, "zh-CN", "light"), Look(PHONE, "en-US", "dark")]
if os.environ.get("LIANKE_ALL_LOOKS"):
    LOOKS += [Look(PHONE, "zh-CN", "dark"), Look(DESK, "en-US", "dark"), Look(PHONE, "en-US", "light")]
MOST = 60
NOT_PAGES = re.compile(
    r"\.(csv|png|svg|zip|xlsx)(\?|$)|/(logout|changes|download|template|files)|[?&](lang|download)="
)


def pattern(path: str) -> str:
    """Pages that differ in an id only are one page."""
    return re.sub(r"/(01[0-9A-Z]{24}|\d+)(?=/|$)", "/*", urlsplit(path).path)


def links(page: Page) -> Iterator[str]:
    """Pages of ours that this one leads to."""
    here = urlsplit(page.url)
    for target in page.evaluate(
        "[...document.querySelectorAll('main a[href], .rail a[href]')].map(a => a.href)"
    ):
        parts = urlsplit(target)
        if parts.netloc == here.netloc and not NOT_PAGES.search(target):
            yield target


def walk(page: Page, start: str, within: str) -> Iterator[str]:
    """Open each kind of page once; its pattern."""
    seen, waiting = {pattern(start)}, [start]
    while waiting and len(seen) <= MOST:
        page.goto(waiting.pop(0))
        yield pattern(page.url)
        for target in links(page):
            kind = pattern(target)
            if kind.startswith(within) and kind not in seen:
                seen.add(kind)
                waiting.append(target)


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_every_page_of_the_console_can_be_used(world: World, look: Look) -> None:
    found: dict[str, list[str]] = {}
    with world.window(look) as page:
        world.enter(page)
        for kind in walk(page, f"{world.base}/console", "/console"):
            shoot(
                page, f"console{kind.removeprefix('/console').replace('/', '_').replace('*', 'one')}-{look}"
            )
            found[kind] = faults(page)
    told = [f"{kind}: {each}" for kind, wrong in found.items() for each in wrong]
    assert not told, "\n".join(told)
    assert len(found) > 10, found.keys()


@pytest.mark.parametrize("look", [Look(SIDEBAR, "zh-CN", "light"), Look(PHONE, "en-US", "dark")], ids=str)
def test_every_page_of_the_sidebar_can_be_used(world: World, look: Look) -> None:
    found: dict[str, list[str]] = {}
    with world.window(look) as page:
        relation = next(
            row
            for row in world.rest("GET", f"/contacts?limit=50&created_to={BEFORE_THE_IMPORT}")["items"]
            if any(r["state"] == "active" for r in row["relations"])
        )
        staff = next(r["staff"] for r in relation["relations"] if r["state"] == "active")
        external = next(i["value"] for i in relation["identities"] if i["kind"] == "wecom_external_userid")
        world.beside_chat(page, staff["userid"], external)
        page.wait_for_url(re.compile("/sidebar/contacts/"))
        for kind in walk(page, page.url, "/sidebar"):
            shoot(
                page, f"sidebar{kind.removeprefix('/sidebar').replace('/', '_').replace('*', 'one')}-{look}"
            )
            found[kind] = faults(page)
    told = [f"{kind}: {each}" for kind, wrong in found.items() for each in wrong]
    assert not told, "\n".join(told)
    assert found
