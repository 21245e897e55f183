from __future__ import annotations

from datetime import timedelta
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import pytest

from bot.web.links import Grant
from bot.web.sidebar.access import COOKIE
from scrm.accounts.models import StaffStatus
from scrm.contacts.models import Contact, Relation, RelationState
from scrm.followups.models import FollowupKind
from scrm.ids import new_id

if TYPE_CHECKING:
    from tests.bot.web.conftest import Desk

RLO = "\u202e"


# --- coming in


def test_the_link_leaves_the_address_bar_and_a_cookie_of_that_contact_alone(desk: Desk) -> None:
    answer = desk.get(desk.link())

    assert answer.status_code == 303
    assert answer.headers["Location"] == desk.path
    cookie = SimpleCookie(answer.headers["Set-Cookie"])[COOKIE]
    assert cookie["path"] == desk.path
    assert cookie["samesite"] == "Lax"
    assert cookie["httponly"]
    assert cookie["max-age"] == str(8 * 3600)
    assert "lianke" not in answer.text


def test_the_cookie_is_secure_behind_https(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(desk.product.config), "is_secure", True)
    from bot.app import create_app

    answer = create_app(desk.product).test_client().get(desk.link())

    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


def test_the_profile_answers_who_whence_whose_and_why(desk: Desk) -> None:
    desk.tag(desk.contact, "高意向")
    desk.relate(desk.contact, desk.staff("zhangsan", "张三"), remark="李总")

    page = desk.open()

    assert page.status_code == 200
    for told in (
        "<bdi>李雷</bdi>",
        "上海展会",
        "今天 09:50 添加",
        "线索",
        "归我",
        "扫「上海展会」的渠道活码，企业微信分给 王敏",
        "高意向",
        "「上海展会」自动 · 王敏 · 今天 10:00",
        "138****5678",
        "上海远航物流有限公司",
        "张三",
        "备注：李总",
    ):
        assert told in page.text, told
    assert "13812345678" not in page.text


def test_a_colleagues_customer_says_whose_it_is(desk: Desk) -> None:
    desk.staff("zhangsan", "张三")
    desk.relate(desk.contact, desk.staff("lisi", "李四"))

    page = desk.get(desk.link(userid="lisi"), follow_redirects=True)

    assert "归 王敏" in page.text
    assert "归我" not in page.text


def test_a_customer_who_deleted_the_rep_is_said_to_have(desk: Desk) -> None:
    with desk.product.database.write() as session:
        relation = session.query(Relation).one()
        relation.state, relation.lost_at = RelationState.LOST, desk.now - timedelta(minutes=1)

    assert "客户已在 今天 09:59 删除您" in desk.open().text


# --- staying out


def test_without_link_or_cookie_the_page_says_how_to_come_in(desk: Desk) -> None:
    answer = desk.get()

    assert answer.status_code == 403
    assert "请从企业微信打开" in answer.text
    assert "再点一次「查看客户」" in answer.text
    assert "李雷" not in answer.text


def test_a_stranger_learns_nothing_about_which_contacts_exist(desk: Desk) -> None:
    there, absent = desk.get(), desk.get(f"/sidebar/contacts/{new_id()}")

    assert (there.status_code, there.text) == (absent.status_code, absent.text)


def test_an_expired_link_says_so(desk: Desk) -> None:
    link = desk.link()
    desk.now += timedelta(days=7)

    answer = desk.get(link)

    assert answer.status_code == 403
    assert "这个链接已过期" in answer.text
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("token", ["", "x", "a.b", "x" * 5000, "%00", "李雷"])
def test_a_forged_link_says_so(desk: Desk, token: str) -> None:
    answer = desk.get(f"{desk.path}?token={token}")

    assert answer.status_code == 403
    assert "这个链接不完整" in answer.text


def test_a_visit_ends_after_eight_hours(desk: Desk) -> None:
    desk.open()
    desk.now += timedelta(hours=8)

    assert desk.get().status_code == 403


def test_a_link_opens_no_other_contact(desk: Desk) -> None:
    other = desk.customer("韩梅梅")
    token = desk.link().partition("?")[2]

    answer = desk.get(f"/sidebar/contacts/{other.id}?{token}")

    assert answer.status_code == 404
    assert "没有这位客户" in answer.text
    assert "韩梅梅" not in answer.text


def test_a_visit_opens_no_other_contact(desk: Desk) -> None:
    other = desk.customer("韩梅梅")
    grant = Grant(desk.contact.id, "wangmin", desk.now + timedelta(days=1))
    value, _ = desk.product_links().sign_visit(grant, now=desk.now)
    desk.client.set_cookie(COOKIE, value, path="/")

    answer = desk.get(f"/sidebar/contacts/{other.id}")

    assert answer.status_code == 404
    assert "韩梅梅" not in answer.text


def test_a_contact_that_is_not_the_reps_is_not_found(desk: Desk) -> None:
    desk.staff("lisi", "李四")

    assert desk.get(desk.link(userid="lisi")).status_code == 404


def test_a_contact_handed_over_is_not_found_any_more(desk: Desk) -> None:
    lisi = desk.staff("lisi", "李四")
    desk.open()
    with desk.product.database.write() as session:
        session.query(Relation).one().state = RelationState.TRANSFERRED
        session.get_one(Contact, desk.contact.id).owner_id = lisi.id

    assert desk.get().status_code == 404


def test_a_contact_that_never_was_is_not_found(desk: Desk) -> None:
    ghost = Contact(id=new_id(), name="", created_at=desk.now)

    assert desk.get(desk.link(ghost)).status_code == 404


@pytest.mark.parametrize("status", [StaffStatus.LEFT, StaffStatus.DISABLED, StaffStatus.INACTIVE])
def test_a_rep_who_has_left_is_refused_in_the_middle_of_a_visit(desk: Desk, status: StaffStatus) -> None:
    desk.open()
    with desk.product.database.write() as session:
        session.merge(desk.rep).status = status

    answer = desk.get()

    assert answer.status_code == 403
    assert "您的账号已停用" in answer.text
    assert "李雷" not in answer.text
    assert desk.get(desk.link()).status_code == 403


# --- what strangers write stays text


def test_a_nickname_with_html_stays_text(desk: Desk) -> None:
    nasty = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }}'
    with desk.product.database.write() as session:
        session.get_one(Contact, desk.contact.id).name = nasty
        session.query(Relation).one().remark = nasty
    desk.happened("message.received", content=nasty, kind="text")
    desk.followed(nasty, next_step=nasty, next_at=desk.now + timedelta(days=1))
    desk.tag(desk.contact, nasty[:60])

    for path in (desk.path, f"{desk.path}?tab=followups"):
        desk.get(desk.link())
        page = desk.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text
        assert "{{ 7*7 }}" in page.text


def test_text_from_right_to_left_turns_nothing_round(desk: Desk) -> None:
    with desk.product.database.write() as session:
        session.get_one(Contact, desk.contact.id).name = f"{RLO}مرحبا"
    desk.happened("message.received", content=f"{RLO}مرحبا", kind="text")

    page = desk.open()

    assert RLO not in page.text
    assert "<bdi>مرحبا</bdi>" in page.text
    assert "收到文字消息：\u2068مرحبا\u2069" in page.text


@pytest.mark.parametrize(
    ("name", "initial"),
    [("李雷", "李"), ("👨‍👩‍👧 amy", "A"), ("", "未"), ("😀", "·"), ("  ", "未"), ("ß", "S")],
)
def test_the_avatar_shows_the_first_letter(desk: Desk, name: str, initial: str) -> None:
    with desk.product.database.write() as session:
        session.get_one(Contact, desk.contact.id).name = name

    assert f'aria-hidden="true">{initial}</span>' in desk.open().text


# --- the timeline


def test_the_timeline_is_grouped_by_day(desk: Desk) -> None:
    desk.happened("welcome.sent")
    desk.happened("contact.edited", at=desk.now - timedelta(days=1), staff="王敏")
    desk.happened("contact.added", at=desk.now - timedelta(days=400), staff="王敏")

    text = desk.open().text

    assert text.index("<h3>今天</h3>") < text.index("<h3>昨天</h3>") < text.index("<h3>2025-10-19 周日</h3>")


def test_the_timeline_is_filtered_by_the_address(desk: Desk) -> None:
    desk.happened("welcome.sent")
    desk.happened("message.received", content="还有展位吗", kind="text")
    desk.open()

    page = desk.get(f"{desk.path}?kind=message").text

    assert "还有展位吗" in page
    assert "欢迎语已发送" not in page
    assert "没有「标签」动态" in desk.get(f"{desk.path}?kind=tag").text
    assert "欢迎语已发送" in desk.get(f"{desk.path}?kind=nonsense").text


def test_older_entries_come_page_by_page_each_once(desk: Desk) -> None:
    for n in range(70):
        at = desk.now - timedelta(minutes=n // 2)  # pairs at one instant: the cursor must not lose the second
        desk.happened("message.received", at=at, content=f"第{n}条。", kind="text")
    desk.open()

    seen, path = [], desk.path
    for _ in range(3):
        page = desk.get(path).text
        seen += desk.found(r"第(\d+)条。", page)
        more = desk.found(r'data-more[^>]* href="([^"]+)"', page)
        path = more[0].replace("&amp;", "&") if more else ""

    assert sorted(map(int, seen)) == list(range(70))
    assert path == ""


def test_a_cursor_nobody_made_leads_to_the_newest(desk: Desk) -> None:
    desk.open()

    answer = desk.get(f"{desk.path}?cursor=nonsense")

    assert (answer.status_code, answer.headers["Location"]) == (303, f"{desk.path}?tab=profile")


def test_a_failure_is_marked_in_words_too(desk: Desk) -> None:
    desk.happened("welcome.failed", reason="该客户已不是好友", errcode=84061)

    page = desk.open().text

    assert 'aria-label="需要留意"' in page
    assert "欢迎语发送失败：该客户已不是好友（84061）" in page


# --- follow-ups


def test_follow_ups_are_shown_whole_with_the_next_step(desk: Desk) -> None:
    long = "很长的内容" * 60
    desk.followed(long, kind=FollowupKind.VISIT, next_step="发合同", next_at=desk.now + timedelta(days=1))
    desk.open()

    page = desk.get(f"{desk.path}?tab=followups").text

    assert long in page
    assert "拜访" in page
    assert "下一步：明天 · 发合同" in page


def test_an_overdue_next_step_is_called_so(desk: Desk) -> None:
    desk.followed("聊了", at=desk.now - timedelta(days=5), next_at=desk.now - timedelta(days=2))

    assert "下一步 · 已过期" in desk.open().text


# --- promises about every page


def test_a_profile_asks_a_fixed_number_of_queries(desk: Desk) -> None:
    desk.open()
    with desk.counted() as few:
        desk.get()
    for n in range(8):
        desk.relate(desk.contact, desk.staff(f"s{n}", f"员工{n}"))
        desk.tag(desk.contact, f"标签{n}")
        desk.followed("聊了")
        for _ in range(10):
            desk.happened("welcome.sent")
    with desk.counted() as many:
        assert desk.get().status_code == 200
    with desk.counted() as log:
        assert desk.get(f"{desk.path}?tab=followups").status_code == 200

    assert (len(few), len(many), len(log)) == (12, 12, 14)


def test_pages_run_nothing_of_others_and_are_kept_by_nobody(desk: Desk) -> None:
    for page in (desk.open(), desk.get("/"), desk.get(f"/sidebar/contacts/{new_id()}")):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'self' https://*.work.weixin.qq.com" in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert page.headers["Cache-Control"] == "no-store"
        assert not desk.found(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", page.text)


def test_a_profile_weighs_little(desk: Desk) -> None:
    page = desk.open()
    files = [
        path
        for path in desk.found(r'(?:href|src)="(/static/[^"]+)"', page.text)
        if ".css" in path or ".js" in path
    ]

    weight = 0
    for path in files:
        with desk.get(path) as answer:
            weight += len(answer.data)
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"

    assert len(files) == 5
    assert weight < 36_000


def test_english_pages_hold_no_chinese_but_peoples_own(desk: Desk) -> None:
    with desk.product.database.write() as session:
        contact = session.get_one(Contact, desk.contact.id)
        contact.name, contact.corp_name, contact.first_channel_id = "Amy", "Acme", None
        session.merge(desk.rep).name = "Ming"
    desk.happened("welcome.sent")
    desk.followed("Talked", next_at=desk.now + timedelta(days=3))
    desk.get(desk.link())

    for path in (
        f"{desk.path}?lang=en",
        f"{desk.path}?lang=en&tab=followups",
        "/?lang=en",
        "/sidebar?lang=en",
    ):
        page = desk.get(path)
        text = desk.without(page.text, "中文", "上海展会", "王敏", "渠道活码")
        assert page.headers["Content-Language"] == "en"
        assert not desk.found(r"[\u4e00-\u9fff]+", text), path


def test_the_language_of_the_address_is_kept_by_its_links(desk: Desk) -> None:
    desk.open()

    page = desk.get(f"{desk.path}?lang=en").text

    assert (
        f'href="{desk.path}?lang=en&amp;tab=followups"' in page
        or f"{desk.path}?tab=followups&amp;lang=en" in page
    )
    assert "Write follow-up" in desk.get(headers={"Accept-Language": "en-GB,en;q=0.9"}).text


def test_a_mistake_of_ours_says_so_with_a_number(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.open()
    monkeypatch.setattr("bot.web.sidebar.page.list_assignments", lambda *_a, **_k: 1 / 0)

    answer = desk.get()

    assert answer.status_code == 500
    assert "出错了，不是您的问题" in answer.text
    assert desk.found(r"编号 <code>[\w-]{8}</code>", answer.text)
    assert "ZeroDivision" not in answer.text
