"""The audit page says in words what was done to what, and the words are there for all that is recorded."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.words.texts import TEXTS
from handlers.dispatch import HANDLERS
from scrm.accounts.roles import Role
from scrm.audit import service
from scrm.outbox.commands import COMMANDS
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

Enter = Callable[..., Browser]
ROOT = Path(__file__).parents[4]
NO_WORDS = ("now", "contact")  # of the functions that record, not of the deed


def record(desk: Desk, action: str, kind: str, key: str, **detail: object) -> None:
    with desk.product.database.write() as session:
        service.append(session, service.Deed("a:1", "王敏", action, kind, key, detail), now=desk.now)


def test_a_deed_is_told_in_words_and_leads_to_its_object(desk: Desk, enter: Enter) -> None:
    contact = desk.customer("广源货运")
    browser = enter(Role.ADMIN)
    record(desk, "tags:changed", "contact", contact.id, added=["展会", "重点"], removed=[])

    page = browser.get("/console/audit").text

    assert f'href="/console/contacts/{contact.id}"><bdi>客户 广源货运</bdi>' in page
    assert "<bdi>添加：展会、重点</bdi>" in page
    assert "[" not in page.partition("添加：")[2][:20]
    english = browser.get("/console/audit?lang=en").text
    assert "Contact 广源货运" in english
    assert "added: 展会, 重点" in english


def test_times_are_told_as_everywhere_and_ids_not_at_all(desk: Desk, enter: Enter) -> None:
    contact = desk.customer("广源货运")
    browser = enter(Role.ADMIN)
    record(
        desk,
        "task:given",
        "contact",
        contact.id,
        task=contact.id,
        title="发手册",
        due="2026-11-30T10:00:00+08:00",
    )

    page = browser.get("/console/audit").text

    assert "标题：发手册 · 到期：2026-11-30 10:00" in page
    assert f"待办：{contact.id}" not in page


def test_what_is_gone_keeps_its_name_and_leads_nowhere(desk: Desk, enter: Enter) -> None:
    browser = enter(Role.ADMIN)
    record(desk, "channel:created", "channel", "01M00000000000000000000000", name="上海物流展")

    page = browser.get("/console/audit").text

    assert "><bdi>渠道 上海物流展</bdi></td>" in page


def test_rows_that_were_never_there_are_an_empty_page(enter: Enter) -> None:
    browser = enter(Role.ADMIN)
    for before in ("x", "9" * 30, "0"):
        assert browser.get(f"/console/audit?before={before}").status_code == 200


def test_a_page_asks_the_same_number_of_queries_whatever_is_on_it(desk: Desk, enter: Enter) -> None:
    browser = enter(Role.ADMIN)
    contacts = [desk.customer(f"客户{n}") for n in range(8)]
    record(desk, "stage:changed", "contact", contacts[0].id)
    with desk.counted() as few:
        browser.get("/console/audit")
    for contact in contacts:
        record(desk, "stage:changed", "contact", contact.id)

    with desk.counted() as many:
        browser.get("/console/audit")
    assert len(many) == len(few)


def recorded() -> Iterator[ast.Call]:
    """Every call in the web that records a deed."""
    for path in sorted((ROOT / "bot" / "web").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                is_record = node.func.attr == "record" and len(node.args) > 1
                yield from [node] if is_record else []


def test_all_that_is_recorded_has_words() -> None:
    calls = list(recorded())
    assert len(calls) > 30
    keys = {key.arg for call in calls for key in call.keywords if key.arg} - {*NO_WORDS}
    deeds = {call.args[1].value for call in calls if isinstance(call.args[1], ast.Constant)}
    kinds = {
        call.args[2].value for call in calls if len(call.args) > 2 and isinstance(call.args[2], ast.Constant)
    }

    wanted = {f"detail_{key}" for key in keys} | {f"deed_{deed}" for deed in deeds}
    wanted |= {f"object_{kind}" for kind in kinds}
    assert wanted - TEXTS.keys() == set()


@pytest.mark.parametrize("kind", sorted(HANDLERS))
def test_every_kind_of_event_has_a_name(kind: str) -> None:
    assert f"kind_{kind}" in TEXTS


@pytest.mark.parametrize("api", sorted({command.api for command in COMMANDS.values()}))
def test_every_call_has_a_name(api: str) -> None:
    assert f"api_{api}" in TEXTS
