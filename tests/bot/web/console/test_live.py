"""Pages that keep up: when they are told that something changed, by whom, and that asking is no use of the session."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from scrm.accounts.roles import Reach, Role
from scrm.inbox.models import EventState
from scrm.timeline import service as timeline
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser
from tests.bot.web.console.test_logs import add_call, add_event

Enter = Callable[..., Browser]


def asks(page: str, since: str | None = None) -> str:
    """The address the page's script asks at."""
    url = re.search(r'data-live-from="([^"]+)"', page)
    shown = re.search(r'data-live-since="([^"]+)"', page)
    assert url, page
    assert shown
    return f"{url[1].replace('&amp;', '&')}&since={shown[1] if since is None else since}"


def told(answer: TestResponse) -> int:
    """How many things happened."""
    assert answer.status_code == 200, answer.text
    return int(answer.get_json()["count"])


@pytest.mark.parametrize("path", ["/console", "/console/contacts", "/console/followups"])
def test_a_page_about_people_hears_of_what_happened_and_of_nothing_else(desk: Desk, enter: Enter, path: str):
    browser = enter(Role.ADMIN)
    url = asks(browser.get(path).text)
    assert browser.get(url).status_code == 204

    desk.happened("scan.recorded", channel="上海展会")
    desk.happened("message.received")

    assert told(browser.get(url)) == 2
    assert browser.get(asks(browser.get(path).text)).status_code == 204


def test_what_is_committed_late_under_an_earlier_number_is_heard_of_too(desk: Desk, enter: Enter):
    desk.happened("scan.recorded")
    desk.happened("scan.recorded")
    with desk.product.database.write() as session:
        session.connection().exec_driver_sql("UPDATE timeline_entry SET id = id + 1 WHERE id = 2")
    browser = enter(Role.ADMIN)
    url = asks(browser.get("/console").text)

    with desk.product.database.write() as session:
        row = timeline.TimelineEntry(id=2, contact_id=desk.contact.id, at=desk.now, kind="scan.recorded")
        session.add(row)

    assert browser.get(url).status_code == 200


def test_a_contacts_page_hears_of_that_contact_only(desk: Desk, enter: Enter):
    other = desk.customer("韩梅梅")
    browser = enter(Role.ADMIN)
    url = asks(browser.get(f"/console/contacts/{other.id}").text)

    desk.happened("scan.recorded")
    assert browser.get(url).status_code == 204
    with desk.product.database.write() as session:
        timeline.append(session, other.id, "scan.recorded", at=desk.now - timedelta(days=3))

    assert told(browser.get(url)) == 1


def test_nobody_hears_of_contacts_they_may_not_see(desk: Desk, enter: Enter):
    stranger = desk.staff("zhaolei", "赵磊")
    browser = enter(Role.SALES, staff=stranger, reach=Reach.OWN)

    url = asks(browser.get("/console").text)
    desk.happened("scan.recorded")

    assert told(browser.get(url)) == 0
    assert browser.get(f"/console/changes?of=contact&id={desk.contact.id}").status_code == 404
    assert browser.get("/console/changes?of=events").status_code == 403


def test_the_logs_hear_of_new_rows_and_of_states(desk: Desk, enter: Enter):
    event = add_event(desk, state=EventState.PENDING, done_at=None, attempts=0)
    browser = enter(Role.ADMIN)
    events, calls = (asks(browser.get(f"/console/{name}").text) for name in ("events", "calls"))
    one = asks(browser.get(f"/console/events/{event.id}").text)
    assert {browser.get(url).status_code for url in (events, calls, one)} == {204}

    add_call(desk, caused_by=event.id)
    assert (browser.get(events).status_code, told(browser.get(calls))) == (204, 1)
    assert browser.get(one).status_code == 200

    with desk.product.database.write() as session:
        session.get_one(type(event), event.id).state = EventState.DEAD
    assert told(browser.get(events)) == 0


def test_asking_is_two_statements_beside_who_asks(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)
    url = asks(browser.get("/console").text)
    with desk.counted() as statements:
        assert browser.get(url).status_code == 204

    assert len([one for one in statements if "timeline_entry" in one]) == 1
    assert len(statements) <= 4


def test_a_page_left_open_does_not_keep_its_session_alive(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)
    by_itself = {"X-Lianke-Live": "1"}
    for _ in range(3):
        desk.now += timedelta(minutes=11)
        answer = browser.get("/console/changes", headers=by_itself)

    assert answer.status_code == 401
    assert browser.get("/console").status_code == 303


def test_the_sidebar_hears_of_its_contact_and_strangers_hear_nothing(desk: Desk):
    page = desk.open().text
    url = asks(page)
    assert desk.get(url).status_code == 204

    desk.happened("tag.added", tag="意向")

    assert told(desk.get(url)) == 1
    assert desk.app.test_client().get(url).status_code == 403


def test_older_pages_and_refused_forms_stay_as_they_are(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)
    for n in range(60):
        add_event(desk, n)

    assert "data-live-from" not in browser.get("/console/events?before=30").text
    refused = browser.post(f"/console/contacts/{desk.contact.id}/followups", {"content": ""})
    assert refused.status_code == 422
    assert "data-live-from" not in refused.text
