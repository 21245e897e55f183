"""Comments on follow-ups: who reads them, and that the rep is told once."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import select

from scrm.accounts.roles import Reach, Role
from scrm.audit.models import AuditEntry
from scrm.followups.models import Followup, FollowupComment
from scrm.outbox.models import OutboxCall
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

Enter = Callable[..., Browser]
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def followup(desk: Desk) -> Followup:
    desk.followed("客户要下周报价")
    return desk.followups()[0]


def kept(desk: Desk) -> list[FollowupComment]:
    with desk.product.database.read() as session:
        return list(session.scalars(select(FollowupComment)))


def notices(desk: Desk) -> list[OutboxCall]:
    with desk.product.database.read() as session:
        return list(session.scalars(select(OutboxCall).where(OutboxCall.api == "message/send")))


def test_a_comment_is_read_everywhere_and_the_rep_is_told_once(desk: Desk, enter: Enter, followup: Followup):
    browser = enter(Role.MANAGER, reach=Reach.ALL)
    page = browser.get("/console/followups").text
    nonce = re.findall(r'name="nonce" value="([^"]+)"', page)[0]
    form = {"text": f"报价前先问预算 {EVIL}", "nonce": nonce}

    answers = [browser.post(f"/console/followups/{followup.id}/comments", form) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(kept(desk)) == 1
    (notice,) = notices(desk)
    assert notice.command["userid"] == "wangmin"
    assert "报价前先问预算" in notice.command["description"]
    assert f"/sidebar/contacts/{desk.contact.id}?token=" in notice.command["url"]
    desk.get(desk.link())
    for text in (
        browser.get("/console/followups").text,
        browser.get(f"/console/contacts/{desk.contact.id}?tab=followups").text,
        browser.get(f"/console/contacts/{desk.contact.id}").text,
        desk.get(f"{desk.path}?tab=followups").text,
    ):
        assert "报价前先问预算" in text
        assert "<img src=x" not in text
    with desk.product.database.read() as session:
        deeds = list(session.scalars(select(AuditEntry.action)))
    assert deeds.count("followup:commented") == 1


def test_ones_own_followup_needs_no_message_to_oneself(desk: Desk, enter: Enter, followup: Followup):
    enter(Role.SALES, staff=desk.rep).post(
        f"/console/followups/{followup.id}/comments", {"text": "补充", "nonce": "a"}
    )

    assert len(kept(desk)) == 1
    assert notices(desk) == []


def test_nothing_and_too_much_are_refused_in_words(desk: Desk, enter: Enter, followup: Followup):
    browser = enter(Role.MANAGER, reach=Reach.ALL)

    for text in ("  ", "长" * 501):
        answer = browser.post(
            f"/console/followups/{followup.id}/comments",
            {"text": text, "nonce": "n", "contact": desk.contact.id},
            follow_redirects=True,
        )
        assert "请填写 1-500 个字" in answer.text
    assert kept(desk) == []


def test_a_followup_of_a_foreign_customer_is_not_found(desk: Desk, enter: Enter, followup: Followup):
    stranger = desk.staff("zhaolei", "赵磊")
    browser = enter(Role.SALES, staff=stranger, reach=Reach.OWN)

    answer = browser.post(f"/console/followups/{followup.id}/comments", {"text": "x", "nonce": "n"})

    assert answer.status_code == 404
    assert (
        enter(Role.READONLY).post(f"/console/followups/{followup.id}/comments", {"text": "x"}).status_code
        == 403
    )
    assert kept(desk) == []
