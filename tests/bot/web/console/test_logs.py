"""The event and call logs: what they tell, to whom, and what running again does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from scrm.accounts.roles import Reach, Role
from scrm.audit.models import AuditEntry
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox.models import CallState, OutboxAttempt, OutboxCall
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

Enter = Callable[..., Browser]
EVIL = "<img src=x onerror=alert(1)>"


def add_event(desk: Desk, n: int = 1, **more: Any) -> InboxEvent:
    fields = {
        "source": "wecom",
        "dedupe_key": f"k{n}",
        "kind": "wecom.change_external_contact.add_external_contact",
        "state": EventState.DONE,
        "payload": f"<xml><WelcomeCode>SECRETCODE</WelcomeCode><Name>{EVIL}</Name></xml>",
        "received_at": desk.now,
        "done_at": desk.now + timedelta(milliseconds=40),
        "available_at": desk.now,
        "attempts": 1,
        "priority": 0,
    }
    return desk.add(InboxEvent(**{**fields, **more}))


def add_call(desk: Desk, n: int = 1, **more: Any) -> OutboxCall:
    fields = {
        "effect_key": f"e{n}",
        "api": "externalcontact/mark_tag",
        "command_kind": "MarkTags",
        "command": {"name": EVIL, "phone": "13812345678"},
        "state": CallState.FAILED,
        "errcode": 84061,
        "created_at": desk.now,
        "done_at": desk.now + timedelta(seconds=1),
        "attempts": 1,
        "priority": 5,
    }
    return desk.add(OutboxCall(**{**fields, **more}))


def stored(desk: Desk, row: Any) -> Any:
    with desk.product.database.read() as session:
        return session.get(type(row), row.id)


def deeds(desk: Desk) -> list[tuple[str, str]]:
    with desk.product.database.read() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.n))
        return [(row.action, row.object_id) for row in rows if not row.action.startswith("login")]


def test_an_events_way_is_one_line_with_times(desk: Desk, enter: Enter) -> None:
    event = add_event(desk)
    call = add_call(desk, caused_by=event.id)
    desk.add(OutboxAttempt(outbox_id=call.id, n=1, started_at=desk.now + timedelta(milliseconds=100)))

    page = enter(Role.ADMIN).get(f"/console/events/{event.id}?lang=en").text

    places = [page.index(f"+{ms} ms") for ms in (0, 40, 100, 1000)]
    assert places == sorted(places)
    assert f"/console/calls/{call.id}" in page


def test_payloads_are_masked_and_stay_text(desk: Desk, enter: Enter) -> None:
    event, call = add_event(desk), add_call(desk)
    browser = enter(Role.ADMIN)

    pages = [browser.get(path).text for path in (f"/console/events/{event.id}", f"/console/calls/{call.id}")]

    for page in pages:
        assert "&lt;img src=x" in page
        assert "<img src=x" not in page
    assert "SECRETCODE" not in pages[0]
    assert "13812345678" not in pages[1]


def test_a_failed_call_says_why_and_what_to_do(desk: Desk, enter: Enter) -> None:
    call = add_call(desk, errcode=50001)

    page = enter(Role.ADMIN).get(f"/console/calls/{call.id}").text

    assert "网页授权域名与可信域名不一致" in page
    assert "需要管理员" in page
    assert "重试调用" in page


def test_replay_puts_the_event_back_and_is_written_down(desk: Desk, enter: Enter) -> None:
    event = add_event(desk, state=EventState.DEAD, attempts=8, error="ValueError: x")
    browser = enter(Role.ADMIN)

    answer = browser.post(f"/console/events/{event.id}/replay")

    assert answer.status_code == 303
    assert (stored(desk, event).state, stored(desk, event).attempts) == (EventState.PENDING, 0)
    assert deeds(desk) == [("event:replayed", str(event.id))]
    assert browser.post(f"/console/events/{event.id}/replay").status_code == 409
    assert len(deeds(desk)) == 1


def test_retry_puts_the_call_back_and_is_written_down(desk: Desk, enter: Enter) -> None:
    call, sent = add_call(desk), add_call(desk, 2, state=CallState.SENT, errcode=0)
    browser = enter(Role.ADMIN)

    assert browser.post(f"/console/calls/{call.id}/retry").status_code == 303
    assert browser.post(f"/console/calls/{sent.id}/retry").status_code == 409

    assert stored(desk, call).state is CallState.PENDING
    assert stored(desk, sent).state is CallState.SENT
    assert deeds(desk) == [("call:retried", str(call.id))]


def test_reader_finds_no_buttons_and_is_refused(desk: Desk, enter: Enter) -> None:
    event, call = add_event(desk, state=EventState.DEAD), add_call(desk)
    browser = enter(Role.READONLY)

    for path, act in ((f"/console/events/{event.id}", "replay"), (f"/console/calls/{call.id}", "retry")):
        page = browser.get(path)
        assert page.status_code == 200
        assert f"{path}/{act}" not in page.text
        assert browser.post(f"{path}/{act}").status_code == 403
    assert stored(desk, event).state is EventState.DEAD
    assert stored(desk, call).state is CallState.FAILED


@pytest.mark.parametrize(("role", "reach"), [(Role.SALES, Reach.OWN), (Role.READONLY, Reach.DEPARTMENT)])
def test_who_sees_some_customers_does_not_see_the_logs(
    desk: Desk, enter: Enter, role: Role, reach: Reach
) -> None:
    event, call = add_event(desk), add_call(desk)
    browser = enter(role, staff=desk.rep, reach=reach)

    for path in (
        "/console/events",
        "/console/calls",
        f"/console/events/{event.id}",
        f"/console/calls/{call.id}",
    ):
        assert browser.get(path).status_code == 403


def test_lists_filter_by_address_and_page(desk: Desk, enter: Enter) -> None:
    for n in range(60):
        add_event(desk, n, kind="wecom.rare" if n == 3 else "wecom.usual")
    dead = add_event(desk, 100, state=EventState.DEAD, error="Traceback\nValueError: " + EVIL)
    browser = enter(Role.ADMIN)

    first = browser.get("/console/events").text
    assert first.count('class="open"') == 50
    assert "before=" in first
    assert browser.get("/console/events?kind=wecom.rare").text.count('class="open"') == 1
    only = browser.get("/console/events?state=dead").text
    assert only.count('class="open"') == 1
    assert "ValueError: &lt;img" in only
    assert browser.get(f"/console/events?q={dead.id}").location == f"/console/events/{dead.id}"


@pytest.mark.parametrize("path", ["events/999999", "calls/999999", "events/x", "calls/-1"])
def test_unknown_rows_are_not_found(enter: Enter, path: str) -> None:
    assert enter(Role.ADMIN).get(f"/console/{path}").status_code == 404


@pytest.mark.parametrize("query", ["state=x", "before=x", "before=" + "9" * 40, "q=%27", "kind=%3Cscript%3E"])
def test_bad_filters_are_an_ordinary_page(enter: Enter, query: str) -> None:
    browser = enter(Role.ADMIN)

    for log in ("events", "calls"):
        page = browser.get(f"/console/{log}?{query}")
        assert page.status_code == 200
        assert "<script>" not in page.text


def test_lists_ask_the_same_number_of_queries_whatever_their_length(desk: Desk, enter: Enter) -> None:
    browser = enter(Role.ADMIN)
    counts = []
    for n in (1, 40):
        for k in range(n):
            add_event(desk, 1000 * n + k)
            add_call(desk, 1000 * n + k)
        with desk.counted() as seen:
            browser.get("/console/events")
            browser.get("/console/calls")
        counts.append(len(seen))

    assert counts[0] == counts[1]


def test_english_pages_explain_codes_in_english(desk: Desk, enter: Enter) -> None:
    call = add_call(desk, errcode=84061)
    browser = enter(Role.ADMIN)

    for path in ("/console/calls", f"/console/calls/{call.id}"):
        page = browser.get(f"{path}?lang=en").text
        assert "The contact and the member are not connected" in page
        assert "客户与该成员不是好友关系" not in page
    assert "客户与该成员不是好友关系" in browser.get(f"/console/calls/{call.id}").text
