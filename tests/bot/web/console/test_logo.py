"""The corp's logo: uploaded, refused, removed; and codes that carry it, read as a phone would."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from collections.abc import Callable

import pytest
import segno
from PIL import Image
from sqlalchemy import select, update

from bot.web.console import qr
from bot.web.console.logo_picture import read_logo
from bot.wechat.pictures import Pictures
from scrm.accounts.roles import Role
from scrm.audit.models import AuditEntry
from scrm.channels import logo
from scrm.channels.models import Channel, ChannelCode, ChannelStaff, MediaFile
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser
from tests.bot.web.console.logos import LINK, drawn_by_browser, mark, noise, read, sent

Enter = Callable[..., Browser]
PAGE = "/console/settings/logo"
URL = "http://127.0.0.1:9100/sandbox/qr/cfg1.png"


@pytest.fixture
def admin(enter: Enter) -> Browser:
    return enter(Role.ADMIN)


def upload(browser: Browser, content: bytes, page: str = PAGE):
    form = {"file": (io.BytesIO(content), "logo.png")}
    return browser.post(page, form, content_type="multipart/form-data")


def deeds(desk: Desk) -> list[str]:
    with desk.product.database.read() as session:
        return list(session.scalars(select(AuditEntry.action).where(AuditEntry.action.startswith("logo:"))))


def kept(desk: Desk) -> bytes | None:
    with desk.product.database.read() as session:
        return logo.find_logo(session)


def test_an_administrator_uploads_replaces_and_removes_a_logo(desk: Desk, admin: Browser):
    assert "还没有标识" in admin.get(PAGE).text

    for content in (sent(mark()), sent(mark(colour="red"), "JPEG")):
        saved = upload(admin, content)
        assert saved.status_code == 303
        assert kept(desk) == read_logo(content)
        page = admin.get(saved.location).text
        assert "标识已保存" in page
        assert f"data:image/png;base64,{base64.b64encode(read_logo(content)).decode()}" in page
        assert "style=" not in page
    removed = [admin.post(f"{PAGE}/remove") for _ in range(2)]

    assert "还没有标识" in admin.get(removed[0].location).text
    assert deeds(desk) == ["logo:changed", "logo:changed", "logo:removed"]
    with desk.product.database.read() as session:
        assert session.query(MediaFile).count() == 0


def test_a_refused_upload_says_why_in_both_languages_and_changes_nothing(desk: Desk, admin: Browser):
    upload(admin, sent(mark()))
    before = kept(desk)

    chinese, english = upload(admin, b"hello"), upload(admin, b"hello", f"{PAGE}?lang=en")
    none = admin.post(PAGE)

    assert [answer.status_code for answer in (chinese, english, none)] == [422] * 3
    assert "标识应为 PNG 或 JPEG 图片" in chinese.text
    assert "A logo is a PNG or JPEG picture" in english.text
    assert "请选择一个 PNG 或 JPEG 图片" in none.text
    assert kept(desk) == before
    assert deeds(desk) == ["logo:changed"]


def test_only_who_may_change_settings_changes_the_logo(desk: Desk, enter: Enter):
    rep, marketing = enter(Role.SALES), enter(Role.MARKETING)

    assert upload(rep, sent(mark())).status_code == 403
    assert rep.post(f"{PAGE}/remove").status_code == 403
    assert kept(desk) is None
    assert 'type="file"' not in rep.get(PAGE).text
    assert upload(marketing, sent(mark())).status_code == 303


# --- the codes


@pytest.fixture
def channel(desk: Desk) -> Channel:
    code = {"state": "ch_1", "config_id": "cfg1", "qr_url": URL, "users": [], "updated_at": desk.now}
    desk.add(ChannelCode(channel_id=desk.channel.id, **code))
    desk.add(ChannelStaff(channel_id=desk.channel.id, staff_id=desk.rep.id))
    return desk.channel


@pytest.fixture
def wecom(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What the platform answers for the picture of a code."""
    out = io.BytesIO()
    segno.make(LINK, error="m").save(out, kind="png", scale=8, border=2)
    answers = {URL: out.getvalue()}
    monkeypatch.setattr(Pictures, "_fetch", lambda _self, url: answers.get(url))
    return answers


def links(page: str) -> list[str]:
    """The codes that the page shows or offers."""
    return [one.replace("&amp;", "&") for one in re.findall(r'(?:href|src)="([^"]+/qr[./][^"]+)"', page)]


def test_each_download_carries_the_logo_or_not_as_chosen(desk: Desk, admin: Browser, channel: Channel, wecom):
    place = f"/console/channels/{channel.id}"
    before = admin.get(place).text
    upload(admin, sent(noise()))

    chosen, without = admin.get(place).text, admin.get(f"{place}?logo=0&range=7").text

    assert not any("logo" in link for link in links(before))
    assert "上传企业标识，放在二维码中间" in before
    assert len(links(chosen)) == len(links(without)) == 1 + len(qr.SIZES) + 3
    assert all("logo=1" in link for link in links(chosen))
    assert not any("logo" in link for link in links(without))
    assert re.findall(r'aria-current="true"[^>]*>([^<]+标识)', chosen + without) == ["带标识", "不带标识"]
    content = base64.b64encode(kept(desk) or b"").decode()
    for link, plain in zip(links(chosen), links(without), strict=True):
        with_logo, bare = admin.get(link), admin.get(plain)
        if with_logo.mimetype == "image/png":
            assert read(with_logo.data) == read(bare.data) == [LINK]
            modes = [Image.open(io.BytesIO(one.data)).mode for one in (with_logo, bare)]
            assert modes == ["RGB", "L"]
        else:
            assert (content in with_logo.text, content in bare.text) == (True, False)
            assert read(drawn_by_browser(with_logo.text)) == read(drawn_by_browser(bare.text)) == [LINK]


def test_the_only_reps_name_is_offered_below_the_code_and_on_the_poster(
    desk: Desk, admin: Browser, channel: Channel, wecom
):
    place = f"/console/channels/{channel.id}"

    assert "下方带员工姓名：王敏" in admin.get(place).text
    assert ">王敏</text>" in admin.get(f"{place}/qr.svg?name=rep").text
    assert ">上海展会</text>" in admin.get(f"{place}/qr.svg?name=1").text
    assert '<p class="rep"><bdi>王敏</bdi></p>' in admin.get(f"{place}/poster").text
    assert '<p class="rep"><bdi>小王&lt;</bdi></p>' in admin.get(f"{place}/poster?rep=小王<").text
    assert 'class="rep"' not in admin.get(f"{place}/poster?rep=").text

    other = desk.staff("zhaolei", "赵磊")
    desk.add(ChannelStaff(channel_id=channel.id, staff_id=other.id, is_backup=True))

    assert "下方带员工姓名" not in admin.get(place).text
    assert "<text" not in admin.get(f"{place}/qr.svg?name=rep").text
    assert 'class="rep"' not in admin.get(f"{place}/poster").text


def test_a_poster_shows_the_code_as_chosen(desk: Desk, admin: Browser, channel: Channel, wecom):
    place = f"/console/channels/{channel.id}/poster"
    assert 'name="logo"' not in admin.get(place).text
    upload(admin, sent(mark(1200, 200, "red")))

    pages = {choice: admin.get(f"{place}{choice}").text for choice in ("", "?logo=1", "?logo=0")}

    assert ["logo=1" in links(page)[0] for page in pages.values()] == [True, True, False]
    for page in pages.values():
        assert read(drawn_by_browser(admin.get(links(page)[0]).text)) == [LINK]


def test_a_picture_that_cannot_be_read_stays_as_it_is_and_gets_no_logo(
    desk: Desk, admin: Browser, channel: Channel, wecom
):
    upload(admin, sent(mark()))
    source = Image.new("L", (100, 100), 255)
    source.paste(0, (10, 10, 50, 50))
    wecom[URL] = sent(source)
    place = f"/console/channels/{channel.id}"

    asked = [admin.get(f"{place}/qr/300.png{choice}").data for choice in ("", "?logo=1")]
    picture = Image.open(io.BytesIO(asked[0]))
    svg = admin.get(f"{place}/qr.svg?logo=1").text

    assert asked[0] == asked[1]
    assert picture.crop((30, 30, 150, 150)).getextrema() == (0, 0)
    assert picture.getpixel((151, 151)) == 255
    assert svg.count("<image") == 1
    assert base64.b64encode(kept(desk) or b"").decode() not in svg


def test_where_the_picture_does_not_come_the_code_leads_to_it_without_a_logo(
    admin: Browser, channel: Channel, wecom
):
    upload(admin, sent(mark()))
    wecom.clear()

    answer = admin.get(f"/console/channels/{channel.id}/qr/600.png?logo=1")

    assert read(answer.data) == [URL]
    assert Image.open(io.BytesIO(answer.data)).mode == "L"


def test_all_codes_of_a_batch_come_with_the_logo_if_asked(
    desk: Desk, admin: Browser, channel: Channel, wecom
):
    form = {"file": (io.BytesIO("名称,成员,欢迎语\nA馆,wangmin,您好".encode()), "a.csv")}
    seen = admin.post("/console/channels/batch", form, content_type="multipart/form-data")
    fields = dict(re.findall(r'name="(nonce|table)" value="([^"]*)"', seen.text))
    fields["table"] = fields["table"].replace("&#34;", '"')
    place = admin.post("/console/channels/batch/make", fields).location
    with desk.product.database.write() as session:
        session.execute(update(ChannelCode).where(ChannelCode.channel_id != channel.id).values(qr_url=URL))
    assert "logo=1" not in admin.get(place).text
    upload(admin, sent(mark()))

    assert f"{place}/codes.zip?logo=1" in admin.get(place).text
    for choice, mode in (("", "L"), ("?logo=1", "RGB")):
        packed = zipfile.ZipFile(io.BytesIO(admin.get(f"{place}/codes.zip{choice}").data))
        [content] = [packed.read(name) for name in packed.namelist()]
        assert read(content) == [LINK]
        assert Image.open(io.BytesIO(content)).mode == mode
