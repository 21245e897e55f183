"""Contacts from a file: looked at before anything is written, made once each, whoever dies in between."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from bot import workbook
from bot.workers.background import Background, Run
from bot.workers.kinds import KINDS
from bot.workers.run import Kind
from bot.workers.wakeup import Queue
from scrm.accounts.roles import Role
from scrm.audit.models import AuditEntry
from scrm.contacts.models import Contact, Stage
from scrm.contacts.service import set_phone
from scrm.jobs import service as jobs
from scrm.jobs.models import Job, JobFile, JobState
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

Enter = Callable[..., Browser]
HEADER = ["客户姓名", "手机号码*", "公司名称", "来源渠道", "备注"]


def excel(*rows: Sequence[str], header: Sequence[str] = HEADER) -> bytes:
    target = io.BytesIO()
    workbook.write(target, header, rows)
    return target.getvalue()


def lines(content: bytes) -> list[list[Any]]:
    return CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()


class Works:
    """``works.run()`` is a process that does what waits; with ``kill_after=3`` one that is killed after 3 chunks."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._made: list[Background] = []

    def run(self, *, kill_after: int | None = None, owner: str = "p1") -> None:
        product = self.desk.product
        kinds = {name: Kind(dying(kind, kill_after), kind.permission) for name, kind in KINDS.items()}
        made = Background(
            product.database, product.wakeups, kinds, product.corp, owner=owner, clock=product.clock
        )
        self._made.append(made)
        while made.tick():
            while made._busy.total():
                product.wakeups.wait(Queue.BACKGROUND, 10)

    def close(self) -> None:
        for made in self._made:
            made.close()


def dying(kind: Kind, chunks: int | None) -> Callable[[Run], None]:
    """The kind's work, in a process that is gone once so many chunks are committed."""

    def work(run: Run) -> None:
        keep, left = run.progress, [chunks]

        def progress(*arguments: Any, **named: Any) -> None:
            if left[0] is not None:
                if left[0] == 0:
                    raise SystemExit
                left[0] -= 1
            keep(*arguments, **named)

        run.progress = progress  # type: ignore[method-assign]
        kind.run(run)

    return work


def number(desk: Desk, contact: Contact, phone: str) -> None:
    with desk.product.database.write() as session:
        set_phone(session.get_one(Contact, contact.id), phone)


@pytest.fixture(autouse=True)
def known(desk: Desk) -> None:
    """李雷's number can be found."""
    number(desk, desk.contact, "13812345678")


@pytest.fixture
def works(desk: Desk) -> Iterator[Works]:
    made = Works(desk)
    yield made
    made.close()


def upload(browser: Browser, content: bytes, name: str = "展会.xlsx") -> TestResponse:
    return browser.post("/console/import", {"file": (io.BytesIO(content), name)})


def begin(browser: Browser, content: bytes, **form: Any) -> TestResponse:
    place = upload(browser, content).headers["Location"]
    return browser.post(place, form)


def contacts(desk: Desk) -> list[Contact]:
    with desk.product.database.read() as session:
        return list(session.scalars(select(Contact).order_by(Contact.created_at, Contact.name)))


def job(desk: Desk) -> Job:
    with desk.product.database.read() as session:
        return session.scalars(select(Job).order_by(Job.id.desc())).first()  # type: ignore[return-value]


def deeds(desk: Desk, action: str) -> list[AuditEntry]:
    with desk.product.database.read() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def many(rows: int, bad: int) -> list[list[str]]:
    """So many rows, of which every so often one is bad."""
    every = rows // bad
    wrong = set(range(0, every * bad, every))
    return [[f"客户{n}", f"1390000{n:04d}" if n not in wrong else "12", "=1+1", "", ""] for n in range(rows)]


# --- from the file to the contacts


def test_a_file_is_looked_at_then_imported_and_can_be_imported_again(desk: Desk, enter: Enter, works: Works):
    browser = enter(Role.ADMIN)
    content = excel(
        ["王一", "139 0000 0001", "=HYPERLINK(1)", desk.channel.name, "要报价"],
        ["", "13900000002"],
        ["王三", "13900000001"],
        ["李雷", "13812345678"],
        ["赵六", "12345"],
    )
    answer = upload(browser, content)
    assert answer.status_code == 303
    place = answer.headers["Location"]
    page = browser.get(place).text
    for told in ("展会.xlsx，共 5 行", "缺少姓名", "文件内重复，跳过", "已有客户", "手机号不正确", "王一"):
        assert told in page
    counted = browser.get(f"{place}/check").text
    for told in ("1 行可以新建", "1 行已有客户", "1 行在文件内重复", "2 行不合格"):
        assert told in counted
    works.run()
    assert [row.name for row in contacts(desk)] == ["李雷"]  # nothing is written before it is confirmed

    answer = browser.post(place, {"stage": "mql"})
    assert answer.headers["Location"] == f"/console/jobs/{job(desk).id}"
    assert "排队中" in browser.get(answer.headers["Location"]).text
    works.run()
    made = contacts(desk)[-1]
    assert (made.name, made.phone, made.corp_name) == ("王一", "13900000001", "=HYPERLINK(1)")
    assert (made.first_channel_id, made.stage) == (desk.channel.id, Stage.MQL)
    page = browser.get(answer.headers["Location"]).text
    assert "已完成" in page
    assert "展会-失败.xlsx" in page
    [deed] = deeds(desk, "contacts:imported")
    assert (deed.detail["created"], deed.detail["bad"]) == (1, 2)

    begin(browser, content)
    works.run()
    assert len(contacts(desk)) == 2
    assert job(desk).report["known"] == 2


def test_5000_rows_with_37_bad_ones_killed_in_the_middle_are_made_once(
    desk: Desk, enter: Enter, works: Works
):
    browser = enter(Role.ADMIN)
    started = begin(browser, excel(*many(5000, 37))).headers["Location"]
    works.run(kill_after=11)
    assert job(desk).state is JobState.RUNNING
    page = browser.get(started).text
    assert "2,200 / 5,000" in page
    desk.now += jobs.LEASE
    works.run(owner="p2")

    ended = job(desk)
    assert (ended.state, ended.report["created"], ended.report["bad"]) == (JobState.DONE, 4963, 37)
    with desk.product.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Contact)) == 4963 + 1
        assert set(session.scalars(select(JobFile.kind))) == {"input", "failed"}
    header, *failed = lines(browser.get(f"{started}/files/failed").data)
    assert header == [*HEADER, "失败原因"]
    assert len(failed) == 37
    assert failed[0][:3] == ["客户0", "12", "=1+1"]
    assert "手机号不正确" in failed[0][5]

    mended = excel(*[[row[0], f"1370000{n:04d}", *row[2:]] for n, row in enumerate(failed)], header=header)
    begin(browser, mended)
    works.run(owner="p2")
    assert (job(desk).report["created"], "失败原因" in browser.get(started).text) == (37, False)


def test_what_is_known_can_be_filled_in_or_overwritten(desk: Desk, enter: Enter, works: Works):
    browser = enter(Role.ADMIN)
    other = desk.staff("zhang", "张三")
    empty = desk.customer("韩梅梅", phone=None, corp_name=None)
    number(desk, empty, "13900000009")
    content = excel(["韩梅", "13900000009", "甲公司"], ["李雷雷", "13812345678", "乙公司"])

    begin(browser, content, known="fill", owner=other.userid)
    works.run()
    found = {row.phone: row for row in contacts(desk)}
    assert (found["13900000009"].name, found["13900000009"].corp_name) == ("韩梅梅", "甲公司")
    assert (found["13812345678"].name, found["13812345678"].corp_name) == ("李雷", "上海远航物流有限公司")
    begin(browser, content, known="overwrite", owner=other.userid)
    works.run()
    found = {row.phone: row for row in contacts(desk)}
    assert (found["13900000009"].name, found["13812345678"].corp_name) == ("韩梅", "乙公司")
    assert found["13812345678"].owner_id == other.id
    assert job(desk).report["updated"] == 2


def test_columns_with_other_names_can_be_chosen(desk: Desk, enter: Enter, works: Works):
    browser = enter(Role.ADMIN)
    content = excel(["王一", "13900000001"], header=["who", "number"])
    place = upload(browser, content).headers["Location"]
    assert "请指定哪一列是：姓名，手机" in browser.get(place).text
    assert browser.post(place, {}).status_code == 422
    assert "王一" in browser.get(f"{place}?col_name=0&col_phone=1").text
    browser.post(place, {"col_name": "0", "col_phone": "1"})
    works.run()
    assert contacts(desk)[-1].name == "王一"


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff姓名,手机\n王一,13900000001\n".encode(),
        "姓名;手机\r\n王一;13900000001\r\n".encode("gb18030"),
        "name\tphone\n王一\t+86 13900000001\n".encode(),
    ],
)
def test_csv_as_excel_and_others_write_it(desk: Desk, enter: Enter, works: Works, content: bytes):
    begin(enter(Role.ADMIN), content)
    works.run()
    assert contacts(desk)[-1].phone == "13900000001"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04 no workbook", "文件打不开"),
        (b"\xff\xfe\xff\xfe\x00", "既不是 UTF-8"),
        (b"", "文件是空的"),
        ("姓名,手机\n".encode(), "没有客户"),
        (b"a" * 1001, "文件超过"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(
    desk: Desk, enter: Enter, content: bytes, told: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bot.web.console.importing.MAX_BYTES", 1000)
    answer = upload(enter(Role.ADMIN), content)
    assert answer.status_code == 422
    assert told in answer.text
    with desk.product.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0


def test_the_template_can_be_filled_in_and_imported(desk: Desk, enter: Enter, works: Works):
    browser = enter(Role.ADMIN)
    for n, language in enumerate(("zh", "en")):
        header, example = lines(browser.get(f"/console/import/template?lang={language}").data)
        filled = excel(["王一", f"1390000000{n}", *example[2:]], header=header)
        begin(browser, filled)
        works.run()
        assert job(desk).report.get("bad", 0) == 0
        assert contacts(desk)[-1].first_channel_id == desk.channel.id


def test_a_draft_is_its_owners_alone_and_can_be_dropped(desk: Desk, enter: Enter):
    admin, manager = enter(Role.ADMIN), enter(Role.MANAGER)
    place = upload(manager, excel(["王一", "13900000001"])).headers["Location"]
    assert admin.get(place).status_code == 404
    assert admin.post(place, {}).status_code == 404
    assert "展会.xlsx" not in admin.get("/console/jobs").text
    manager.post(f"{place}/drop")
    assert manager.get(place).status_code == 404


def test_others_import_nothing(desk: Desk, enter: Enter):
    browser = enter(Role.SALES, staff=desk.rep)
    assert browser.get("/console/import").status_code == 403
    assert upload(browser, excel(["王一", "13900000001"])).status_code == 403


# --- the list of jobs


def test_a_job_is_cancelled_and_goes_on_from_where_it_was(desk: Desk, enter: Enter, works: Works):
    browser = enter(Role.MANAGER)
    place = begin(browser, excel(*many(600, 1))).headers["Location"]
    assert "1 个任务进行中" in browser.get("/console/contacts").text
    works.run(kill_after=1)
    browser.post(f"{place}/cancel")
    assert "已取消" in browser.get(place).text
    assert "任务进行中" not in browser.get("/console/contacts").text
    assert "任务已结束" in browser.get("/console/jobs/mine").text
    browser.post(f"{place}/retry")
    works.run()
    assert "已完成" in browser.get(place).text
    assert (job(desk).report["created"], len(contacts(desk))) == (599, 600)
    assert [len(deeds(desk, f"job:{deed}")) for deed in ("cancelled", "retried")] == [1, 1]


def test_files_are_for_whoever_started_the_job_and_administrators_for_a_week(
    desk: Desk, enter: Enter, works: Works
):
    manager, admin, readonly = enter(Role.MANAGER), enter(Role.ADMIN), enter(Role.READONLY)
    sales = enter(Role.SALES, staff=desk.rep)
    place = begin(manager, excel(["王一", "12"])).headers["Location"]
    works.run()
    path = f"{place}/files/failed"
    assert [one.get(path).status_code for one in (manager, admin, readonly, sales)] == [200, 200, 404, 404]
    assert [one.get(place).status_code for one in (manager, admin, readonly, sales)] == [200, 200, 200, 404]
    assert manager.get(f"{place}/files/work").status_code == 404
    assert len(deeds(desk, "job:fetched")) == 2
    with desk.product.database.write() as session:
        for row in session.scalars(select(JobFile)):
            row.created_at = row.created_at.replace(year=2025)
    assert manager.get(path).status_code == 404


def test_the_list_asks_again_only_while_something_runs(desk: Desk, enter: Enter, works: Works):
    browser = enter(Role.ADMIN)
    assert "还没有任务" in browser.get("/console/jobs").text
    begin(browser, excel(["王一", "13900000001"]))
    assert 'hx-trigger="every 2s" hx-select="#jobs"' in browser.get("/console/jobs").text
    works.run()
    page = browser.get("/console/jobs").text
    assert "every 2s" not in page
    assert "导入客户" in page
    assert "Import of contacts" in browser.get("/console/jobs?lang=en").text
