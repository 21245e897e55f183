"""Imports that meet contacts who are there: whom one may not see, whose tags; and the failures in one's language."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from bot.words.jobs import TEXTS
from bot.words.sentences import CHINESE, in_english
from scrm.accounts.roles import Reach, Role
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind
from scrm.leads import imports, making, sheets
from scrm.outbox.models import OutboxCall
from scrm.tags.models import ContactTag, Tag, TagGroup
from scrm.timeline.models import TimelineEntry
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser
from tests.bot.web.console.test_import import Works, begin, contacts, excel, job, lines, number, upload
from tests.bot.web.test_sidebar_chat import known

Enter = Callable[..., Browser]
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def works(desk: Desk) -> Iterator[Works]:
    made = Works(desk)
    yield made
    made.close()


def rows(desk: Desk, model: Any) -> list[Any]:
    with desk.product.database.read() as session:
        return list(session.scalars(select(model).order_by(model.id)))


# --- the language of the failures


def test_the_failures_are_in_the_language_of_whoever_began_and_can_be_imported_again(
    desk: Desk, enter: Enter, works: Works
):
    browser = enter(Role.ADMIN)
    place = upload(browser, excel(["王一", "12"], ["", "13900000001"])).headers["Location"]
    started = browser.post(place, {}, headers=ENGLISH).headers["Location"]
    works.run()

    answer = browser.get(f"{started}/files/failed")
    assert "-failed.xlsx" in answer.headers["Content-Disposition"]
    header, *failed = lines(answer.data)
    assert header[-1] == "Reason"
    assert failed[0][-1] == in_english(imports.PHONE_WANTED) != imports.PHONE_WANTED
    assert [row for row in failed if CHINESE.search(row[-1])] == []

    mended = excel(["王一", "13900000002", "", "", "", "x"], header=header)
    begin(browser, mended)
    works.run()
    assert job(desk).report["created"] == 1


def test_the_column_of_reasons_is_known_again_in_both_languages():
    assert set(TEXTS["import_reason"]) == set(sheets.REASONS)


# --- whom one may not see


@pytest.mark.parametrize("has_identity", [True, False])
def test_the_number_of_a_customer_out_of_reach_is_a_failed_row_that_tells_nothing(
    desk: Desk, enter: Enter, works: Works, has_identity: bool
):
    number(desk, desk.contact, "13812345678")
    if has_identity:
        index = rows(desk, Contact)[0].phone_index
        fields = {"kind": IdentityKind.PHONE, "value": index, "created_at": desk.now}
        desk.add(ContactIdentity(contact_id=desk.contact.id, **fields))
    before = len(rows(desk, TimelineEntry))
    other = desk.staff("zhang", "张三")
    browser = enter(Role.MANAGER, staff=other, reach=Reach.OWN)
    content = excel(["偷看", "13812345678", "乙公司"], ["王一", "13900000001"])

    place = upload(browser, content).headers["Location"]
    page, counted = browser.get(place).text, browser.get(f"{place}/check").text
    started = browser.post(place, {"known": "overwrite", "owner": "zhang"}).headers["Location"]
    works.run()

    assert "无权查看的客户" in page
    assert "1 行不合格" in counted
    assert "已有客户</span>" not in counted
    assert (job(desk).report["created"], job(desk).report["bad"]) == (1, 1)
    assert "updated" not in job(desk).report
    mine, new = contacts(desk)
    assert (mine.name, mine.corp_name, mine.owner_id) == ("李雷", "上海远航物流有限公司", desk.rep.id)
    assert (new.name, new.owner_id) == ("王一", other.id)
    about = [row for row in rows(desk, TimelineEntry) if row.contact_id == desk.contact.id]
    assert len(about) == before
    _, failed = lines(browser.get(f"{started}/files/failed").data)
    assert failed[-1] == imports.HIDDEN
    for text in (page, counted, browser.get(started).text, str(failed)):
        assert "李雷" not in text
        assert desk.contact.id not in text


def test_whoever_sees_the_customer_changes_them(desk: Desk, enter: Enter, works: Works):
    number(desk, desk.contact, "13812345678")
    begin(
        enter(Role.MANAGER, staff=desk.rep, reach=Reach.OWN),
        excel(["李磊", "13812345678"]),
        known="overwrite",
    )
    works.run()

    assert [row.name for row in contacts(desk)] == ["李磊"]


def test_no_contact_is_given_to_somebody_out_of_reach(desk: Desk, enter: Enter, works: Works):
    browser = enter(Role.MANAGER, staff=desk.staff("zhang", "张三"), reach=Reach.OWN)
    place = upload(browser, excel(["王一", "13900000001"])).headers["Location"]

    assert browser.post(place, {"owner": "wangmin"}).status_code == 422
    works.run()
    assert len(contacts(desk)) == 1


# --- tags of those who are there


class Tagging:
    """李雷 is connected with 王敏; 韩梅 is owned by her and known to nobody at WeCom; 无主 is nobody's."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        group = desk.add(TagGroup(name="展会", wecom_id="g1"))
        self.tag = desk.add(Tag(group_id=group.id, name="2026", wecom_id="t1"))
        self.other = desk.add(Tag(group_id=group.id, name="2027", wecom_id="t2"))
        self.people = {
            "李雷": desk.contact,
            "韩梅": desk.add(Contact(name="韩梅", owner_id=desk.rep.id, created_at=desk.now)),
            "无主": desk.add(Contact(name="无主", created_at=desk.now)),
        }
        known(desk, desk.contact.id, "wm1")
        for n, contact in enumerate(self.people.values()):
            number(desk, contact, f"1390000000{n}")
        self.content = excel(*([name, f"1390000000{n}"] for n, name in enumerate(self.people)))

    def held(self) -> dict[str, list[tuple[str, str]]]:
        """Who has which tags, with whom."""
        names = {one.id: name for name, one in self.people.items()}
        found: dict[str, list[tuple[str, str]]] = {}
        for row in rows(self.desk, ContactTag):
            found.setdefault(names[row.contact_id], []).append((row.tag_id, row.staff_id))
        return found

    def marks(self) -> list[dict[str, Any]]:
        """What WeCom is owed."""
        return [row.command for row in rows(self.desk, OutboxCall) if row.command_kind == "MarkTags"]


@pytest.fixture
def tagging(desk: Desk) -> Tagging:
    return Tagging(desk)


def test_chosen_tags_go_on_those_who_are_there_too_once(
    desk: Desk, enter: Enter, works: Works, tagging: Tagging
):
    browser, tag, rep = enter(Role.ADMIN), tagging.tag.id, desk.rep.id
    begin(browser, tagging.content, known="skip", tag=tag)
    works.run()
    assert tagging.held() == {}

    started = begin(browser, tagging.content, known="fill", tag=tag).headers["Location"]
    works.run()
    assert tagging.held() == {"李雷": [(tag, rep)], "韩梅": [(tag, rep)]}
    (mark,) = tagging.marks()
    assert (mark["userid"], mark["external_userid"], mark["add"]) == ("wangmin", "wm1", ["t1"])
    told = {name: job(desk).report[name] for name in ("tags_put", "tags_local", "tags_nobody")}
    assert told == {"tags_put": 2, "tags_local": 1, "tags_nobody": 1}
    page = browser.get(started).text
    for line in ("打上标签的客户", "标签只记在联客", "没打上标签"):
        assert line in page

    begin(browser, tagging.content, known="fill", tag=tag)
    works.run()
    assert len(tagging.marks()) == 1
    assert "tags_put" not in job(desk).report
    begin(browser, tagging.content, known="overwrite", tag=tagging.other.id)  # a file of the same name
    works.run()
    assert [mark["add"] for mark in tagging.marks()] == [["t1"], ["t2"]]


def test_an_owner_who_is_not_connected_lets_whoever_is_carry_the_tags(
    desk: Desk, enter: Enter, works: Works, tagging: Tagging
):
    boss = desk.staff("zhang", "张三")
    begin(enter(Role.ADMIN), tagging.content, known="overwrite", tag=tagging.tag.id, owner=boss.userid)
    works.run()

    assert tagging.held()["李雷"] == [(tagging.tag.id, desk.rep.id)]
    assert tagging.held()["无主"] == [(tagging.tag.id, boss.id)]
    assert [mark["userid"] for mark in tagging.marks()] == ["wangmin"]
    assert "tags_nobody" not in job(desk).report


def test_an_import_that_was_cut_off_tags_nobody_twice(
    desk: Desk, enter: Enter, works: Works, tagging: Tagging, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sheets, "BATCH", 1)
    monkeypatch.setattr(imports, "BATCH", 1)
    real, calls = making.create_batch, []

    def break_once(*given: Any, **more: Any) -> None:
        calls.append(1)
        real(*given, **more)
        if len(calls) == 1:
            raise RuntimeError

    monkeypatch.setattr(making, "create_batch", break_once)
    begin(enter(Role.ADMIN), tagging.content, known="fill", tag=tagging.tag.id)
    works.run()
    assert tagging.held() == {}
    desk.now = desk.now.replace(hour=desk.now.hour + 1)
    works.run(owner="p2")

    assert len(calls) == 4
    assert len(tagging.marks()) == 1
    assert job(desk).report["tags_put"] == 2
    entries = [row.contact_id for row in rows(desk, TimelineEntry) if row.kind == "tag.added"]
    assert sorted(entries) == sorted(tagging.people[name].id for name in ("李雷", "韩梅"))
