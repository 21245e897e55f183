"""The list of contacts and one contact's page: who sees whom, what may be done, and what is written down about it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from sqlalchemy import select

from bot.web.console import sheet
from bot.web.console.contact import DONE
from bot.web.contact import reveal
from scrm import seal
from scrm.accounts.roles import Role
from scrm.audit.models import AuditEntry
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind, Relation, RelationState, Stage
from scrm.followups.models import Followup
from scrm.outbox.models import OutboxCall
from scrm.tags.models import ContactTag, Tag
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

Enter = Callable[..., Browser]
PATH = "/console/contacts"
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def other(desk: Desk) -> Contact:
    """A customer of a colleague."""
    colleague = desk.staff("zhangsan", "张三")
    at = desk.now - timedelta(days=3)
    contact = desk.add(
        Contact(name="韩梅梅", created_at=at, owner_id=colleague.id, phone="13900001111", stage=Stage.MQL)
    )
    desk.relate(contact, colleague, at=at)
    return contact


def deeds(desk: Desk, action: str) -> list[AuditEntry]:
    with desk.product.database.read() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def rows(desk: Desk, model: Any) -> list[Any]:
    with desk.product.database.read() as session:
        return list(session.scalars(select(model).order_by(model.id)))


def names(page: str) -> list[str]:
    return Desk.found(r'<a class="open" href="[^"]+"><bdi>([^<]*)</bdi>', page)


def on_wecom(desk: Desk, contact: Contact) -> None:
    kind = IdentityKind.WECOM
    desk.add(ContactIdentity(contact_id=contact.id, kind=kind, value="wm1", created_at=desk.now))


# --- the list


def test_the_list_says_how_the_day_goes_and_each_number_opens_its_rows(
    desk: Desk, enter: Enter, other: Contact
):
    browser = enter(Role.ADMIN)
    page = browser.get(PATH).text

    assert "2 位客户</a>，" in page
    assert "今天新增 1 位</a>，" in page
    assert "1 位还没有首次跟进</a>。" in page
    assert names(page) == ["李雷", "韩梅梅"]
    today = f"{PATH}?from=2026-11-23"
    assert f'href="{today}"' in page
    assert names(browser.get(today).text) == ["李雷"]
    assert names(browser.get(f"{today}&first=none").text) == ["李雷"]
    desk.followed("x")
    with desk.product.database.write() as session:
        session.query(Relation).filter_by(contact_id=desk.contact.id).one().first_response_at = desk.now
    assert "都已跟进" in browser.get(PATH).text
    assert names(browser.get(f"{today}&first=none").text) == []


FILTERS = {
    "q=韩": ["韩梅梅"],
    "q=139 0000 1111": ["韩梅梅"],
    "q=0000": [],
    "owner=zhangsan": ["韩梅梅"],
    "stage=mql": ["韩梅梅"],
    "state=lost": [],
    "state=active": ["李雷", "韩梅梅"],
    "to=2026-11-20": ["韩梅梅"],
    "from=2026-11-21&to=2026-11-23": ["李雷"],
    "rep=zhangsan&rep_from=2026-11-20&rep_to=2026-11-20": ["韩梅梅"],
    "rep=zhangsan&rep_from=2026-11-21": [],
    "rep=zhangsan&rep_first=none": ["韩梅梅"],
    "rep=zhangsan&rep_first=done": [],
    "owner=&stage=&q=": ["李雷", "韩梅梅"],
}


def test_filters_live_in_the_address(desk: Desk, enter: Enter, other: Contact):
    with desk.product.database.write() as session:
        session.get(Contact, other.id).phone_index = seal.ring().blind_index("13900001111")
    browser = enter(Role.ADMIN)

    for query, found in FILTERS.items():
        page = browser.get(f"{PATH}?{query}")
        assert (page.status_code, names(page.text)) == (200, found), query
        assert ("没有客户符合这些条件" in page.text) is (found == []), query


def test_filters_read_as_a_sentence_and_each_can_be_taken_away(desk: Desk, enter: Enter):
    desk.tag(desk.contact, "高意向")
    tag = rows(desk, Tag)[0]

    page = enter(Role.ADMIN).get(f"{PATH}?owner=wangmin&tag={tag.id}&channel={desk.channel.id}").text

    assert Desk.found(r'class="filter-chip" href="([^"]+)"[^>]*><bdi>([^<]+)', page) == [
        (f"{PATH}?channel={desk.channel.id}&amp;tag={tag.id}", "归 王敏"),
        (f"{PATH}?owner=wangmin&amp;tag={tag.id}", "来自「上海展会」"),
        (f"{PATH}?owner=wangmin&amp;channel={desk.channel.id}", "有标签「高意向」"),
    ]
    assert names(page) == ["李雷"]
    assert "1 位客户符合" in page


WRONG = ["stage=xyz", "owner=nobody", "tag=x", "channel=x", "from=2026-02-30", "first=x", "rep_first=none"]


def test_a_filter_that_makes_no_sense_is_said_and_shows_nobody(enter: Enter):
    browser = enter(Role.ADMIN)
    for query in WRONG:
        page = browser.get(f"{PATH}?{query}")
        assert page.status_code == 422, query
        assert "看不懂的条件" in page.text, query
        assert names(page.text) == [], query


def test_a_cursor_of_nobodys_making_starts_again(enter: Enter):
    browser = enter(Role.ADMIN)
    for cursor in ("x", "%00", "WzFd"):
        assert browser.get(f"{PATH}?cursor={cursor}").location == PATH


def test_pages_of_fifty_hold_everybody_once_in_a_fixed_number_of_queries(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)
    with desk.counted() as few:
        browser.get(PATH)
    at = desk.now - timedelta(days=9)
    with desk.product.database.write() as session:
        session.add_all(Contact(name=f"n{n:02}", created_at=at, owner_id=desk.rep.id) for n in range(60))

    with desk.counted() as many:
        first = browser.get(PATH).text
    after = Desk.found(r'href="([^"]+)" rel="next"', first)[0].replace("&amp;", "&")
    second = browser.get(after).text

    assert len(many) == len(few)
    assert (len(names(first)), len(names(second))) == (50, 11)
    assert len({*names(first), *names(second)}) == 61
    assert "rel=" not in second.partition("<main")[2]


def test_an_empty_corp_is_told_what_to_do(desk: Desk, enter: Enter):
    with desk.product.database.write() as session:
        for model in (Relation, ContactTag):
            session.query(model).delete()
        from scrm.routing.models import Assignment

        session.query(Assignment).delete()
        session.query(Contact).delete()

    assert "还没有客户" in enter(Role.ADMIN).get(PATH).text


def test_a_rep_has_a_view_of_his_own_and_knows_only_his_own(desk: Desk, enter: Enter, other: Contact):
    browser = enter(Role.SALES, staff=desk.rep)
    page = browser.get(PATH).text

    assert names(page) == ["李雷"]
    assert "1 位客户</a>" in page
    assert f'href="{PATH}?owner=wangmin">我的</a>' in page
    assert "张三" not in page
    assert names(browser.get(f"{PATH}?owner=zhangsan").text) == []
    assert "导出" not in page


# --- the file


def exported(browser: Browser, **form: str) -> list[list[str]]:
    answer = browser.post(f"{PATH}/export", form)
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "text/csv"
    assert answer.text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(answer.text[1:])))


def test_the_file_holds_what_the_filters_show_and_the_trail_knows(desk: Desk, enter: Enter, other: Contact):
    desk.customer('=HYPERLINK("http://evil")', corp_name="@SUM(1)")
    browser = enter(Role.MANAGER, staff=desk.rep)

    header, *lines = exported(browser, owner="wangmin")

    assert header[:3] == ["姓名", "公司", "电话"]
    assert sorted(line[0] for line in lines) == ['\'=HYPERLINK("http://evil")', "李雷"]
    assert {line[2] for line in lines} == {"138****5678"}
    assert "'@SUM(1)" in {line[1] for line in lines}
    [deed] = deeds(desk, "contacts:exported")
    assert deed.detail == {"rows": 2, "phones": "masked", "filters": "归 王敏"}


def test_whole_numbers_only_for_who_may_and_never_in_the_trail(desk: Desk, enter: Enter):
    _, line = exported(enter(Role.ADMIN))

    assert line[2] == "13812345678"
    [deed] = deeds(desk, "contacts:exported")
    assert deed.detail["phones"] == "whole"


def test_a_number_that_was_searched_for_is_masked_in_the_trail(desk: Desk, enter: Enter):
    enter(Role.ADMIN).post(f"{PATH}/export", {"q": "13812345678"})

    [deed] = deeds(desk, "contacts:exported")
    assert "138****5678" in deed.detail["filters"]
    assert "13812345678" not in str(deed.detail)


def test_more_than_a_chunk_is_exported_whole_and_once(desk: Desk, enter: Enter, monkeypatch: Any):
    monkeypatch.setattr(sheet, "CHUNK", 2)
    for n in range(6):
        desk.customer(f"n{n}")
    everybody = {"李雷", *(f"n{n}" for n in range(6))}

    browser = enter(Role.ADMIN)
    assert sorted(line[0] for line in exported(browser)[1:]) == sorted(everybody)
    monkeypatch.setattr(sheet, "MOST", 5)
    assert len(exported(browser)[1:]) == 5


@pytest.mark.parametrize("role", [Role.SALES, Role.SDR, Role.SUCCESS, Role.READONLY, Role.MARKETING])
def test_others_export_nothing(desk: Desk, enter: Enter, role: Role):
    assert enter(role, staff=desk.rep).post(f"{PATH}/export").status_code == 403
    assert deeds(desk, "contacts:exported") == []


# --- one contact


def page_of(contact: Contact) -> str:
    return f"{PATH}/{contact.id}"


def test_the_page_answers_who_whence_whose_and_why(desk: Desk, enter: Enter):
    desk.tag(desk.contact, "高意向")
    desk.happened("welcome.sent")

    page = enter(Role.MANAGER, staff=desk.rep).get(page_of(desk.contact))

    assert page.status_code == 200
    for told in (
        *("<bdi>李雷</bdi>", "上海展会", "归我", "扫「上海展会」的渠道活码，企业微信分给 王敏"),
        *("高意向", "「上海展会」自动 · 王敏 · 今天 10:00", "138****5678", "上海远航物流有限公司"),
        *("欢迎语已发送", "历任负责人", "还没有跟进"),
    ):
        assert told in page.text, told
    assert "13812345678" not in page.text
    assert "/phone" not in page.text


def test_every_part_of_the_page_opens(desk: Desk, enter: Enter):
    desk.followed("聊了报价")
    browser = enter(Role.ADMIN)

    for query in ("tab=followups", "kind=welcome", "kind=x", "cursor=x", "done=x"):
        page = browser.get(f"{page_of(desk.contact)}?{query}", follow_redirects=True)
        assert page.status_code == 200, query
    assert "聊了报价" in browser.get(f"{page_of(desk.contact)}?tab=followups").text
    english = browser.get(f"{page_of(desk.contact)}?lang=en").text
    people = ("李雷", "李", "上海展会", "王敏", "中文", "上海远航物流有限公司")
    assert Desk.found(r"[\u4e00-\u9fff]+", Desk.without(english, *people)) == []


def test_the_number_is_shown_for_who_may_and_that_is_written_down(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)

    page = browser.post(f"{page_of(desk.contact)}/phone")

    assert (page.status_code, "13812345678" in page.text) == (200, True)
    [deed] = deeds(desk, "phone:revealed")
    assert (deed.object_kind, deed.object_id, deed.detail) == ("contact", desk.contact.id, {})


def test_so_many_numbers_an_hour_and_no_more(desk: Desk, enter: Enter, monkeypatch: Any):
    assert reveal.REVEALS == 30
    monkeypatch.setattr(reveal, "REVEALS", 2)
    browser = enter(Role.ADMIN)
    answers = [browser.post(f"{page_of(desk.contact)}/phone") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "13812345678" not in answers[-1].text
    assert "一小时内最多查看 2 个号码" in answers[-1].text
    assert len(deeds(desk, "phone:revealed")) == 2
    part = browser.post(f"{page_of(desk.contact)}/phone", headers={"HX-Request": "true"})
    assert (part.status_code, "13812345678" in part.text) == (200, False)
    for _ in range(3):  # the session stays alive
        desk.now += timedelta(minutes=21)
        browser.get(PATH)
    assert "13812345678" in browser.post(f"{page_of(desk.contact)}/phone").text


@pytest.mark.parametrize("role", [Role.MANAGER, Role.SALES, Role.MARKETING, Role.READONLY])
def test_others_see_no_whole_number(desk: Desk, enter: Enter, role: Role):
    answer = enter(role, staff=desk.rep).post(f"{page_of(desk.contact)}/phone")

    assert answer.status_code == 403
    assert "13812345678" not in answer.text
    assert deeds(desk, "phone:revealed") == []


NOTE = {"nonce": "n1", "kind": "call", "content": "要三份样品", "next": "3", "next_step": "发样品"}


def test_a_follow_up_is_kept_once_in_the_name_of_who_writes(desk: Desk, enter: Enter):
    browser = enter(Role.SALES, staff=desk.rep)

    answers = [browser.post(f"{page_of(desk.contact)}/followups", NOTE) for _ in range(2)]

    assert {answer.location for answer in answers} == {f"{page_of(desk.contact)}?done=followup"}
    [kept] = rows(desk, Followup)
    assert (kept.staff_id, kept.content, kept.next_step) == (desk.rep.id, "要三份样品", "发样品")
    assert kept.created_by == "staff:wangmin"
    [deed] = deeds(desk, "followup:written")
    assert deed.detail == {"followup": kept.id, "way": "call", "staff": "wangmin"}
    page = browser.get(answers[0].location).text
    assert "跟进已保存" in page
    assert "王敏与客户通了电话：要三份样品" in page
    used = browser.post(f"{page_of(desk.contact)}/followups", {**NOTE, "content": "另一条"})
    assert (used.status_code, "另一条</textarea>" in used.text) == (422, True)
    assert len(rows(desk, Followup)) == 1


def test_who_is_no_member_writes_in_the_name_of_a_rep(desk: Desk, enter: Enter, other: Contact):
    browser = enter(Role.ADMIN)

    wrong = browser.post(f"{page_of(desk.contact)}/followups", {**NOTE, "staff": "zhangsan"})
    right = browser.post(f"{page_of(desk.contact)}/followups", {**NOTE, "staff": "wangmin"})

    assert (wrong.status_code, "请选择与该客户有关的员工" in wrong.text) == (422, True)
    assert right.status_code == 303
    [kept] = rows(desk, Followup)
    assert (kept.staff_id, kept.created_by) == (desk.rep.id, "account:admin")


def test_what_is_wrong_with_a_follow_up_is_said_and_nothing_is_lost(desk: Desk, enter: Enter):
    browser = enter(Role.SALES, staff=desk.rep)

    answer = browser.post(
        f"{page_of(desk.contact)}/followups", {**NOTE, "content": "", "next_step": "步" * 201}
    )

    assert answer.status_code == 422
    assert "写几个字再保存" in answer.text
    assert "最多 200 个字" in answer.text
    assert rows(desk, Followup) == []
    assert deeds(desk, "followup:written") == []


@pytest.mark.parametrize("done", DONE)
def test_what_was_done_is_told_on_the_page_one_is_led_to(desk: Desk, enter: Enter, done: str):
    page = enter(Role.ADMIN).get(f"{page_of(desk.contact)}?done={done}")

    assert page.status_code == 200
    assert '<p class="alert alert-success" role="status">' in page.text


def test_the_stage_changes_and_says_by_whom(desk: Desk, enter: Enter):
    browser = enter(Role.SALES, staff=desk.rep)

    for _ in range(2):
        assert browser.post(f"{page_of(desk.contact)}/stage", {"stage": "mql"}).status_code == 303
    wrong = browser.post(f"{page_of(desk.contact)}/stage", {"stage": "king"})

    assert (wrong.status_code, "没有这个阶段" in wrong.text) == (422, True)
    [deed] = deeds(desk, "stage:changed")
    assert deed.detail == {"before": "lead", "after": "mql"}
    page = browser.get(page_of(desk.contact)).text
    assert "阶段从线索变为市场认可线索" in page


def test_tags_are_set_and_taken_and_wecom_is_owed_each(desk: Desk, enter: Enter):
    on_wecom(desk, desk.contact)
    desk.tag(desk.contact, "展会")
    old = rows(desk, Tag)[0]
    new = desk.add(Tag(group_id=old.group_id, name="高意向", wecom_id="et2"))
    browser = enter(Role.SALES, staff=desk.rep)

    added = browser.post(f"{page_of(desk.contact)}/tags", {"add": new.id})
    removed = browser.post(f"{page_of(desk.contact)}/tags", {"remove": old.id})

    assert (added.status_code, removed.status_code) == (303, 303)
    [link] = rows(desk, ContactTag)
    assert (link.tag_id, link.staff_id, link.source) == (new.id, desk.rep.id, "staff")
    assert [call.api for call in rows(desk, OutboxCall)] == ["externalcontact/mark_tag"]
    assert [deed.detail for deed in deeds(desk, "tags:changed")] == [
        {"added": ["高意向"], "removed": []},
        {"added": [], "removed": ["展会"]},
    ]


def test_tags_that_cannot_be_set_are_refused_in_words(desk: Desk, enter: Enter):
    desk.tag(desk.contact, "展会")
    tag = rows(desk, Tag)[0]
    browser = enter(Role.SALES, staff=desk.rep)

    gone = browser.post(f"{page_of(desk.contact)}/tags", {"add": "x"})
    unknown = browser.post(f"{page_of(desk.contact)}/tags", {"remove": tag.id})  # WeCom knows nothing of 李雷

    assert (gone.status_code, "这个标签已被删除" in gone.text) == (422, True)
    assert (unknown.status_code, "企业微信中无法打标签" in unknown.text) == (422, True)
    assert len(rows(desk, ContactTag)) == 1
    assert deeds(desk, "tags:changed") == []


def test_a_rep_reaches_anothers_contact_by_no_address(desk: Desk, enter: Enter, other: Contact):
    on_wecom(desk, other)
    desk.tag(desk.contact, "展会")
    tag = rows(desk, Tag)[0]
    before = (rows(desk, Followup), [row.stage for row in rows(desk, Contact)], len(rows(desk, ContactTag)))
    browser = enter(Role.SALES, staff=desk.rep)
    page = page_of(other)

    answers = [
        browser.get(page),
        browser.get(f"{page}?tab=followups"),
        browser.get(f"{page}?lang=en"),
        browser.post(f"{page}/followups", NOTE),
        browser.post(f"{page}/stage", {"stage": "customer"}),
        browser.post(f"{page}/tags", {"add": tag.id}),
    ]

    assert [answer.status_code for answer in answers] == [404] * 6
    assert not any("韩梅梅" in answer.text for answer in answers)
    assert browser.post(f"{page}/phone").status_code == 403
    after = (rows(desk, Followup), [row.stage for row in rows(desk, Contact)], len(rows(desk, ContactTag)))
    assert after == before
    assert rows(desk, OutboxCall) == []


def test_a_manager_without_a_department_reveals_and_exports_only_his_own(
    desk: Desk, enter: Enter, other: Contact
):
    browser = enter(Role.MANAGER, staff=desk.rep)

    assert [line[0] for line in exported(browser)[1:]] == ["李雷"]
    assert [line[0] for line in exported(browser, owner="zhangsan")[1:]] == []


@pytest.mark.parametrize("role", [Role.READONLY, Role.MARKETING])
def test_who_only_reads_writes_nothing(desk: Desk, enter: Enter, role: Role):
    browser = enter(role, staff=desk.rep)
    page = page_of(desk.contact)

    assert 'id="write"' not in browser.get(page).text
    assert browser.post(f"{page}/followups", NOTE).status_code == 403
    assert browser.post(f"{page}/stage", {"stage": "mql"}).status_code == 403
    assert rows(desk, Followup) == []


def test_names_remarks_and_notes_of_strangers_stay_text(desk: Desk, enter: Enter):
    contact = desk.customer(EVIL, corp_name=EVIL)
    with desk.product.database.write() as session:
        session.query(Relation).filter_by(contact_id=contact.id).one().remark = EVIL
    desk.followed(EVIL)
    browser = enter(Role.ADMIN)

    pages = [
        PATH,
        page_of(contact),
        f"{page_of(desk.contact)}?tab=followups",
        f"{PATH}?q={EVIL}",
        "/console/followups",
    ]
    for path in pages:
        text = browser.get(path).text
        assert "<img src=x" not in text, path
        assert "&lt;img src=x" in text, path


def test_the_list_is_there_in_english(desk: Desk, enter: Enter):
    page = enter(Role.ADMIN).get(f"{PATH}?lang=en&stage=lead").text

    assert "1 contact fits" in page
    people = ("李雷", "李", "上海展会", "王敏", "中文", "上海远航物流有限公司")
    assert Desk.found(r"[\u4e00-\u9fff]+", Desk.without(page, *people)) == []


def test_a_customer_who_left_is_marked_so(desk: Desk, enter: Enter):
    with desk.product.database.write() as session:
        session.get(Contact, desk.contact.id).lost_at = desk.now
        session.query(Relation).one().state = RelationState.LOST

    browser = enter(Role.ADMIN)

    assert "10:00 流失" in browser.get(f"{PATH}?state=lost").text
    assert names(browser.get(f"{PATH}?first=none").text) == []


# --- another owner


def handed(desk: Desk, browser: Browser, **form: str) -> Any:
    path = f"{PATH}/{desk.contact.id}/owner"
    return browser.post(path, {"staff": "zhangsan", "note": "王敏休假", **form}, follow_redirects=True)


def test_a_manager_gives_a_customer_another_owner_with_a_reason_and_the_rep_is_told(
    desk: Desk, enter: Enter, other: Contact
):
    browser = enter(Role.ADMIN)

    page = handed(desk, browser).text

    assert "负责人已更换" in page
    assert re.search("店长|admin", page)
    assert "手动分配给 <" not in page
    assert "王敏休假" in page
    assert rows(desk, Contact)[0].owner_id == other.owner_id
    [call] = [row for row in rows(desk, OutboxCall) if row.api == "message/send"]
    assert call.contact_id == desk.contact.id
    assert "王敏休假" in str(call.command)
    [deed] = deeds(desk, "owner:changed")
    assert (deed.object_id, deed.detail["note"]) == (desk.contact.id, "王敏休假")
    handed(desk, browser)
    assert len(deeds(desk, "owner:changed")) == 1  # theirs already


def test_an_owner_needs_a_reason_a_rep_and_somebody_who_may(desk: Desk, enter: Enter, other: Contact):
    browser = enter(Role.ADMIN)
    assert "请写明原因" in handed(desk, browser, note=" ").text
    assert "请选择您权限内的一位" in handed(desk, browser, staff="nobody").text
    rep = enter(Role.SALES, staff=desk.rep)
    assert handed(desk, rep).status_code == 403
    assert "更换负责人" not in rep.get(f"{PATH}/{desk.contact.id}").text
    manager = enter(Role.MANAGER)
    assert handed(desk, manager).status_code == 404  # sees nobody
    assert deeds(desk, "owner:changed") == []


# --- columns


def test_columns_and_density_are_kept_for_the_account_and_not_in_the_address(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)
    everything = browser.get(PATH).text
    form = {"column": ["stage", "owner", "evil"], "density": "dense", "next": f"{PATH}?q=李"}

    answer = browser.post(f"{PATH}/columns", form)

    assert unquote(answer.location) == f"{PATH}?q=李"
    page = browser.get(PATH).text
    assert set(Desk.found('data-label="([^"]+)"', everything)) > {"负责人", "阶段", "状态"}
    assert Desk.found('data-label="([^"]+)"', page) == ["负责人", "阶段"]
    assert 'class="card rows people dense"' in page
    browser.post(f"{PATH}/columns", {"next": "https://evil.example"})
    assert Desk.found('data-label="([^"]+)"', browser.get(PATH).text) == []


# --- cost


@pytest.mark.parametrize("query", ["", "?q=li", "?owner=wangmin&state=active"])
def test_the_list_asks_as_often_for_fifty_customers_as_for_five(desk: Desk, enter: Enter, query: str):
    browser, counts = enter(Role.ADMIN), []
    for upto in (5, 50):
        while len(rows(desk, Contact)) < upto:
            for _ in range(upto - len(rows(desk, Contact))):
                desk.tag(desk.customer("李雷", channel=desk.channel), "高意向")
        with desk.counted() as statements:
            page = browser.get(f"{PATH}{query}").text
        assert len(names(page)) == upto
        counts.append(len(statements))

    assert counts[0] == counts[1]


def test_a_customers_page_asks_as_often_for_fifty_of_each_as_for_five(desk: Desk, enter: Enter):
    browser, counts = enter(Role.ADMIN), []
    for upto in (5, 50):
        for n in range(upto):
            desk.followed(f"跟进{upto}-{n}")
            desk.happened("contact.added", staff="王敏")
            desk.tag(desk.contact, f"标签{upto}-{n}")
            desk.relate(desk.contact, desk.staff(f"s{upto}-{n}", f"员工{upto}-{n}"))
        with desk.counted() as statements:
            assert browser.get(f"{PATH}/{desk.contact.id}").status_code == 200
        counts.append(len(statements))

    assert counts[0] == counts[1]
