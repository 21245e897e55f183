"""The pages of tags: the catalogue with its numbers, one tag, and its changes; as several roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from scrm.accounts.roles import Role
from scrm.audit.models import AuditEntry
from scrm.contacts.models import Contact
from scrm.outbox.models import CallState, OutboxCall
from scrm.tags.models import ContactTag, Tag, TagGroup, TagSource
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

Enter = Callable[..., Browser]
XSS = "<script>alert(1)</script>"


@pytest.fixture
def admin(enter: Enter) -> Browser:
    return enter(Role.ADMIN)


def a_tag(desk: Desk, name: str, group: TagGroup | None = None, **more: Any) -> Tag:
    group = group or desk.add(TagGroup(name="意向", wecom_id="etG"))
    return desk.add(Tag(group_id=group.id, name=name, **{"wecom_id": f"et-{name}", **more}))


def put(desk: Desk, tag: Tag, *contacts: Contact, source: TagSource = TagSource.STAFF) -> None:
    for contact in contacts:
        fields = {"source": source, "set_at": desk.now, "contact_at": contact.created_at}
        desk.add(ContactTag(contact_id=contact.id, tag_id=tag.id, staff_id=desk.rep.id, **fields))


def rows(desk: Desk, what: Any) -> list[Any]:
    with desk.product.database.read() as session:
        return list(session.scalars(select(what)))


def deeds(desk: Desk) -> list[str]:
    return [row.action for row in rows(desk, AuditEntry) if not row.action.startswith("login")]


def test_the_catalogue_counts_who_has_each_tag_and_the_number_opens_them(desk: Desk, admin: Browser):
    tag = a_tag(desk, "高")
    put(desk, tag, desk.contact, desk.customer("韩梅梅"))

    page = admin.get("/console/tags").text

    assert "共 1 个标签组、1 个标签。" in page
    assert f'<a href="/console/contacts?tag={tag.id}">2</a>' in page
    assert "与企业微信一致" in page
    listed = admin.get(f"/console/contacts?tag={tag.id}").text
    assert "韩梅梅" in listed
    assert "李雷" in listed


def test_a_rep_counts_his_own_contacts_only(desk: Desk, enter: Enter):
    tag = a_tag(desk, "高")
    other = desk.staff("lihua", "李华")
    put(desk, tag, desk.contact)

    assert f"tag={tag.id}" not in enter(Role.SALES, staff=other).get("/console/tags").text
    assert f"tag={tag.id}" in enter(Role.SDR, staff=desk.rep).get("/console/tags").text


def test_several_tags_are_made_at_once_one_per_line(desk: Desk, admin: Browser):
    made = admin.post("/console/tags", {"group": "来源", "names": "抖音\r\n\r\n小红书\n抖音"})

    assert made.status_code == 303
    page = admin.get(made.location).text
    assert "2 个标签已创建" in page
    assert page.count("等待企业微信确认") >= 2
    assert [tag.name for tag in rows(desk, Tag)] == ["抖音", "小红书"]
    assert [call.command["names"] for call in rows(desk, OutboxCall)] == [["抖音", "小红书"]]
    assert deeds(desk) == ["tags:created"]


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"group": "", "names": "甲"}, "请填写标签组名称"),
        ({"group": "来源", "names": " \n "}, "请至少填写一个标签名称"),
        ({"group": "来源", "names": "字" * 31}, "每个名称不超过 30 个字"),
        ({"group": "来源", "names": "\n".join(str(n) for n in range(101))}, "这里有 101 个，一次最多 100 个"),
    ],
)
def test_what_wecom_would_not_take_is_told_and_the_form_keeps_its_words(
    desk: Desk, admin: Browser, form: dict[str, str], told: str
):
    answer = admin.post("/console/tags", form)

    assert answer.status_code == 422
    assert told in answer.text
    assert form["names"].strip().split("\n")[0] in answer.text
    assert rows(desk, Tag) == []


def test_a_refusal_of_wecom_is_told_with_its_reason_and_its_call(desk: Desk, admin: Browser):
    admin.post("/console/tags", {"group": "来源", "names": "抖音"})
    with desk.product.database.write() as session:
        call = session.scalars(select(OutboxCall)).one()
        call.state, call.errcode = CallState.FAILED, 40126

    page = admin.get("/console/tags").text

    assert "1 个被企业微信拒绝" in page
    assert "企业标签数量已达上限（40126）" in page
    assert f"/console/calls/{call.id}" in page


def test_deleting_says_from_how_many_before_and_takes_it_off_everybody(desk: Desk, admin: Browser):
    tag = a_tag(desk, "高")
    put(desk, tag, desk.contact, desk.customer("韩梅梅"))
    assert "将从 2 位客户身上移除" in admin.get(f"/console/tags/{tag.id}").text

    assert admin.post(f"/console/tags/{tag.id}/delete").status_code == 303

    assert rows(desk, ContactTag) == []
    assert admin.get(f"/console/tags/{tag.id}").status_code == 404
    assert [row.detail["contacts"] for row in rows(desk, AuditEntry) if row.action == "tag:deleted"] == [2]


def test_one_tag_tells_who_set_it_most(desk: Desk, admin: Browser):
    tag = a_tag(desk, "高")
    put(desk, tag, desk.contact, desk.customer("韩梅梅"), source=TagSource.CHANNEL)
    put(desk, tag, desk.customer("李华"))

    page = admin.get(f"/console/tags/{tag.id}").text

    assert page.index("渠道自动（客户加的是 王敏）") < page.index("王敏 打的")


def test_renaming_keeps_the_page_where_the_name_is_taken(desk: Desk, admin: Browser):
    tag = a_tag(desk, "高")
    a_tag(desk, "低", desk.add(TagGroup(name="别的组")))
    with desk.product.database.write() as session:
        session.add(Tag(group_id=tag.group_id, name="中", wecom_id="et-中"))

    taken = admin.post(f"/console/tags/{tag.id}/rename?lang=en", {"name": "中"})
    renamed = admin.post(f"/console/tags/{tag.id}/rename", {"name": "低"})

    assert (taken.status_code, "has a tag of that name already" in taken.text) == (422, True)
    assert "已改名" in admin.get(renamed.location).text
    assert deeds(desk) == ["tag:renamed"]


def test_order_and_groups_change_in_the_console(desk: Desk, admin: Browser):
    tag = a_tag(desk, "高")
    with desk.product.database.write() as session:
        session.add(Tag(group_id=tag.group_id, name="中", wecom_id="et-中"))

    admin.post(f"/console/tags/{tag.id}/move", {"where": "down"})
    page = admin.get(f"/console/tags?group={tag.group_id}").text
    assert page.index("<bdi>中</bdi></a>") < page.index("<bdi>高</bdi></a>")

    path = f"/console/tags/groups/{tag.group_id}"
    assert "2 个标签" in admin.get(path).text
    admin.post(f"{path}/rename", {"name": "意愿"})
    assert "意愿" in admin.get(path).text
    admin.post(f"{path}/delete")
    assert admin.get(path).status_code == 404
    assert deeds(desk) == ["tag:moved", "tag_group:renamed", "tag_group:deleted"]


def test_a_rep_may_make_tags_but_not_change_everybodys(desk: Desk, enter: Enter):
    tag = a_tag(desk, "高")
    rep = enter(Role.SALES, staff=desk.rep)

    assert rep.post("/console/tags", {"group": "来源", "names": "抖音"}).status_code == 303
    for deed in ("rename", "move", "delete"):
        assert rep.post(f"/console/tags/{tag.id}/{deed}", {"name": "x", "where": "up"}).status_code == 403
    assert "删除标签" not in rep.get(f"/console/tags/{tag.id}").text


def test_300_tags_are_shown_in_pages_with_few_statements_and_found_by_search(desk: Desk, admin: Browser):
    group = desk.add(TagGroup(name="很多", wecom_id="etM"))
    with desk.product.database.write() as session:
        session.add_all(Tag(group_id=group.id, name=f"标签{n:03}", wecom_id=f"et{n}") for n in range(300))
        session.add(Tag(group_id=group.id, name=XSS, wecom_id="etX"))

    with desk.counted() as statements:
        page = admin.get("/console/tags").text
    assert page.count('<tr id="tag-') == 100
    assert "after=" in page
    assert len(statements) < 20
    assert admin.get("/console/tags?q=标签29").text.count('<tr id="tag-') == 10
    found = admin.get("/console/tags?q=script").text
    assert XSS not in found
    assert "&lt;script&gt;" in found
    assert admin.get("/console/tags?group=x&after=zzz").status_code == 303


def test_the_page_is_there_in_english(desk: Desk, admin: Browser):
    a_tag(desk, "hot")
    page = admin.get("/console/tags?lang=en").text
    assert "1 tag group, 1 tag" in page
    assert "Same in WeCom" in page
