"""The pages of channels: the list's figures, the wizard, one channel, its code; as several roles."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from bot.web.console import channel_forms as forms
from bot.words.texts import Words
from scrm.accounts.models import Staff
from scrm.accounts.roles import Role
from scrm.audit.models import AuditEntry
from scrm.channels.models import Channel, ChannelCode, ChannelStaff, ChannelTag, Scan
from scrm.contacts.models import Contact
from scrm.outbox.models import OutboxCall
from scrm.tags.models import Tag, TagGroup
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

XSS = "<script>alert(1)</script>\"'>"


@pytest.fixture
def admin(enter: Callable[..., Browser]) -> Browser:
    return enter(Role.ADMIN)


def scanned(
    desk: Desk,
    name: str,
    staff: Staff | None = None,
    *,
    at: datetime | None = None,
    channel: Channel | None = None,
) -> Contact:
    """A new customer who came through the channel to this rep."""
    channel, staff, at = channel or desk.channel, staff or desk.rep, at or desk.now - timedelta(minutes=10)
    contact = desk.add(Contact(name=name, created_at=at, owner_id=staff.id, first_channel_id=channel.id))
    desk.relate(contact, staff, at=at, channel_id=channel.id)
    ids = {"channel_id": channel.id, "contact_id": contact.id, "staff_id": staff.id}
    desk.add(Scan(**ids, at=at, is_new=True, effect_key=f"s:{contact.id}"))
    return contact


def code_of(desk: Desk, channel: Channel, **more) -> ChannelCode:
    fields = {"config_id": "cfg1", "qr_url": "https://wework.qpic.cn/q/1", "users": ["wangmin"], **more}
    return desk.add(
        ChannelCode(channel_id=channel.id, state=f"ch_{channel.id}", updated_at=desk.now, **fields)
    )


def filled(page: str, **fields):
    """The wizard as somebody fills it in."""
    nonce = re.search(r'name="nonce" value="([^"]+)"', page)
    assert nonce is not None, page
    return {
        "nonce": nonce[1],
        "name": "官网",
        "staff": "wangmin",
        "shift": "always",
        "text": "{customer}您好，我是{rep}",
        **fields,
    }


def channels(desk: Desk) -> list[Channel]:
    with desk.product.database.read() as session:
        return list(session.scalars(select(Channel).order_by(Channel.id)))


# --- the list


def test_list_answers_first_and_its_numbers_open_their_rows(desk: Desk, admin: Browser):
    with desk.product.database.write() as session:
        session.get_one(Channel, desk.channel.id).cost_fen = 3680
    scanned(desk, "韩梅梅")
    scanned(desk, "李华")
    page = admin.get("/console/channels").text
    assert "近 7 天 1 个渠道带来 2 位客户；「上海展会」成本最低，每位 ¥18.40。" in page
    assert f"/console/contacts?channel={desk.channel.id}&amp;from=2026-11-17&amp;to=2026-11-23" in page
    assert "<polyline" in page
    assert "近 14 天每天新增：0、0、0、0、0、0、0、0、0、0、0、0、0、2" in page
    assert "style=" not in page


def test_list_by_state_name_and_period(desk: Desk, admin: Browser):
    desk.add(Channel(name="停用的", state="paused", created_at=desk.now, welcomes=[], schedule=[]))
    scanned(desk, "旧客户", at=desk.now - timedelta(days=20))
    page = admin.get("/console/channels?state=paused").text
    assert "停用的" in page
    assert "bdi>上海展会" not in page
    assert "没有符合条件的渠道" in admin.get("/console/channels?q=没有").text
    assert "近 7 天 还没有客户" in admin.get("/console/channels?range=7").text
    assert "近 30 天 1 个渠道带来 1 位客户" in admin.get("/console/channels?range=30").text
    custom = admin.get("/console/channels?range=custom&from=2026-11-01&to=2026-11-05").text
    assert "2026-11-01 至 2026-11-05" in custom


def test_wrong_days_are_told_and_the_usual_shown(admin: Browser):
    for asked, told in (
        ("from=yesterday&to=2026-11-05", "日期没有看懂"),
        ("from=2026-11-05&to=2026-11-01", "结束日期早于开始日期"),
        ("from=2020-01-01&to=2026-11-01", "一次最多看 366 天"),
        ("from=0001-01-01&to=0001-01-02", "日期没有看懂"),
    ):
        page = admin.get(f"/console/channels?range=custom&{asked}")
        assert page.status_code == 200
        assert told in page.text


def test_list_of_a_rep_counts_his_own_and_tells_no_costs(desk: Desk, enter: Callable[..., Browser]):
    with desk.product.database.write() as session:
        session.get_one(Channel, desk.channel.id).cost_fen = 3680
    other = desk.staff("lisi", "李四")
    scanned(desk, "我的")
    scanned(desk, "别人的", other)
    scanned(desk, "也是别人的", other)
    page = enter(Role.SALES, staff=desk.rep).get("/console/channels").text
    assert "1 个渠道带来 1 位客户。" in page
    assert "¥" not in page
    assert "/console/channels/new" not in page


def test_list_runs_the_same_queries_however_many_channels(desk: Desk, admin: Browser):
    scanned(desk, "一")
    admin.get("/console/channels")
    with desk.counted() as few:
        admin.get("/console/channels")
    for number in range(30):
        channel = desk.add(Channel(name=f"渠道{number}", created_at=desk.now, welcomes=[], schedule=[]))
        scanned(desk, f"客户{number}", channel=channel)
    with desk.counted() as many:
        admin.get("/console/channels")
    assert len(many) == len(few)


def test_list_pages_by_fifty(desk: Desk, admin: Browser):
    for number in range(52):
        desk.add(Channel(name=f"渠道{number:02}", created_at=desk.now, welcomes=[], schedule=[]))
    first, second = admin.get("/console/channels").text, admin.get("/console/channels?page=2").text
    assert first.count('class="open"') == 50
    assert second.count('class="open"') == 3
    assert admin.get("/console/channels?page=999999999").status_code == 200


def test_a_code_that_was_refused_says_why(desk: Desk, admin: Browser):
    code_of(desk, desk.channel, config_id=None, qr_url=None, error="创建渠道码失败：没有权限（错误码 48002）")
    assert "企业微信的答复：创建渠道码失败：没有权限（错误码 48002）" in admin.get("/console/channels").text


def test_names_of_channels_stay_text(desk: Desk, admin: Browser):
    channel = desk.add(Channel(name=XSS, created_at=desk.now, welcomes=[{"text": XSS}], schedule=[]))
    code_of(desk, channel, error=XSS)
    scanned(desk, "一", channel=channel)
    for path in ("/console/channels", f"/console/channels/{channel.id}", "/console"):
        page = admin.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


# --- the wizard


def test_wizard_makes_a_channel_and_ends_on_its_page(desk: Desk, admin: Browser):
    group = desk.add(TagGroup(name="来源"))
    tag = desk.add(Tag(group_id=group.id, name="展会"))
    page = admin.get("/console/channels/new").text
    assert "{customer}您好，我是{rep}" in page
    assert "李雷您好，我是王敏" in page
    desk.staff("zhao", "赵后备")
    form = filled(
        page,
        shift="office",
        daily_limit="20",
        backup_staff="zhao",
        link_title=["手册", ""],
        link_url=["https://example.com/a", ""],
        tags="来源/展会",
        tag_new="秋季",
        tag_group="活动",
        cost="1,200.50",
    )
    answer = admin.post("/console/channels/new", form)
    made = next(channel for channel in channels(desk) if channel.name == "官网")
    assert answer.status_code == 303
    assert answer.location == f"/console/channels/{made.id}?told=made"
    assert made.schedule == [{"weekdays": [1, 2, 3, 4, 5], "from": "09:00", "to": "18:00"}]
    assert (made.daily_limit, made.cost_fen) == (20, 120050)
    assert made.welcomes == [
        {
            "text": "{customer}您好，我是{rep}",
            "attachments": [{"msgtype": "link", "link": {"title": "手册", "url": "https://example.com/a"}}],
        }
    ]
    with desk.product.database.read() as session:
        new = session.scalars(select(Tag).where(Tag.name == "秋季")).one()
        assert {row.tag_id for row in session.scalars(select(ChannelTag))} == {tag.id, new.id}
        members = {row.staff_id: row.is_backup for row in session.scalars(select(ChannelStaff))}
        assert sorted(members.values()) == [False, True]
        assert {"externalcontact/add_contact_way"} <= {row.api for row in session.scalars(select(OutboxCall))}
        deed = session.scalars(select(AuditEntry).where(AuditEntry.action == "channel:created")).one()
        assert deed.object_id == made.id
    assert "渠道已创建" in admin.get(answer.location).text


def test_the_same_form_twice_makes_one_channel(desk: Desk, admin: Browser):
    form = filled(admin.get("/console/channels/new").text)
    first, second = admin.post("/console/channels/new", form), admin.post("/console/channels/new", form)
    assert first.location == second.location
    assert [channel.name for channel in channels(desk)] == ["上海展会", "官网"]
    changed = admin.post("/console/channels/new", {**form, "name": "官网二"})
    assert changed.status_code == 422
    assert "这张表单刚才已建好一个渠道" in changed.text
    again = admin.post("/console/channels/new", filled(changed.text, name="官网二"))
    assert again.status_code == 303
    assert len(channels(desk)) == 3


def test_a_form_without_its_number_is_refused(desk: Desk, admin: Browser):
    form = filled(admin.get("/console/channels/new").text)
    assert admin.post("/console/channels/new", {**form, "nonce": ""}).status_code == 403
    assert len(channels(desk)) == 1


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"name": " "}, "name", "请填写渠道名称"),
    ({"name": "名" * 65}, "name", "名称最多 64 个字符"),
    ({"name": "上海展会"}, "name", "已有同名渠道"),
    ({"staff": []}, "staff", "请至少选择一名接待员工"),
    ({"staff": "nobody"}, "staff", "有员工已不能接待"),
    ({"staff": "onleave"}, "staff", "所选员工现在都不能接待"),
    ({"backup_staff": "wangmin"}, "backup_staff", "后备员工不能同时是接待员工"),
    ({"shift": "never"}, "shift", "请选择接待时间"),
    ({"shift": "custom"}, "shift", "请至少填写一天的时间"),
    ({"shift": "custom", "from_3": "09:00"}, "day_3", "周三：时间写成 09:00"),
    ({"daily_limit": "0"}, "daily_limit", "请填写 1 到 100000 之间的整数"),
    ({"daily_limit": "-5"}, "daily_limit", "请填写 1 到 100000 之间的整数"),
    ({"daily_limit": "many"}, "daily_limit", "请填写 1 到 100000 之间的整数"),
    ({"text": ""}, "text", "请填写欢迎语"),
    ({"text": "长" * 1334}, "text", "当前 4002 字节"),
    ({"link_title": "", "link_url": "https://a.cn"}, "link_title_0", "请填写标题"),
    ({"link_title": "手册", "link_url": "javascript:alert(1)"}, "link_url_0", "网址以 http"),
    ({"image": [f"i{n}" for n in range(10)]}, "links", "当前 10 个"),
    ({"image": "nothing"}, "text", "没有这个素材"),
    ({"tags": "来源/没有"}, "tags", "没有标签"),
    ({"tag_new": "秋季"}, "tag_group", "请写明新标签属于哪个标签组"),
    ({"tag_new": "长" * 31, "tag_group": "活动"}, "tag_new", "1-30 个字符"),
    ({"cost": "很多"}, "cost", "请填写金额"),
    ({"cost": "NaN"}, "cost", "请填写金额"),
    ({"cost": "1.005"}, "cost", "请填写金额"),
    ({"cost": "-1"}, "cost", "请填写金额"),
    ({"cost": "99999999999"}, "cost", "请填写金额"),
]


def test_what_is_wrong_is_told_at_its_field_and_nothing_typed_is_lost(desk: Desk, admin: Browser):
    desk.staff("onleave", "在休假", on_leave=True)
    page = admin.get("/console/channels/new").text
    for wrong, field, zh in WRONG:
        form = filled(page, **{"cost": "12.5", "text": "我写的欢迎语", **wrong})
        answer = admin.post("/console/channels/new", form)
        assert answer.status_code == 422, wrong
        assert zh in told_at(answer.text, field), wrong
        if "text" not in wrong:
            assert "我写的欢迎语</textarea>" in answer.text
        if "staff" not in wrong:
            assert 'name="staff" value="wangmin" checked' in answer.text
        english = admin.post("/console/channels/new?lang=en", form)
        ours = re.sub("“[^”]*”", "", told_at(english.text, field))  # in quotes: what was typed
        assert not re.search("[\u4e00-\u9fff]", ours), wrong
    assert [channel.name for channel in channels(desk)] == ["上海展会"]


def told_at(page: str, field: str) -> str:
    """What the page says is wrong with this field."""
    found = re.search(rf'id="{field}-told">([^<]*)<', page)
    assert found is not None, page
    return found[1]


def test_preview_is_what_the_customer_reads(admin: Browser):
    form = {
        "text": "{customer}您好，{rep}为您服务<b>",
        "staff": "wangmin",
        "shift": "office",
        "link_title": "手册",
        "link_url": "https://example.com/x",
    }
    answer = admin.post("/console/channels/preview", form)
    assert answer.status_code == 200
    assert "李雷您好，王敏为您服务&lt;b&gt;" in answer.text
    assert "example.com" in answer.text
    assert "周六、周日全天，以及当班时间之外 没有员工当班，将由全部接待员工接待" in answer.text
    assert "<html" not in answer.text


def test_without_script_a_button_shows_the_preview(desk: Desk, admin: Browser):
    form = filled(admin.get("/console/channels/new").text, text="新的{customer}", preview="1")
    answer = admin.post("/console/channels/new", form)
    assert answer.status_code == 200
    assert "新的李雷" in answer.text
    assert len(channels(desk)) == 1


@pytest.mark.parametrize("role", [Role.SALES, Role.MANAGER, Role.READONLY, Role.SDR, Role.SUCCESS])
def test_who_may_only_read_cannot_make_or_change(desk: Desk, enter: Callable[..., Browser], role: Role):
    browser = enter(role, staff=desk.rep)
    code_of(desk, desk.channel)
    assert browser.get(f"/console/channels/{desk.channel.id}").status_code == 200
    assert browser.get("/console/channels/new").status_code == 403
    path = f"/console/channels/{desk.channel.id}"
    for target in (
        "/console/channels/new",
        "/console/channels/preview",
        *(f"{path}/{part}" for part in ("welcome", "staff", "pause", "resume")),
    ):
        assert browser.post(target, {"name": "不行", "nonce": "n"}).status_code == 403
    assert [channel.name for channel in channels(desk)] == ["上海展会"]


def test_marketing_may_make_channels(enter: Callable[..., Browser]):
    browser = enter(Role.MARKETING)
    answer = browser.post("/console/channels/new", filled(browser.get("/console/channels/new").text))
    assert answer.status_code == 303


def test_custom_days_with_the_same_hours_share_a_shift():
    days = {1: ("09:00", "12:00"), 2: ("09:00", "12:00"), 6: ("22:00", "02:00")}
    draft = forms.Draft(shift="custom", days=days)
    assert forms.schedule_of(draft) == [
        {"weekdays": [1, 2], "from": "09:00", "to": "12:00"},
        {"weekdays": [6], "from": "22:00", "to": "02:00"},
    ]
    told = forms.gap(forms.Draft(shift="custom", days=days, backup_staff=["z"]), {"z": "赵"}, Words("zh"))
    assert told == "周三、周四、周五、周日全天，以及当班时间之外 没有员工当班，将由后备员工赵接待。"


# --- one channel


def served(desk: Desk, **more) -> Channel:
    """A channel that 王敏 serves, with its code."""
    fields = {
        "name": "官网",
        "created_at": desk.now,
        "welcomes": [{"text": "{customer}您好"}],
        "schedule": [],
        **more,
    }
    channel = desk.add(Channel(**fields))
    desk.add(ChannelStaff(channel_id=channel.id, staff_id=desk.rep.id))
    code_of(desk, channel)
    return channel


def test_channel_page_shows_code_duty_welcome_and_figures(desk: Desk, admin: Browser):
    channel = served(desk)
    scanned(desk, "韩梅梅", channel=channel)
    page = admin.get(f"/console/channels/{channel.id}").text
    assert "近 30 天扫码" in page
    assert "当班员工 1 人正在接待。" in page
    assert "李雷您好" in page
    assert f"/console/contacts?channel={channel.id}&amp;from=" in page
    assert f"/console/channels/{channel.id}/qr/1200.png?download=1" in page
    assert "http://127.0.0.1:9100/?code=cfg1&amp;lang=zh" in page
    assert "style=" not in page


def test_who_does_not_answer_is_told_why(desk: Desk, admin: Browser):
    full, away = desk.staff("full", "满额"), desk.staff("away", "休假的", on_leave=True)
    off, spare = desk.staff("off", "不当班"), desk.staff("spare", "后备员")
    shift = {"from": "00:00", "to": "24:00", "staff": ["wangmin", "full", "away"]}
    channel = served(desk, daily_limit=1, schedule=[shift])
    for staff, is_backup in ((full, False), (away, False), (off, False), (spare, True)):
        desk.add(ChannelStaff(channel_id=channel.id, staff_id=staff.id, is_backup=is_backup))
    scanned(desk, "甲", full, channel=channel)
    page = admin.get(f"/console/channels/{channel.id}").text

    def why(name: str) -> str:
        return re.search(rf"<bdi>{name}</bdi>.*?<small[^>]*>(.*?)</small>", page, re.DOTALL)[1]

    assert why("王敏") == "正在接待"
    assert why("满额") == "今天已接待 1 位，到上限"
    assert why("休假的") == "休假中"
    assert why("不当班") == "现在不是当班时间"
    assert why("后备员") == "后备，轮不到"


def test_a_rep_sees_why_a_mate_is_full_though_not_the_mates_customers(
    desk: Desk, enter: Callable[..., Browser]
):
    mate = desk.staff("mate", "同事")
    channel = served(desk, daily_limit=1)
    desk.add(ChannelStaff(channel_id=channel.id, staff_id=mate.id))
    scanned(desk, "同事的客户", mate, channel=channel)
    page = enter(Role.SALES, staff=desk.rep).get(f"/console/channels/{channel.id}").text
    assert "今天已接待 1 位，到上限" in page
    assert "带来 0 位新客户" in page


def test_unknown_channels_are_not_found(desk: Desk, admin: Browser):
    for path in ("nothing", "nothing/qr/300.png", "images/nothing", f"{desk.channel.id}/qr/300.png"):
        assert admin.get(f"/console/channels/{path}").status_code == 404
    code_of(desk, desk.channel)
    assert admin.get(f"/console/channels/{desk.channel.id}/qr/301.png").status_code == 404
    for part in ("welcome", "staff", "pause", "resume"):
        assert (
            admin.post(f"/console/channels/nothing/{part}", {"text": "a", "staff": "wangmin"}).status_code
            == 404
        )


def test_codes_have_the_size_asked_for(desk: Desk, admin: Browser):
    channel = served(desk)
    for size in (300, 600, 1200):
        check_code(admin, channel, size)


def check_code(admin: Browser, channel: Channel, size: int) -> None:
    answer = admin.get(f"/console/channels/{channel.id}/qr/{size}.png?download=1")
    assert answer.mimetype == "image/png"
    assert f"{size}.png" in answer.headers["Content-Disposition"]
    picture = Image.open(BytesIO(answer.data))
    assert picture.size == (size, size)
    assert picture.getpixel((0, 0)) == 255
    assert picture.getextrema() == (0, 255)


def test_welcome_can_be_changed_and_attachments_stay(desk: Desk, admin: Browser):
    link = {"msgtype": "link", "link": {"title": "手册", "url": "https://a.cn"}}
    channel = served(desk, welcomes=[{"text": "旧的", "attachments": [link]}])
    path = f"/console/channels/{channel.id}"
    assert admin.post(f"{path}/welcome", {"text": "新的{customer}"}).status_code == 303
    with desk.product.database.read() as session:
        assert session.get_one(Channel, channel.id).welcomes == [
            {"text": "新的{customer}", "attachments": [link]}
        ]
        assert session.scalars(
            select(AuditEntry).where(AuditEntry.action == "channel:changed")
        ).one().detail == {"fields": "welcome"}
    wrong = admin.post(f"{path}/welcome", {"text": "长" * 1334})
    assert wrong.status_code == 422
    assert "长" * 1334 in wrong.text


def test_welcomes_by_time_of_day_are_not_replaced_by_one(desk: Desk, admin: Browser):
    welcomes = [{"text": "早", "from": "08:00", "to": "12:00"}, {"text": "其他"}]
    channel = served(desk, welcomes=welcomes)
    answer = admin.post(f"/console/channels/{channel.id}/welcome", {"text": "新的"})
    assert answer.status_code == 422
    with desk.product.database.read() as session:
        assert session.get_one(Channel, channel.id).welcomes == welcomes


def test_staff_can_be_changed(desk: Desk, admin: Browser):
    other = desk.staff("lisi", "李四")
    channel = served(desk)
    path = f"/console/channels/{channel.id}/staff"
    assert (
        admin.post(path, {"staff": "lisi", "backup_staff": "wangmin", "daily_limit": "5"}).status_code == 303
    )
    with desk.product.database.read() as session:
        rows = session.scalars(select(ChannelStaff).where(ChannelStaff.channel_id == channel.id))
        assert {row.staff_id: row.is_backup for row in rows} == {other.id: False, desk.rep.id: True}
        assert session.get_one(Channel, channel.id).daily_limit == 5
    none = admin.post(path, {"daily_limit": "x"})
    assert none.status_code == 422
    assert "请至少选择一名接待员工" in none.text


def test_pause_and_resume(desk: Desk, admin: Browser):
    channel = served(desk)
    path = f"/console/channels/{channel.id}"
    assert admin.post(f"{path}/pause").status_code == 303
    page = admin.get(path).text
    assert "已暂停" in page
    assert f"{path}/resume" in page
    assert admin.post(f"{path}/resume").status_code == 303
    assert "已暂停" not in admin.get(path).text


def test_english_pages_have_no_chinese_of_ours(desk: Desk, admin: Browser):
    desk.add(
        Channel(name="Fair", created_at=desk.now, state="paused", welcomes=[{"text": "Hello"}], schedule=[])
    )
    made = served(desk, name="Site", welcomes=[{"text": "Hi {customer}"}])
    scanned(desk, "Alex", channel=made)
    data = ("王敏", "上海展会", "李雷", "王", "中文")
    for path in ("/console/channels", "/console/channels/new", f"/console/channels/{made.id}", "/console"):
        page = admin.get(f"{path}?lang=en").text
        assert not re.search("[\u4e00-\u9fff]", desk.without(page, *data)), path
