"""Replaying an event: first what would happen, then its happening; and the way of an event from end to end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import func, select

from bot.workers.wakeup import Queue, Wakeups
from scrm.accounts.roles import Role
from scrm.contacts.models import ContactIdentity, IdentityKind
from scrm.inbox.models import EventState, InboxEvent
from scrm.models import Base
from scrm.outbox.models import CallState
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser
from tests.bot.web.console.test_logs import add_call, add_event, stored

Enter = Callable[..., Browser]
ADDED = (
    "<xml><ToUserName>ww</ToUserName><Event>change_external_contact</Event>"
    "<ChangeType>add_external_contact</ChangeType><UserID>wangmin</UserID>"
    "<ExternalUserID>wmSIM0000000000000000000000009</ExternalUserID><WelcomeCode>SECRETCODE12345</WelcomeCode>"
    "<CreateTime>{stamp}</CreateTime></xml>"
)


def identify(desk: Desk, external_userid: str) -> None:
    row = ContactIdentity(
        contact_id=desk.contact.id, kind=IdentityKind.WECOM, value=external_userid, created_at=desk.now
    )
    desk.add(row)


def counts(desk: Desk) -> dict[str, int]:
    with desk.product.database.read() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
            if table.name != "login"
        }


def added(desk: Desk, **more: object) -> InboxEvent:
    payload = ADDED.format(stamp=int(desk.now.timestamp()))
    lane = "contact:wmSIM0000000000000000000000009"
    fields = {"payload": payload, "sent_at": desk.now, "lane": lane, "state": EventState.DEAD, **more}
    return add_event(desk, **fields)


def woken(wakeups: Wakeups, queue: Queue) -> bool:
    """Whether the queue's workers were told since they last looked."""
    began = time.monotonic()
    wakeups.wait(queue, 0.4)
    return time.monotonic() - began < 0.3


def test_before_a_replay_the_page_shows_what_would_happen_and_undoes_it(desk: Desk, enter: Enter):
    event, browser = added(desk), enter(Role.ADMIN)
    before = counts(desk)

    asked = browser.get(f"/console/events/{event.id}").text
    page = browser.get(f"/console/events/{event.id}/replay").text

    assert f"/console/events/{event.id}/replay" in asked
    assert "新增 客户 " in page
    assert "新增 好友关系 " in page
    assert "externalcontact/get" in page
    assert "SECRETCODE12345" not in page
    assert counts(desk) == before
    assert stored(desk, event).state is EventState.DEAD


def test_a_trial_that_fails_says_why_and_leaves_nothing(desk: Desk, enter: Enter):
    event, browser = added(desk, payload="<xml><broken"), enter(Role.ADMIN)

    page = browser.get(f"/console/events/{event.id}/replay").text

    assert "现在重放会出错" in page
    assert "BadXml" in page


def test_a_confirmed_replay_wakes_the_workers(desk: Desk, enter: Enter):
    event, call, browser = added(desk), add_call(desk), enter(Role.ADMIN)
    wakeups = desk.product.wakeups
    wakeups.wait(Queue.INBOX, 0)

    assert browser.post(f"/console/events/{event.id}/replay").status_code == 303
    assert stored(desk, event).state is EventState.PENDING
    assert woken(wakeups, Queue.INBOX)
    assert browser.post(f"/console/calls/{call.id}/retry").status_code == 303
    assert woken(wakeups, Queue.OUTBOX)
    assert browser.get(f"/console/events/{event.id}/replay").status_code == 409


def test_an_event_that_is_pruned_or_running_is_not_tried(desk: Desk, enter: Enter):
    pruned, browser = added(desk, payload=None), enter(Role.ADMIN)
    running = add_event(desk, 2, state=EventState.LEASED)

    assert [browser.get(f"/console/events/{row.id}/replay").status_code for row in (pruned, running)] == [
        409,
        409,
    ]
    assert browser.get("/console/events/99/replay").status_code == 404
    assert enter(Role.SALES).get(f"/console/events/{pruned.id}/replay").status_code == 403


def test_the_way_goes_from_the_callback_to_the_calls_answer(desk: Desk, enter: Enter):
    identify(desk, "wmSIM0000000000000000000000009")
    later = [desk.now + timedelta(milliseconds=ms) for ms in (300, 350, 400, 600, 700)]
    event = added(desk, state=EventState.DONE, received_at=later[0], done_at=later[1])
    desk.happened("scan.recorded", channel="上海展会")
    owed = {"created_at": later[2], "done_at": later[3]}
    call = add_call(desk, caused_by=event.id, state=CallState.SENT, errcode=0, lane="rep:wangmin", **owed)
    answer = {"received_at": later[3], "done_at": later[4], "caused_by_call": call.id}
    add_event(desk, 7, kind="answer.externalcontact/get", lane="rep:wangmin", **answer)

    page = enter(Role.ADMIN).get(f"/console/events/{event.id}").text

    places = re.findall(r'class="place">([^<]+)<', page)
    assert list(dict.fromkeys(places)) == [
        "回调",
        "收件箱",
        "处理程序",
        "数据变化",
        "待办箱",
        "接口调用",
        "返回结果",
    ]
    assert "扫描了渠道活码" in page


def test_a_dead_event_says_what_to_do(desk: Desk, enter: Enter):
    event, browser = added(desk, error="ValueError: x"), enter(Role.ADMIN)

    assert "怎么办" in browser.get(f"/console/events/{event.id}").text
