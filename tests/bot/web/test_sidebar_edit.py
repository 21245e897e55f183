"""What a rep changes on the profile: stage, tags, details; told to WeCom, written down, taken back by a tap."""

from __future__ import annotations

import gzip
import html
import re
from datetime import timedelta
from urllib.parse import unquote

import pytest
from werkzeug.test import TestResponse

from bot.web.contact import reveal
from bot.web.site import STATIC
from scrm.accounts.roles import Reach, Role
from scrm.audit.models import AuditEntry
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind, Relation, RelationState
from scrm.contacts.service import set_phone
from scrm.outbox.models import OutboxCall
from scrm.tags.models import ContactTag, Tag, TagGroup
from scrm.timeline.models import TimelineEntry
from tests.bot.web.conftest import Desk
from tests.bot.web.test_sidebar_chat import enter, known


@pytest.fixture
def rep(desk: Desk) -> Desk:
    """The desk with 王敏 logged in and 李雷 known to WeCom."""
    known(desk, desk.contact.id, "wm1")
    enter(desk, desk.rep)
    return desk


def send(desk: Desk, part: str, **fields: str) -> TestResponse:
    found = re.search(r'name="form" value="([^"]+)"', desk.get().text)
    assert found is not None
    return desk.client.post(
        f"{desk.path}/{part}", data={"form": found[1], **fields}, headers={"Accept-Language": "zh"}
    )


def follow(desk: Desk, answer: TestResponse) -> str:
    assert answer.status_code == 303, answer.text
    return desk.get(answer.location).text


def undo(desk: Desk, page: str) -> str:
    """Tap what takes it back."""
    found = re.search(r'class="toast.*?action="([^"]+)">(.*?)</form>', page, re.DOTALL)
    assert found is not None, page
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', found[2]))
    return follow(desk, desk.client.post(found[1], data=fields))


def rows(desk: Desk, model):  # type: ignore[no-untyped-def]
    with desk.product.database.read() as session:
        return list(session.query(model).order_by(*model.__mapper__.primary_key))


def make_tag(desk: Desk, name: str) -> Tag:
    group = desk.add(TagGroup(name="意向", wecom_id="etg1"))
    return desk.add(Tag(group_id=group.id, name=name, wecom_id=f"et-{name}"))


def test_stage_is_moved_by_a_tap_and_moved_back_by_another(rep: Desk) -> None:
    page = follow(rep, send(rep, "stage", stage="sql"))

    assert "阶段已改为「销售认可线索」" in page
    assert rows(rep, Contact)[0].stage == "sql"
    [deed] = rows(rep, AuditEntry)
    assert (deed.action, deed.object_id, deed.detail) == (
        "stage:changed",
        rep.contact.id,
        {"before": "lead", "after": "sql"},
    )
    assert [row.kind for row in rows(rep, TimelineEntry)] == ["contact.stage_changed"]
    undo(rep, page)
    assert rows(rep, Contact)[0].stage == "lead"


def test_tag_is_set_told_to_wecom_and_taken_back(rep: Desk) -> None:
    tag = make_tag(rep, "高意向")

    page = follow(rep, send(rep, "tags", add=tag.id))

    assert "已加标签「高意向」" in page
    assert [row.tag_id for row in rows(rep, ContactTag)] == [tag.id]
    assert rows(rep, OutboxCall)[0].command["add"] == ["et-高意向"]
    assert "员工打的 · 王敏" in page
    page = undo(rep, page)
    assert "已去掉标签「高意向」" in page
    assert rows(rep, ContactTag) == []
    assert rows(rep, OutboxCall)[1].command["remove"] == ["et-高意向"]
    assert [row.action for row in rows(rep, AuditEntry)] == ["tags:changed", "tags:changed"]


def test_a_deleted_tag_and_a_customer_nobody_is_connected_with_say_so(rep: Desk) -> None:
    tag = make_tag(rep, "高意向")
    assert "这个标签已被删除" in follow(rep, send(rep, "tags", add="gone"))
    with rep.product.database.write() as session:
        session.query(Relation).one().state = RelationState.LOST
    assert "企业微信里打不了标签" in follow(rep, send(rep, "tags", add=tag.id))
    assert rows(rep, ContactTag) == []


def test_details_are_kept_and_wecom_is_told_only_what_changed(rep: Desk) -> None:
    answer = send(
        rep, "details", remark="李总", description="要平板车", company=rep.contact.corp_name or "", phone=""
    )
    page = follow(rep, answer)

    assert "资料已保存，并写进企业微信" in page
    assert "李总" in page
    [call] = rows(rep, OutboxCall)
    told = {
        key: call.command[key]
        for key in ("userid", "external_userid", "remark", "description", "company", "mobiles")
    }
    assert told == {
        "userid": "wangmin",
        "external_userid": "wm1",
        "remark": "李总",
        "description": "要平板车",
        "company": None,
        "mobiles": None,
    }
    assert rows(rep, AuditEntry)[0].detail == {"fields": ["remark", "description"]}
    again = send(rep, "details", remark="李总", description="要平板车", company=rep.contact.corp_name or "")
    assert "done" not in again.location
    assert len(rows(rep, OutboxCall)) == 1


def test_a_new_phone_number_is_masked_and_replaces_the_one_in_wecom(rep: Desk) -> None:
    page = follow(rep, send(rep, "details", company="新公司", phone="139 0000 1111"))

    assert "139****1111" in page
    assert "13900001111" not in page
    command = rows(rep, OutboxCall)[0].command
    assert (command["mobiles"], command["company"], command["remark"]) == (["13900001111"], "新公司", None)
    follow(rep, send(rep, "details", company="新公司", clear_phone="1"))
    assert rows(rep, Contact)[0].phone is None
    assert rows(rep, OutboxCall)[1].command["mobiles"] == []


def noted(desk: Desk) -> tuple[str | None, str | None, str | None, str | None]:
    relation, contact = rows(desk, Relation)[0], rows(desk, Contact)[0]
    return relation.remark, relation.description, contact.corp_name, contact.phone


def hold_phone(desk: Desk, number: str) -> None:
    """Another customer has it."""
    with desk.product.database.write() as session:
        set_phone(other := Contact(name="别人", created_at=desk.now), number)
        session.add(other)
        session.flush()
        held = {"kind": IdentityKind.PHONE, "value": str(other.phone_index), "created_at": desk.now}
        session.add(ContactIdentity(contact_id=other.id, **held))


def test_edited_details_are_put_back_by_a_tap_here_and_in_wecom(rep: Desk) -> None:
    follow(rep, send(rep, "details", remark="李总", description="要平板车", company="旧公司"))
    before = noted(rep)
    answer = send(rep, "details", remark="", description="改了", company="新公司", phone="13900001111")
    page = follow(rep, answer)
    assert noted(rep) == (None, "改了", "新公司", "13900001111")
    for said in ("李总", "旧公司", "13812345678"):
        assert said not in unquote(answer.location)  # nothing personal in an address

    page = undo(rep, page)

    assert "已改回原来的资料" in page
    assert noted(rep) == before == ("李总", "要平板车", "旧公司", "13812345678")
    command = rows(rep, OutboxCall)[-1].command
    assert (command["remark"], command["company"], command["mobiles"]) == ("李总", "旧公司", ["13812345678"])
    assert [row.detail["fields"] for row in rows(rep, AuditEntry)][1:] == [
        ["remark", "description", "company", "phone"]
    ] * 2
    assert [row.kind for row in rows(rep, TimelineEntry)].count("contact.changed") == 6


def test_only_what_was_changed_goes_back(rep: Desk) -> None:
    page = follow(rep, send(rep, "details", company="新公司"))
    with rep.product.database.write() as session:
        session.query(Relation).one().remark = "同步来的"

    undo(rep, page)

    assert noted(rep) == ("同步来的", None, "上海远航物流有限公司", "13812345678")


def test_what_was_changed_again_or_long_ago_stays(rep: Desk) -> None:
    first = follow(rep, send(rep, "details", company="一"))
    follow(rep, send(rep, "details", company="二"))

    assert "没有撤销：资料后来又改过" in undo(rep, first)
    assert noted(rep)[2] == "二"
    answer = send(rep, "details", company="三")
    second = follow(rep, answer)
    rep.now += timedelta(hours=1)
    assert "没有撤销：资料后来又改过，或已过了一小时" in undo(rep, second)
    assert 'name="undo"' not in rep.get(answer.location).text
    assert noted(rep)[2] == "三"


def test_a_number_that_another_customer_has_by_now_cannot_be_put_back(rep: Desk) -> None:
    page = follow(rep, send(rep, "details", company="新公司", phone="13900001111"))
    hold_phone(rep, "13812345678")

    assert "没能撤销：原来的号码已属于另一位客户" in undo(rep, page)

    assert noted(rep)[2:] == ("新公司", "13900001111")


def test_the_way_back_is_of_one_customer_and_one_rep(rep: Desk) -> None:
    page = follow(rep, send(rep, "details", company="新公司"))
    token = html.unescape(re.findall(r'name="undo" value="([^"]+)"', page)[0])
    colleague = rep.staff("lihua", "李华")
    rep.relate(rep.contact, colleague)
    enter(rep, colleague)

    for forged in (token, token[:-4], "x.y", ""):
        assert "没有撤销" in follow(rep, send(rep, "details", undo=forged))
    assert noted(rep)[2] == "新公司"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"remark": "长" * 21}, "备注最多 20 个字"),
        ({"description": "长" * 151}, "描述最多 150 个字"),
        ({"company": "长" * 21}, "公司最多 20 个字"),
        ({"phone": "12"}, "电话应为 7-15 位数字"),
        ({"phone": "13711112222"}, "已有另一位客户使用这个号码"),
    ],
)
def test_wrong_details_are_said_at_the_place_and_nothing_is_lost(
    rep: Desk, fields: dict[str, str], told: str
) -> None:
    hold_phone(rep, "13711112222")

    answer = send(rep, "details", **{"company": "甲", "remark": "乙", **fields})

    assert answer.status_code == 422
    assert told in answer.text
    assert all(f'value="{value}"' in answer.text or f"\n{value}" in answer.text for value in fields.values())
    assert rows(rep, OutboxCall) == []
    assert rows(rep, Contact)[0].corp_name == "上海远航物流有限公司"


def test_a_manager_who_is_not_connected_changes_the_company_here_only(rep: Desk) -> None:
    boss = rep.staff("boss", "主管")
    enter(rep, boss, Role.MANAGER, Reach.ALL)

    page = follow(rep, send(rep, "details", company="新公司"))

    assert "没有写进企业微信" in page
    assert 'name="remark"' not in page
    assert rows(rep, OutboxCall) == []


def test_whole_number_is_shown_to_who_may_and_written_down(
    rep: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send(rep, "phone").status_code == 403
    enter(rep, rep.rep, Role.ADMIN)
    monkeypatch.setattr(reveal, "REVEALS", 1)

    answers = [send(rep, "phone"), send(rep, "phone")]

    assert "13812345678" in answers[0].text
    assert "查看的号码太多" in follow(rep, answers[1])
    assert [row.action for row in rows(rep, AuditEntry)] == ["phone:revealed"]


@pytest.mark.parametrize("part", ["stage", "tags", "details"])
def test_who_came_by_a_link_or_may_not_changes_nothing(desk: Desk, part: str) -> None:
    known(desk, desk.contact.id, "wm1")
    tag = make_tag(desk, "高意向")
    page = desk.open()
    assert "登录后可以修改" in page.text
    form = desk.form(page, stage="sql", add=tag.id, company="甲")
    assert desk.client.post(f"{desk.path}/{part}", data=form).status_code == 403
    enter(desk, desk.rep, Role.READONLY)
    assert "登录后可以修改" not in desk.get().text
    assert desk.client.post(f"{desk.path}/{part}", data=form).status_code == 403
    assert (rows(desk, ContactTag), rows(desk, OutboxCall), rows(desk, Contact)[0].stage) == ([], [], "lead")


@pytest.mark.parametrize("part", ["stage", "tags", "details", "phone", "tasks", "tasks/done"])
def test_a_foreign_form_is_refused(rep: Desk, part: str) -> None:
    answer = rep.client.post(f"{rep.path}/{part}", data={"form": "x", "stage": "sql", "company": "甲"})

    assert answer.status_code == 403
    assert rows(rep, Contact)[0].stage == "lead"


def test_login_beside_a_link_keeps_what_the_login_may(rep: Desk) -> None:
    rep.open()
    assert 'href="#stage"' in rep.get().text


def test_tabs_lead_to_the_library_of_this_customer(rep: Desk) -> None:
    page = rep.get().text
    for name, text in (("replies", "话术"), ("materials", "素材")):
        assert f'href="/sidebar/contacts/{rep.contact.id}/{name}">{text}' in page


def test_sidebar_is_light_enough() -> None:
    names = (
        "lianke.css",
        "sidebar.css",
        "sidebar.js",
        "sidebar_profile.js",
        "sidebar_sdk.js",
        "vendor/wecom.global.prod.js",
    )
    assert sum(len(gzip.compress((STATIC / name).read_bytes())) for name in names) <= 100_000
