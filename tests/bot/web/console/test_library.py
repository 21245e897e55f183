"""The console's pages of quick replies and materials."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from scrm.accounts.roles import Role
from scrm.audit.models import AuditEntry
from scrm.library.folders import Hand
from scrm.library.models import Folder, FolderKind, LibraryUse, Material, Reply, UseWay
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser
from tests.scrm.library import factory

Enter = Callable[..., Browser]
REPLIES, MATERIALS = "/console/library/replies", "/console/library/materials"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 32


@pytest.fixture
def team(desk: Desk) -> Folder:
    with desk.product.database.write() as session:
        return factory.folder(session, desk.now)


def made(desk: Desk, place: Folder, title: str, *, hand: Hand = factory.TEAM, **more: Any) -> Reply:
    with desk.product.database.write() as session:
        return factory.reply(session, desk.now, place, title, hand=hand, **more)


def rows(desk: Desk, model: Any) -> list[Any]:
    with desk.product.database.read() as session:
        return list(session.scalars(select(model).order_by(model.id)))


def deeds(desk: Desk) -> list[str]:
    with desk.product.database.read() as session:
        found = session.scalars(select(AuditEntry.action).order_by(AuditEntry.n))
        return [action for action in found if not action.startswith("login")]


def titles(page: str) -> list[str]:
    return Desk.found(r'class="open" href="[^"]+"><bdi>([^<]*)', page)


def test_the_answer_tells_how_many_are_used_and_which_are_not(desk: Desk, enter: Enter, team: Folder):
    used = made(desk, team, "常用")
    made(desk, team, "闲置")
    for days in (1, 2):
        at = desk.now - timedelta(days=days)
        desk.add(LibraryUse(item_id=used.id, staff_id=desk.rep.id, way=UseWay.CHAT, at=at))
    with desk.product.database.write() as session:
        row = session.get_one(Reply, used.id)
        row.used, row.used_at = 2, desk.now
    browser = enter(Role.ADMIN)

    page = browser.get(REPLIES).text

    for part in ("共 2 条话术", "近 7 天用了 2 次", "最常用「常用」（2 次）", "1 条 30 天没人用过"):
        assert part in page
    assert titles(page) == ["常用", "闲置"]
    assert titles(browser.get(f"{REPLIES}?idle=1").text) == ["闲置"]
    assert titles(browser.get(f"{REPLIES}?q=cy").text) == ["常用"]
    assert "没有符合这些条件的内容" in browser.get(f"{REPLIES}?q=nothing").text
    english = browser.get(f"{REPLIES}?lang=en").text
    assert "2 quick replies" in english


def test_a_reply_is_written_changed_moved_and_every_deed_recorded(desk: Desk, enter: Enter, team: Folder):
    browser = enter(Role.MARKETING)
    form = {"title": "报价", "text": "{customer}您好", "folder": team.id}

    answer = browser.post(f"{REPLIES}/new", form)

    assert (answer.status_code, answer.location) == (303, f"{REPLIES}?folder={team.id}&saved=1")
    [row] = rows(desk, Reply)
    assert (row.title, row.text) == ("报价", "{customer}您好")
    page = browser.get(f"{REPLIES}/{row.id}").text
    assert "{customer}您好</textarea>" in page
    browser.post(f"{REPLIES}/{row.id}", {**form, "title": "新报价"})
    made(desk, team, "第二条")
    browser.post(f"/console/library/items/replies/{row.id}/down", {"folder": team.id})
    assert titles(browser.get(f"{REPLIES}?folder={team.id}").text) == ["第二条", "新报价"]
    assert deeds(desk) == ["reply:created", "reply:changed", "reply:moved"]


def test_a_wrong_reply_is_told_at_its_field_and_nothing_is_lost(desk: Desk, enter: Enter, team: Folder):
    browser = enter(Role.ADMIN)
    form = {"title": "报价", "text": "{客户}您好", "folder": team.id}

    page = browser.post(f"{REPLIES}/new", form)

    assert page.status_code == 422
    assert "没有占位符 {客户}" in page.text
    assert "{客户}您好</textarea>" in page.text
    english = browser.post(f"{REPLIES}/new?lang=en", form).text
    assert "placeholders are {customer}, {staff}, {company}" in english
    assert browser.post(f"{REPLIES}/new", {**form, "text": "好", "folder": "none"}).status_code == 422
    assert rows(desk, Reply) == []


def test_what_was_deleted_comes_back_with_one_tap(desk: Desk, enter: Enter, team: Folder):
    row = made(desk, team, "报价")
    browser = enter(Role.ADMIN)

    gone = browser.post(f"/console/library/items/replies/{row.id}/delete", {"folder": team.id})
    page = browser.get(gone.location).text

    assert ("话术已删除" in page, titles(page)) == (True, [])
    [undo] = Desk.found(r'action="([^"]+restore)"', page)
    browser.post(undo, {"folder": team.id})
    assert titles(browser.get(REPLIES).text) == ["报价"]
    gone = browser.post(f"/console/library/folders/replies/{team.id}/delete")
    [undo] = Desk.found(r'action="([^"]+restore)"', browser.get(gone.location).text)
    assert titles(browser.get(REPLIES).text) == []
    browser.post(undo)
    assert titles(browser.get(REPLIES).text) == ["报价"]


def test_folders_are_made_renamed_and_refused_in_place(desk: Desk, enter: Enter, team: Folder):
    browser = enter(Role.ADMIN, staff=desk.rep)

    browser.post("/console/library/folders/replies", {"name": "我的", "owner": "own"})
    twice = browser.post("/console/library/folders/replies", {"name": "报价", "owner": "team"})
    browser.post(f"/console/library/folders/replies/{team.id}/rename", {"name": "价格"})

    assert (twice.status_code, "已有名为「报价」的文件夹" in twice.text) == (409, True)
    assert sorted((row.name, row.owner_id) for row in rows(desk, Folder)) == [
        ("价格", None),
        ("我的", desk.rep.id),
    ]
    assert deeds(desk) == ["folder:created", "folder:renamed"]


def test_a_rep_reads_the_team_and_changes_only_the_own(desk: Desk, enter: Enter, team: Folder):
    row = made(desk, team, "团队")
    other = desk.staff("lihua", "李华")
    hand = Hand(other.id)
    with desk.product.database.write() as session:
        foreign = factory.folder(session, desk.now, "别人的", hand=hand)
    secret = made(desk, foreign, "秘密", hand=hand)
    browser = enter(Role.SALES, staff=desk.rep)

    assert titles(browser.get(REPLIES).text) == ["团队"]
    assert "由管理员、市场或销售主管维护" in browser.get(f"{REPLIES}/{row.id}").text
    form = {"title": "x", "text": "y", "folder": team.id}
    for path, status in (
        (f"{REPLIES}/{row.id}", 422),
        (f"{REPLIES}/{secret.id}", 404),
        (f"/console/library/items/replies/{row.id}/delete", 403),
        (f"/console/library/items/replies/{secret.id}/delete", 404),
        (f"/console/library/folders/replies/{team.id}/delete", 403),
        (f"/console/library/folders/replies/{foreign.id}/rename", 404),
    ):
        assert browser.post(path, form).status_code == status, path
    assert browser.get(f"{REPLIES}/{secret.id}").status_code == 404
    assert [one.title for one in rows(desk, Reply)] == ["团队", "秘密"]
    assert all(one.deleted_at is None for one in [*rows(desk, Reply), *rows(desk, Folder)])


def test_a_good_personal_reply_is_copied_to_the_team(desk: Desk, enter: Enter, team: Folder):
    hand = Hand(desk.rep.id)
    with desk.product.database.write() as session:
        own = factory.folder(session, desk.now, "我的", hand=hand)
    row = made(desk, own, "好用", hand=hand)
    browser = enter(Role.MANAGER, staff=desk.rep)

    assert "复制到团队" in browser.get(f"{REPLIES}/{row.id}").text
    copied = browser.post(f"{REPLIES}/{row.id}/copy", {"folder": team.id})
    again = browser.post(f"{REPLIES}/{row.id}/copy", {"folder": team.id})

    assert copied.status_code == 303
    assert (again.status_code, "已有同名" in again.text) == (422, True)
    assert [(one.title, one.folder_id) for one in rows(desk, Reply)] == [("好用", own.id), ("好用", team.id)]


def test_the_phone_beside_the_form_is_filled_as_one_writes(enter: Enter, team: Folder):
    page = enter(Role.ADMIN).post("/console/library/preview", {"text": "{company}您好，我是{staff}"}).text

    assert "海纳物流您好" in page
    assert "{" not in page


def test_a_file_becomes_a_material_and_a_wrong_one_is_told_in_place(desk: Desk, enter: Enter):
    with desk.product.database.write() as session:
        place = factory.folder(session, desk.now, "资料", kind=FolderKind.MATERIALS)
    browser = enter(Role.ADMIN)

    def upload(content: bytes, **form: str) -> Any:
        fields = {"kind": "image", "folder": place.id, "title": "", **form}
        data = {"file": (io.BytesIO(content), "海报.png"), **fields}
        return browser.post(f"{MATERIALS}/new", data, content_type="multipart/form-data")

    assert upload(PNG).status_code == 303
    [row] = rows(desk, Material)
    assert (row.title, row.kind) == ("海报", "image")
    wrong = upload(b"GIF89a" + b"0" * 32)
    assert (wrong.status_code, "图片应为 JPG 或 PNG 格式" in wrong.text) == (422, True)
    none = browser.post(f"{MATERIALS}/new", {"kind": "file", "folder": place.id, "title": "手册"})
    assert (none.status_code, "请上传文件" in none.text) == (422, True)
    card = browser.post(
        f"{MATERIALS}/new", {"kind": "news", "folder": place.id, "title": "官网", "url": "nowhere"}
    )
    assert (card.status_code, "应为以 http:// 或 https:// 开头的网址" in card.text) == (422, True)
    assert upload(PNG, kind="news", title="官网", url="https://a.cn").status_code == 303
    page = browser.get(MATERIALS).text
    assert set(titles(page)) == {"海报", "官网"}
    cover = next(one for one in rows(desk, Material) if one.title == "官网")
    assert desk.app.test_client().get(f"/library/covers/{cover.id}").data == PNG
    assert desk.app.test_client().get(f"/library/covers/{row.id}").status_code == 404
    assert "https://a.cn" in browser.get(f"{MATERIALS}/{cover.id}").text


def test_titles_of_people_stay_text(desk: Desk, enter: Enter, team: Folder):
    row = made(desk, team, "<img src=x onerror=alert(1)>", text="<b>好</b>")
    browser = enter(Role.ADMIN)

    for path in (REPLIES, f"{REPLIES}/{row.id}"):
        page = browser.get(path).text
        assert "<img src=x" not in page
        assert "<b>好</b>" not in page
