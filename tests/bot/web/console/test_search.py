"""One search for everything: who finds whom, as a page and as the palette's list."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.web.console.search import fits
from scrm import seal
from scrm.accounts.roles import Role
from scrm.contacts.models import Contact
from scrm.tags.models import Tag
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

Enter = Callable[..., Browser]
PATH = "/console/search"
PALETTE = {"headers": {"HX-Request": "true"}}


def found(page: str) -> dict[str, list[str]]:
    """Title → the texts of its links."""
    groups = Desk.found(r'(?s)<section[^>]*aria-label="([^"]+)">(.*?)</section>', page)
    return {title: Desk.found(r"<a [^>]*><bdi>([^<]+)</bdi>", inside) for title, inside in groups}


@pytest.mark.parametrize("q", ["李", "lilei", "LL", "138 1234 5678", "张"])
def test_people_are_found_by_name_letters_phone_and_remark(desk: Desk, enter: Enter, q: str):
    with desk.product.database.write() as session:
        session.get(Contact, desk.contact.id).phone_index = seal.ring().blind_index("13812345678")
    other = desk.customer("无名")
    desk.relate(other, desk.staff("zs", "员工"), remark="张总")

    page = enter(Role.ADMIN).get(PATH, query_string={"q": q}).text

    assert found(page)["客户"] == ["无名" if q == "张" else "李雷"]
    assert "138****5678" in page


def test_a_tag_a_channel_a_rep_and_a_page_are_found_too(desk: Desk, enter: Enter):
    desk.tag(desk.contact, "上海")
    with desk.product.database.read() as session:
        tag_id = session.query(Tag).one().id
    browser = enter(Role.ADMIN)

    shanghai = browser.get(f"{PATH}?q=上海").text
    assert found(shanghai) == {"标签": ["有标签「上海」的客户"], "渠道活码": ["上海展会"]}
    assert f'href="/console/contacts?tag={tag_id}"' in shanghai
    assert found(browser.get(f"{PATH}?q=wm").text) == {"员工": ["王敏 的客户"]}
    assert found(browser.get(f"{PATH}?q=shenji").text) == {"页面": ["审计"]}
    assert found(browser.get(f"{PATH}?q=xinjian").text) == {"操作": ["新建渠道"]}
    assert "没有找到「xyzzy」" in browser.get(f"{PATH}?q=xyzzy").text


def test_nobody_finds_what_he_may_not_see(desk: Desk, enter: Enter):
    colleague = desk.staff("zhangsan", "张三")
    mine = enter(Role.SALES, staff=colleague)

    assert found(mine.get(f"{PATH}?q=李").text) == {}
    assert found(mine.get(f"{PATH}?q=王").text) == {}
    assert found(mine.get(f"{PATH}?q=审计").text) == {}
    assert found(mine.get(f"{PATH}?q=新建").text) == {}
    assert "操作" in found(mine.get(PATH).text)


def test_more_people_than_are_shown_can_all_be_seen(desk: Desk, enter: Enter):
    for n in range(6):
        desk.customer(f"李{n}")

    people = found(enter(Role.ADMIN).get(f"{PATH}?q=李").text)["客户"]

    assert people == ["李5", "李4", "李3", "李2", "李1", "李0", "查看「李」的全部客户"]


def test_the_palette_gets_options_only_and_caches_keep_both_apart(desk: Desk, enter: Enter):
    answer = enter(Role.ADMIN).get(f"{PATH}?q=李", **PALETTE)

    assert "<html" not in answer.text
    assert 'role="option"' in answer.text
    assert 'data-q="李"' in answer.text
    assert "HX-Request" in answer.headers["Vary"]


def test_names_are_text_whatever_they_look_like(desk: Desk, enter: Enter):
    desk.customer("<b>x")

    page = enter(Role.ADMIN).get(f"{PATH}?q=<b>x&lang=en").text

    assert "<b>x" not in page
    assert found(page)["Contacts"] == ["&lt;b&gt;x"]


def test_the_cost_of_a_search_does_not_grow_with_what_it_finds(desk: Desk, enter: Enter):
    browser, counts = enter(Role.ADMIN), []
    for _ in range(2):
        with desk.counted() as statements:
            browser.get(f"{PATH}?q=李")
        counts.append(len(statements))
        for n in range(20):
            desk.customer(f"李{n}", channel=desk.channel)

    assert counts[0] == counts[1]


def test_letters_fit_the_beginning_and_words_any_part():
    assert all(fits(q, "上海展会") for q in ("", "展会", "shang", "SHZH"))
    assert not any(fits(q, "上海展会") for q in ("zhan", "zh", "会展"))
