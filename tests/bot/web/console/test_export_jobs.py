"""Lists exported in the background: whole, once each, masked as the person may read them, whoever dies in between."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from bot.workers import exporting
from scrm.accounts.models import Account
from scrm.accounts.roles import Reach, Role
from scrm.contacts.models import Contact
from scrm.jobs import service as jobs
from scrm.jobs.models import JobState
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser
from tests.bot.web.console.test_import import Works, deeds, job, lines, works

__all__ = ["works"]
Enter = Callable[..., Browser]


def export(browser: Browser, of: str = "contacts", **form: str) -> str:
    answer = browser.post(f"/console/{of}/export/all", form)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def table(browser: Browser, place: str) -> list[list[Any]]:
    answer = browser.get(f"{place}/files/result")
    assert answer.status_code == 200, answer.text
    content = answer.data
    if content.startswith(b"PK"):
        return lines(content)
    assert content.startswith("\ufeff".encode())
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_all_that_fit_are_in_the_file_once_though_the_first_process_died(
    desk: Desk, enter: Enter, works: Works, form: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(exporting, "CHUNK", 3)
    for n in range(10):
        desk.customer(f"n{n}", corp_name="=1+1")
    browser = enter(Role.ADMIN)
    place = export(browser, format=form)
    works.run(kill_after=3)
    assert "6 / 11" in browser.get(place).text
    assert browser.get(f"{place}/files/result").status_code == 404
    desk.now += jobs.LEASE
    works.run(owner="p2")

    header, *rows = table(browser, place)
    assert header[:3] == ["姓名", "公司", "电话"]
    assert sorted(row[0] for row in rows) == sorted([*(f"n{n}" for n in range(10)), "李雷"])
    assert {row[1] for row in rows if row[0] != "李雷"} == {"=1+1" if form == "xlsx" else "'=1+1"}
    assert {row[2] for row in rows} == {"13812345678"}
    [deed] = deeds(desk, "contacts:exported")
    assert (deed.detail["rows"], deed.detail["phones"], deed.detail["format"]) == (11, "whole", form)
    assert (job(desk).done, job(desk).total) == (11, 11)


def test_only_what_the_filters_show_and_only_what_the_person_may_see(desk: Desk, enter: Enter, works: Works):
    stranger = desk.staff("zhang", "张三")
    desk.add(Contact(name="别人的", owner_id=stranger.id, created_at=desk.now))
    desk.customer("我的")
    browser = enter(Role.MANAGER, staff=desk.rep, reach=Reach.OWN)
    place = export(browser)
    works.run()
    _, *rows = table(browser, place)
    assert sorted(row[0] for row in rows) == ["我的", "李雷"]
    assert {row[2] for row in rows} == {"138****5678"}

    place = export(browser, q="13812345678")
    assert "13812345678" not in str(job(desk).params)
    place = export(browser, stage="mql")
    works.run()
    assert table(browser, place)[1:] == []


def test_the_log_of_follow_ups_is_exported_with_its_filters(desk: Desk, enter: Enter, works: Works):
    desk.followed("第一次\n联系")
    desk.followed("第二次", kind="call")
    browser = enter(Role.MANAGER, staff=desk.rep)
    place = export(browser, "followups", kind="call")
    works.run()
    _, *rows = table(browser, place)
    assert [row[4] for row in rows] == ["第二次"]
    assert "导出跟进" in browser.get(place).text
    assert len(deeds(desk, "followups:exported")) == 1


def test_who_lost_the_permission_meanwhile_gets_no_file(desk: Desk, enter: Enter, works: Works):
    browser = enter(Role.MANAGER, staff=desk.rep)
    place = export(browser)
    with desk.product.database.write() as session:
        for account in session.query(Account).filter_by(username="manager"):
            account.role = Role.SALES
    works.run()
    assert job(desk).state is JobState.FAILED
    assert "发起人已没有做这件事的权限" in browser.get(place).text


@pytest.mark.parametrize("role", [Role.SALES, Role.READONLY, Role.MARKETING])
def test_others_export_nothing_in_the_background_either(desk: Desk, enter: Enter, role: Role):
    browser = enter(role, staff=desk.rep)
    for of in ("contacts", "followups"):
        assert browser.post(f"/console/{of}/export/all").status_code == 403
