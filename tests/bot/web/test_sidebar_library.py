"""话术 and 素材 in the sidebar: what a rep finds, what is sent for this customer, what is counted."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from sqlalchemy import select

from scrm.accounts.roles import Role
from scrm.channels import media
from scrm.contacts.models import Contact
from scrm.library.folders import Hand
from scrm.library.models import FolderKind, LibraryUse, Reply
from tests.bot.web.conftest import Desk
from tests.bot.web.test_sidebar_chat import CLIENT, enter, known
from tests.scrm.library import factory


@pytest.fixture
def filled(desk: Desk) -> dict[str, Any]:
    """A team's reply and picture, a reply of 李雷's rep and one of a colleague's."""
    colleague = desk.staff("lihua", "李华")
    own, other = Hand(desk.rep.id), Hand(colleague.id)
    with desk.product.database.write() as session:
        team = factory.folder(session, desk.now)
        shelf = factory.folder(session, desk.now, "资料", kind=FolderKind.MATERIALS)
        made = {
            "team": factory.reply(
                session, desk.now, team, "报价", "{customer}您好，我是{staff}，{company}的报价"
            ),
            "own": factory.reply(
                session, desk.now, factory.folder(session, desk.now, "常用", hand=own), "问候", "早", hand=own
            ),
            "secret": factory.reply(
                session,
                desk.now,
                factory.folder(session, desk.now, "常用", hand=other),
                "秘密",
                "x",
                hand=other,
            ),
            "picture": factory.picture(session, desk.now, shelf),
            "link": factory.link(session, desk.now, shelf),
        }
        answer = {"media_id": "M1", "created_at": str(int(desk.now.timestamp()))}
        command = {"media_file_id": made["picture"].media_file_id}
        media.on_media_uploaded(session, command, "sent", answer, now=desk.now)
    known(desk, desk.contact.id, "wm1")
    enter(desk, desk.rep)
    return made


def lines(page: str) -> dict[str, list[dict[str, Any]]]:
    """Title → what the client would be given."""
    found = re.findall(r'data-messages="([^"]*)" data-title="([^"]*)"', page)
    return {title: json.loads(html.unescape(text)) if text else [] for text, title in found}


def form_of(page: str) -> str:
    return re.findall(r'data-form="([^"]+)"', page)[0]


def uses(desk: Desk) -> list[tuple[str, str, str | None, str]]:
    with desk.product.database.read() as session:
        return [
            (use.item_id, use.staff_id, use.contact_id, use.way)
            for use in session.scalars(select(LibraryUse))
        ]


def test_a_rep_finds_the_team_and_the_own_filled_for_this_customer(desk: Desk, filled):
    page = desk.get(f"{desk.path}/replies").text

    assert lines(page) == {
        "报价": [
            {
                "msgtype": "text",
                "enterChat": True,
                "text": {"content": "李雷您好，我是王敏，上海远航物流有限公司的报价"},
            }
        ],
        "问候": [{"msgtype": "text", "enterChat": True, "text": {"content": "早"}}],
    }
    assert 'data-external="wm1"' in page
    assert list(lines(desk.get(f"{desk.path}/replies?q=bj").text)) == ["报价"]
    assert list(lines(desk.get(f"{desk.path}/replies?folder=own").text)) == ["问候"]
    assert list(lines(desk.get(f"{desk.path}/replies?folder={filled['team'].folder_id}").text)) == ["报价"]
    assert desk.get(f"{desk.path}/replies?folder={filled['secret'].folder_id}").status_code == 303
    assert "没有找到" in desk.get(f"{desk.path}/replies?q=nothing").text


def test_materials_are_ready_to_be_sent_once_the_platform_has_their_file(desk: Desk, filled):
    found = lines(desk.get(f"{desk.path}/materials").text)

    assert found["海报"] == [{"msgtype": "image", "enterChat": True, "image": {"mediaid": "M1"}}]
    assert found["官网"][0]["news"]["link"] == "https://example.com/a"
    picture = desk.get(f"{desk.path}/pictures/{filled['picture'].id}")
    assert (picture.status_code, picture.data) == (200, factory.PNG)
    desk.now += media.MEDIA_LIFE
    enter(desk, desk.rep)
    assert lines(desk.get(f"{desk.path}/materials").text)["海报"] == []


def test_a_use_is_counted_for_whom_it_was(desk: Desk, filled):
    form = form_of(desk.get(f"{desk.path}/replies").text)
    item = filled["team"].id

    answers = [
        desk.client.post(f"{desk.path}/library/{key}/uses", data={"form": token, "way": way}).status_code
        for key, token, way in (
            (item, form, "chat"),
            (item, form, "copy"),
            (item, form, "pigeon"),
            (item, "x", "chat"),
            (filled["secret"].id, form, "chat"),
        )
    ]

    assert answers == [204, 204, 404, 403, 404]
    assert uses(desk) == [
        (item, desk.rep.id, desk.contact.id, "chat"),
        (item, desk.rep.id, desk.contact.id, "copy"),
    ]
    assert "用过 2 次" in desk.get(f"{desk.path}/replies").text


def test_a_reply_of_ones_own_is_kept_once(desk: Desk, filled):
    page = desk.get(f"{desk.path}/replies").text
    form = {"form": form_of(page), "text": "周末也可以联系我\n随时在"}

    answers = [desk.client.post(f"{desk.path}/replies", data=form) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    kept = desk.get(answers[0].location).text
    assert "已存到“我的”" in kept
    assert set(lines(kept)) == {"周末也可以联系我", "问候"}


def test_a_wrong_reply_opens_the_form_again(desk: Desk, filled):
    form = {"form": form_of(desk.get(f"{desk.path}/replies").text), "text": "{姓名}您好"}

    page = desk.client.post(f"{desk.path}/replies", data=form, headers={"Accept-Language": "zh-CN"})

    assert page.status_code == 422
    assert "没有占位符 {姓名}" in page.text
    assert "{姓名}您好</textarea>" in page.text
    with desk.product.database.read() as session:
        assert len(session.scalars(select(Reply)).all()) == 3


def test_who_may_only_read_adds_nothing(desk: Desk, filled):
    form = form_of(desk.get(f"{desk.path}/replies").text)
    enter(desk, desk.rep, Role.READONLY)

    page = desk.get(f"{desk.path}/replies").text
    answer = desk.client.post(f"{desk.path}/replies", data={"form": form, "text": "早"})

    assert 'id="add"' not in page
    assert answer.status_code == 403


def test_a_foreign_customer_and_no_login_open_nothing(desk: Desk, filled):
    foreign = desk.add(Contact(name="韩梅梅", created_at=desk.now))
    for path in ("replies", "materials", f"pictures/{filled['picture'].id}"):
        assert desk.get(f"/sidebar/contacts/{foreign.id}/{path}").status_code == 404
    desk.client = desk.app.test_client()
    assert desk.get(f"{desk.path}/replies").status_code == 403
    away = desk.get(f"{desk.path}/replies", headers=CLIENT)
    assert (away.status_code, away.location.startswith("/sidebar/login")) == (303, True)


def test_by_link_the_page_opens_and_copies_without_the_sdk(desk: Desk, filled):
    desk.client = desk.app.test_client()
    desk.open()

    page = desk.get(f"{desk.path}/replies")

    assert page.status_code == 200
    assert "sandbox_sdk.js" not in page.text
    assert 'data-csrf=""' in page.text
