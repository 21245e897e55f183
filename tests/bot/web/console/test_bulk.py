"""Deeds on many customers: what is said before, what is done in the background, and how tags go back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from bot.web.console import bulk
from bot.workers import bulk as deeds
from bot.workers.background import Background
from bot.workers.kinds import KINDS
from bot.workers.wakeup import Queue
from scrm.accounts.roles import Reach, Role
from scrm.audit.models import AuditEntry
from scrm.contacts.models import Contact, ContactIdentity, IdentityKind
from scrm.jobs import service as jobs
from scrm.jobs.models import Job, JobState
from scrm.outbox.models import OutboxCall
from scrm.routing.models import Assignment
from scrm.tags.models import ContactTag, Tag, TagGroup, TagSource
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

Enter = Callable[..., Browser]
PATH = "/console/contacts/bulk"


class Many:
    """Five customers on WeCom, two live tags, and a worker."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        group = desk.add(TagGroup(name="意向", wecom_id="g"))
        self.high, self.low = (
            desk.add(Tag(group_id=group.id, name=name, wecom_id=name)) for name in ("高", "低")
        )
        self.people = [self.customer(n) for n in range(5)]

    def customer(self, n: int) -> Contact:
        made = self.desk.customer(f"客户{n}")
        kind = IdentityKind.WECOM
        self.desk.add(
            ContactIdentity(contact_id=made.id, kind=kind, value=f"wm{n}", created_at=self.desk.now)
        )
        return made

    def held(self, tag: Tag) -> list[str]:
        with self.desk.product.database.read() as session:
            rows = session.query(Contact.name).join(ContactTag, ContactTag.contact_id == Contact.id)
            return sorted(name for (name,) in rows.filter(ContactTag.tag_id == tag.id))

    def hold(self, contact: Contact, tag: Tag) -> None:
        fields = {"source": TagSource.STAFF, "set_at": self.desk.now, "contact_at": contact.created_at}
        self.desk.add(ContactTag(contact_id=contact.id, tag_id=tag.id, staff_id=self.desk.rep.id, **fields))

    def job(self) -> Job:
        """The last one."""
        with self.desk.product.database.read() as session:
            return session.query(Job).order_by(Job.id.desc()).first()


@pytest.fixture
def many(desk: Desk) -> Many:
    with desk.product.database.write() as session:
        session.get(Contact, desk.contact.id).name = "线索"  # without a WeCom id: nobody can tag it
    return Many(desk)


@pytest.fixture
def work(desk: Desk) -> Iterator[Callable[[], None]]:
    """Let a worker do what is due."""
    product = desk.product
    background = Background(
        product.database, product.wakeups, KINDS, product.corp, owner="p", clock=lambda: desk.now
    )

    def run() -> None:
        while background.tick():
            while background._busy.total():
                product.wakeups.wait(Queue.BACKGROUND, 10)

    yield run
    background.close()


def test_what_and_how_many_is_said_first_then_it_is_done_and_undone(
    desk: Desk, enter: Enter, many: Many, work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(deeds, "CHUNK", 2)
    many.hold(many.people[0], many.high)
    desk.relate(many.people[0], desk.staff("lili", "李莉"))
    browser = enter(Role.ADMIN)
    form = {"all": "on", "owner": "wangmin"}

    assert "全部 6 位符合条件的客户" in browser.post(PATH, form).text
    plan = {**form, "deed": "tag", "tag_id": [many.high.id, many.low.id]}
    asked = browser.post(f"{PATH}/check", plan).text
    assert "将为 6 位客户添加标签「高」，「低」" in asked or "将为 6 位客户添加标签「低」，「高」" in asked
    assert many.held(many.low) == []
    started = browser.post(f"{PATH}/start", plan)
    assert started.status_code == 303
    assert "等待执行" in browser.get(started.location).text
    work()

    everybody = [f"客户{n}" for n in range(5)]
    assert many.held(many.high) == many.held(many.low) == everybody
    page = browser.get(started.location).text
    assert "已完成" in page
    assert "已修改 5 位，本来如此 0 位，未能修改 1 位" in page
    assert re.search(r"<bdi>线索</bdi></a> <span[^>]*>没有员工是该客户的好友", page)
    undone = browser.post(f"{started.location}/undo")
    work()
    assert many.held(many.low) == []
    assert many.held(many.high) == ["客户0"]  # it had the tag before
    assert "已修改 5 位" in browser.get(undone.location).text
    with desk.product.database.read() as session:
        done = [row.action for row in session.query(AuditEntry).order_by(AuditEntry.n)]
    assert done[1:] == ["bulk:tag", "bulk:undone"]


def test_ticked_rows_lose_a_tag(enter: Enter, many: Many, work: Callable[[], None]):
    for one in many.people:
        many.hold(one, many.high)
    ids = [many.people[n].id for n in (1, 3)]
    browser = enter(Role.ADMIN)
    plan = {"id": ids, "deed": "untag", "tag_id": many.high.id}

    assert "选中的 2 位客户" in browser.post(PATH, {"id": ids}).text
    assert "将为 2 位客户去掉标签「高」" in browser.post(f"{PATH}/check", plan).text
    browser.post(f"{PATH}/start", plan)
    work()

    assert many.held(many.high) == ["客户0", "客户2", "客户4"]


def test_a_new_owner_gets_all_with_a_reason_and_one_notice(
    desk: Desk, enter: Enter, many: Many, work: Callable[[], None]
):
    desk.staff("zhangsan", "张三")
    browser = enter(Role.ADMIN)
    plan = {"all": "on", "q": "客户", "deed": "owner", "staff": "zhangsan", "note": "王敏休假"}

    assert "将把 5 位客户分配给 张三，原因：王敏休假" in browser.post(f"{PATH}/check", plan).text
    browser.post(f"{PATH}/start", plan)
    work()

    with desk.product.database.read() as session:
        made = session.query(Assignment).filter_by(reason="manual").all()
        calls = session.query(OutboxCall).filter_by(api="message/send").all()
    assert sorted(row.contact_id for row in made) == sorted(row.id for row in many.people)
    assert {row.detail["note"] for row in made} == {"王敏休假"}
    assert len(calls) == 1
    assert "5 位客户" in str(calls[0].command)


def test_a_job_that_was_cut_off_goes_on_and_does_nothing_twice(
    desk: Desk, enter: Enter, many: Many, work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(deeds, "CHUNK", 2)
    real, seen = deeds.change_tags, []

    def break_once(session, contact_id, **more):
        seen.append(contact_id)
        if len(seen) == 4:
            raise RuntimeError
        return real(session, contact_id, **more)

    monkeypatch.setattr(deeds, "change_tags", break_once)
    plan = {"all": "on", "q": "客户", "deed": "tag", "tag_id": many.high.id}
    enter(Role.ADMIN).post(f"{PATH}/start", plan)
    work()
    assert len(many.held(many.high)) == 2
    desk.now += timedelta(minutes=1)
    work()

    assert len(many.held(many.high)) == 5
    job = many.job()
    assert (job.state, job.report["changed"]) == (JobState.DONE, 5)
    with desk.product.database.read() as session:
        assert session.query(OutboxCall).filter_by(api="externalcontact/mark_tag").count() == 5


def test_nobody_reaches_further_than_he_sees(desk: Desk, enter: Enter, many: Many, work: Callable[[], None]):
    colleague = desk.staff("zhangsan", "张三")
    own = desk.add(Contact(name="自己的", owner_id=colleague.id, created_at=desk.now))
    browser = enter(Role.MANAGER, staff=colleague, reach=Reach.OWN)
    ids = [own.id, many.people[0].id]

    assert "选中的 1 位客户" in browser.post(PATH, {"id": ids}).text
    plan = {"id": ids, "deed": "tag", "tag_id": many.high.id}
    browser.post(f"{PATH}/start", plan)
    work()
    assert many.job().params["ids"] == [own.id]
    assert many.held(many.high) == []
    owner = {"id": own.id, "deed": "owner", "staff": "wangmin", "note": "x"}
    answer = browser.post(f"{PATH}/check", owner)
    assert (answer.status_code, "请选择您权限内的一位" in answer.text) == (422, True)
    report = f"{PATH}/{many.job().id}"
    assert browser.get(report).status_code == 200
    assert enter(Role.ADMIN).get(report).status_code == 404


def test_roles_without_the_permission_are_offered_nothing_and_start_nothing(enter: Enter, many: Many):
    rep = enter(Role.SALES, reach=Reach.ALL)
    readonly = enter(Role.READONLY)
    owner = {"all": "on", "deed": "owner", "staff": "wangmin", "note": "x"}

    assert "更换负责人…" not in rep.post(PATH, {"all": "on"}).text
    assert rep.post(f"{PATH}/start", owner).status_code == 422
    assert 'form="bulk"' not in readonly.get("/console/contacts").text
    assert readonly.post(f"{PATH}/start", {**owner, "deed": "tag", "tag_id": many.high.id}).status_code == 422
    assert many.job() is None


def test_what_is_missing_or_too_much_is_said(enter: Enter, many: Many, monkeypatch: pytest.MonkeyPatch):
    browser = enter(Role.ADMIN)
    everybody = {"all": "on"}

    assert "没有选中客户" in browser.post(PATH).text
    assert "请至少选择一个标签" in browser.post(f"{PATH}/check", {**everybody, "deed": "tag"}).text
    assert (
        "请写明原因" in browser.post(f"{PATH}/check", {**everybody, "deed": "owner", "staff": "wangmin"}).text
    )
    monkeypatch.setattr(bulk, "MOST", 3)
    assert "一次最多处理 3 位客户" in browser.post(PATH, everybody).text
    plan = {**everybody, "deed": "tag", "tag_id": many.high.id}
    assert browser.post(f"{PATH}/start", plan).status_code == 422
    assert many.job() is None


def test_what_has_nothing_to_put_back_cannot_be_undone(
    desk: Desk, enter: Enter, many: Many, work: Callable[[], None]
):
    browser = enter(Role.ADMIN)
    plan = {"all": "on", "q": "客户", "deed": "untag", "tag_id": many.high.id}
    location = browser.post(f"{PATH}/start", plan).location
    assert browser.post(f"{location}/undo").status_code == 403
    work()

    assert "本来如此 5 位" in browser.get(location).text
    assert "撤销" not in browser.get(location).text
    assert browser.post(f"{location}/undo").status_code == 403
    with desk.product.database.read() as session:
        assert len(jobs.list_jobs(session)) == 1
