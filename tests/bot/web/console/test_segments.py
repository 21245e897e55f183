"""Segments: filters under names, private or shared, counted for each person by what they may see."""

from __future__ import annotations

from collections.abc import Callable

from scrm.accounts.roles import Role
from scrm.audit.models import AuditEntry
from scrm.segments import service
from scrm.segments.models import Segment
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

Enter = Callable[..., Browser]
LIST, PATH = "/console/contacts", "/console/segments"


def kept(desk: Desk) -> list[Segment]:
    with desk.product.database.read() as session:
        return session.query(Segment).order_by(Segment.position).all()


def tabs(page: str) -> list[tuple[str, str]]:
    return Desk.found(r'<bdi>([^<]+)</bdi> <span class="figures count">([^<]*)</span>', page)


def save(browser: Browser, name: str, **form: str) -> str:
    """The page that follows."""
    return browser.post(PATH, {"name": name, "q": "李", **form}, follow_redirects=True).text


def test_the_filters_at_hand_are_kept_under_a_name_and_shown_as_a_tab(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)
    assert "存为人群" in browser.get(f"{LIST}?q=李").text
    assert "存为人群" not in browser.get(LIST).text

    page = save(browser, "姓李的")

    assert "已保存人群「姓李的」" in page
    assert "已保存" not in browser.get(LIST).text
    assert tabs(page) == [("姓李的", "")]
    assert "管理人群「姓李的」" in page
    assert 'hx-get="/console/segments?q=' in page
    counted = browser.get(f"{PATH}?q=李").text
    assert tabs(counted) == [("姓李的", "1")]
    assert "hx-get" not in counted
    assert 'aria-current="true"' in counted
    [row] = kept(desk)
    assert (row.query, row.is_shared) == ({"q": ["李"]}, False)


def test_shared_ones_count_for_each_what_they_may_see_and_private_ones_are_nobodys_business(
    desk: Desk, enter: Enter
):
    admin, rep = enter(Role.ADMIN), enter(Role.SALES, staff=desk.staff("zs", "张三"))
    save(admin, "私人")
    save(admin, "共享", is_shared="on")

    assert tabs(admin.get(PATH).text) == [("私人", "1"), ("共享", "1")]
    assert tabs(rep.get(PATH).text) == [("共享", "0")]
    private, shared = kept(desk)
    assert rep.post(f"{PATH}/{private.id}", {"name": "x"}).status_code == 404
    assert rep.post(f"{PATH}/{private.id}/delete").status_code == 404
    assert rep.post(f"{PATH}/{shared.id}", {"name": "x"}).status_code == 403
    assert rep.post(f"{PATH}/{shared.id}/delete").status_code == 403
    assert [row.name for row in kept(desk)] == ["私人", "共享"]


def test_a_segment_is_renamed_shared_and_deleted_and_the_deletion_undone(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)
    save(browser, "旧名")
    [row] = kept(desk)

    browser.post(f"{PATH}/{row.id}", {"name": "新名", "is_shared": "on"})
    assert [(row.name, row.is_shared) for row in kept(desk)] == [("新名", True)]
    page = browser.post(f"{PATH}/{row.id}/delete", follow_redirects=True).text
    assert kept(desk) == []
    assert "已删除人群「新名」" in page
    undo = dict(Desk.found(r'<input type="hidden" name="(name|q|is_shared)" value="([^"]*)">', page))
    browser.post(PATH, undo)

    assert [(row.name, row.is_shared, row.query) for row in kept(desk)] == [("新名", True, {"q": ["李"]})]
    with desk.product.database.read() as session:
        deeds = [row.action for row in session.query(AuditEntry).order_by(AuditEntry.n)]
    assert deeds[1:] == ["segment:saved", "segment:changed", "segment:deleted", "segment:saved"]


def test_what_cannot_be_kept_is_said_and_nothing_is_lost(desk: Desk, enter: Enter, monkeypatch):
    browser = enter(Role.ADMIN)
    assert "人群名称为 1-64 个字符" in save(browser, " ")
    assert "请先选好条件" in save(browser, "空", q="")
    save(browser, "一")
    assert "已有名为「一」的人群" in save(browser, "一", q="王")
    assert 'name="name" value="一"' in browser.get(f"{LIST}?q=李").text
    monkeypatch.setattr(service, "MOST", 1)
    assert "最多保存 1 个" in save(browser, "二", q="王")
    assert [row.name for row in kept(desk)] == ["一"]


def test_a_segment_whose_filter_means_nothing_any_more_says_so(desk: Desk, enter: Enter):
    browser = enter(Role.ADMIN)
    save(browser, "走了的标签", tag="01GONE")

    assert tabs(browser.get(PATH).text) == [("走了的标签", "?")]


def test_eight_are_shown_each_counted_once(desk: Desk, enter: Enter):
    browser, counts = enter(Role.ADMIN), []
    for n in range(10):
        save(browser, f"群{n}", q=f"李{n}")
        with desk.counted() as statements:
            page = browser.get(PATH).text
        counts.append(sum("count(*)" in statement and "contact" in statement for statement in statements))

    assert len(tabs(page)) == 8
    assert counts == [
        2 * n for n in (1, 2, 3, 4, 5, 6, 7, 8, 8, 8)
    ]  # names are counted to see which way is shorter
