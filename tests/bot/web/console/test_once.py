"""A form that makes something, sent twice, makes it once; sent with something else, it makes that, too."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from scrm.accounts.models import Account, ApiToken
from scrm.accounts.roles import Role
from scrm.audit.models import AuditEntry
from scrm.jobs.models import Job
from scrm.library.models import Folder, FolderKind, Material, Reply
from scrm.segments.models import Segment
from scrm.tags.models import Tag
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser
from tests.bot.web.console.test_bulk import Many
from tests.scrm.library import factory

Enter = Callable[..., Browser]
LIBRARY = "/console/library"
LINK = {"kind": "news", "url": "https://example.com/a"}
FORMS: dict[str, tuple[str, str, dict[str, str], str, type]] = {
    "reply": (f"{LIBRARY}/replies/new", f"{LIBRARY}/replies/new", {"text": "hello"}, "title", Reply),
    "material": (f"{LIBRARY}/materials/new?kind=news", f"{LIBRARY}/materials/new", LINK, "title", Material),
    "folder": (f"{LIBRARY}/replies", f"{LIBRARY}/folders/replies", {"owner": "team"}, "name", Folder),
    "tags": ("/console/tags", "/console/tags", {"group": "New"}, "names", Tag),
    "segment": ("/console/contacts?stage=lead", "/console/segments", {"stage": "lead"}, "name", Segment),
    "export": ("/console/contacts", "/console/contacts/export/all", {}, "format", Job),
}


def count(desk: Desk, model: Any) -> int:
    with desk.product.database.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def nonces(page: str) -> set[str]:
    return set(re.findall(r'name="nonce" value="([^"]+)"', page))


@pytest.mark.parametrize("name", FORMS)
def test_what_a_form_makes_it_makes_once(desk: Desk, enter: Enter, name: str) -> None:
    page, address, fields, differs, model = FORMS[name]
    with desk.product.database.write() as session:
        kind = FolderKind.MATERIALS if name == "material" else FolderKind.REPLIES
        place = factory.folder(session, desk.now, "Prices", kind=kind).id
    browser = enter(Role.ADMIN)
    (nonce,) = nonces(browser.get(page).text)
    form = {"folder": place, **fields, differs: "xlsx", "nonce": nonce}
    before = count(desk, model), count(desk, AuditEntry)

    first, again = browser.post(address, form), browser.post(address, form)

    assert (first.status_code, again.status_code) == (303, 303), again.text
    assert first.location == again.location
    assert (count(desk, model), count(desk, AuditEntry)) == (before[0] + 1, before[1] + 1)
    assert browser.post(address, {**form, differs: "csv"}).status_code == 303
    assert count(desk, model) == before[0] + 2
    assert nonces(browser.get(page).text) != {nonce}


SECRET = re.compile(r"<code data-secret>([^<]+)</code>")
SETTINGS = "/console/settings"


@pytest.mark.parametrize(
    ("address", "fields", "name", "model"),
    [
        (f"{SETTINGS}/tokens", {"role": "readonly", "days": "30"}, "name", ApiToken),
        (f"{SETTINGS}/people", {"role": "sales"}, "username", Account),
    ],
    ids=["token", "account"],
)
def test_what_has_a_secret_is_made_once_and_its_secret_shown_once(
    desk: Desk, enter: Enter, address: str, fields: dict[str, str], name: str, model: type
) -> None:
    browser = enter(Role.ADMIN)
    (nonce,) = nonces(browser.get(address).text)
    form = {**fields, name: "erp", "nonce": nonce}
    before = count(desk, model), count(desk, AuditEntry)

    first, again = browser.post(address, form), browser.post(address, form)

    assert (first.status_code, again.status_code) == (200, 200)
    (secret,) = SECRET.findall(first.text)
    assert secret not in again.text
    assert SECRET.findall(again.text) == []
    assert "「erp」已经创建过了" in again.text
    assert (count(desk, model), count(desk, AuditEntry)) == (before[0] + 1, before[1] + 1)
    assert len(nonces(first.text) | nonces(again.text) | {nonce}) == 3  # each page has a form of its own
    assert SECRET.findall(browser.post(address, {**form, name: "crm"}).text)
    assert count(desk, model) == before[0] + 2


def test_the_account_of_a_member_is_made_once(desk: Desk, enter: Enter) -> None:
    browser = enter(Role.ADMIN)
    (nonce,) = nonces(browser.get(f"{SETTINGS}/people").text)
    form = {"staff": desk.rep.id, "nonce": nonce}
    before = count(desk, AuditEntry)

    first, again = (browser.post(f"{SETTINGS}/people/member", form) for _ in "12")

    assert (first.status_code, first.location) == (303, again.location)
    assert count(desk, AuditEntry) == before + 1


def test_a_bulk_deed_is_started_once_and_shows_its_job_again(desk: Desk, enter: Enter) -> None:
    many, browser = Many(desk), enter(Role.ADMIN)
    chosen = {"id": [one.id for one in many.people], "deed": "tag", "tag_id": many.high.id}
    checked = browser.post("/console/contacts/bulk/check", chosen).text
    (nonce,) = nonces(checked)

    first, again = (browser.post("/console/contacts/bulk/start", {**chosen, "nonce": nonce}) for _ in "12")

    assert (first.status_code, first.location) == (303, again.location)
    assert count(desk, Job) == 1


def test_a_form_that_was_refused_keeps_its_chance(desk: Desk, enter: Enter) -> None:
    browser = enter(Role.ADMIN)
    page = browser.post("/console/tags", {"group": "New", "names": "x" * 99, "nonce": "n1"})

    assert page.status_code == 422
    assert nonces(page.text) == {"n1"}
    assert browser.post("/console/tags", {"group": "New", "names": "x", "nonce": "n1"}).status_code == 303
    assert count(desk, Tag) == 1


def test_the_tags_of_many_are_picked_by_group_and_what_was_picked_stays(desk: Desk, enter: Enter) -> None:
    many, browser = Many(desk), enter(Role.ADMIN)
    chosen = {"id": [many.people[0].id], "deed": "tag", "tag_id": many.high.id}

    page = browser.post("/console/contacts/bulk/check", chosen).text

    assert "<legend><bdi>意向</bdi></legend>" in page
    assert 'type="search"' in page
    assert re.findall(r'name="tag_id" value="([^"]+)" checked', page) == [many.high.id]
    assert f'name="tag_id" value="{many.low.id}"><span>' in page
