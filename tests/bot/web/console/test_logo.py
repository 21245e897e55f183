"""The corp's logo: uploaded, refused, removed; and codes that carry it, read as a phone would."""

from __future__ import annotations

import base64
import io
import random
import re
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from struct import pack

import pytest
import segno
import zxingcpp
from PIL import Image, ImageChops
from sqlalchemy import select, update

from bot.api.channel_codes import QUIET_ZONE
from bot.web.console import qr
from bot.web.console.logo_picture import LARGEST_SIDE, MB, MOST_MB, SIDE, read_logo
from bot.wechat.pictures import Pictures
from scrm.accounts.roles import Role
from scrm.audit.models import AuditEntry
from scrm.channels import logo
from scrm.channels.models import Channel, ChannelCode, ChannelStaff, MediaFile
from scrm.errors import Invalid
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

Enter = Callable[..., Browser]
PAGE = "/console/settings/logo"
LINK = "https://work.weixin.qq.com/ca/cawcde6f0c0a9f3d21"
LINKS = (LINK, f"https://work.weixin.qq.com/{'b' * 250}")  # of 41 and of 89 modules
URL = "http://127.0.0.1:9100/sandbox/qr/cfg1.png"


def sent(picture: Image.Image, kind: str = "PNG", **more: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, format=kind, **more)
    return out.getvalue()


def mark(width: int = 500, height: int = 500, colour: str = "black") -> Image.Image:
    return Image.new("RGB", (width, height), colour)


def noise() -> Image.Image:
    return Image.frombytes("RGB", (400, 400), random.Random(1).randbytes(480_000))


def in_the_corner() -> Image.Image:
    sheet = Image.new("RGBA", (800, 800), (0, 0, 0, 0))
    sheet.paste((0, 100, 0, 128), (600, 20, 760, 120))
    return sheet


GOOD: dict[str, Callable[[], bytes]] = {
    "black": lambda: sent(mark()),
    "large": lambda: sent(mark(LARGEST_SIDE, LARGEST_SIDE, "navy")),
    "wide": lambda: sent(mark(1200, 200, "red")),
    "high": lambda: sent(mark(100, 600, "red")),
    "noise": lambda: sent(noise()),
    "transparent": lambda: sent(in_the_corner()),
    "palette": lambda: sent(noise().convert("P"), transparency=bytes(range(256))),
    "grey16": lambda: sent(Image.new("I;16", (200, 200), 30_000)),
    "cmyk": lambda: sent(Image.new("CMYK", (300, 200), (200, 0, 0, 0)), "JPEG"),
    "bits": lambda: sent(Image.new("1", (100, 100), 0)),
}


@cache
def fit(kind: str) -> bytes:
    """A good logo as it is kept."""
    return read_logo(GOOD[kind]())


def read(content: bytes | Image.Image) -> list[str]:
    """What a phone finds in the picture."""
    picture = (content if isinstance(content, Image.Image) else Image.open(io.BytesIO(content))).convert("L")
    rows = memoryview(picture.tobytes()).cast("B", (picture.height, picture.width))
    return [one.text for one in zxingcpp.read_barcodes(rows)]


def drawn_by_browser(svg: str) -> Image.Image:
    """The parts of our SVG painted one over the other, as a browser does."""
    sheet = Image.new("RGB", (1000, 1000), "white")
    scale = float(re.findall(r'transform="scale\(([\d.]+)\)"', svg)[0])
    for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", svg):
        box = (int(x) * scale, int(y) * scale, (int(x) + 1) * scale, (int(y) + 1) * scale)
        sheet.paste("black", tuple(round(side) for side in box))
    place = r' x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"'
    for tag, x, y, width, height, rest in re.findall(rf"<(rect|image){place}([^>]*)>", svg):
        size = round(float(width)), round(float(height))
        over = Image.new("RGB", size, "white")
        if tag == "image":
            data = base64.b64decode(re.findall(r"base64,([^\"]+)", rest)[0])
            over = Image.open(io.BytesIO(data)).convert("RGB").resize(size)
        sheet.paste(over, (round(float(x)), round(float(y))))
    return sheet


@pytest.mark.parametrize("size", qr.SIZES)
@pytest.mark.parametrize("kind", GOOD)
def test_a_code_with_a_logo_says_the_same_at_every_size(kind: str, size: int):
    for link in LINKS:
        content, code = fit(kind), qr.Code(link, is_own=True)
        with_logo, without = qr.png(code, size, content), qr.png(code, size)
        assert read(with_logo) == read(without) == [link]
        assert Image.open(io.BytesIO(with_logo)).size == (size, size)
        assert with_logo != without


@pytest.mark.parametrize("kind", GOOD)
def test_a_drawing_with_a_logo_says_the_same(kind: str):
    content = fit(kind)

    for link in LINKS:
        svg = qr.svg(qr.Code(link, is_own=True), "王敏", content).decode()
        assert read(drawn_by_browser(svg)) == [link]
        assert base64.b64encode(content).decode() in svg
        assert ">王敏</text>" in svg


@pytest.mark.parametrize(("width", "height"), [(500, 500), (600, 100), (100, 600), (64, 64)])
@pytest.mark.parametrize("modules", [25, 41, 45, 89])
def test_the_pad_takes_at_most_a_fifth_of_the_code_and_keeps_the_logos_shape(
    modules: int, width: int, height: int
):
    pad = qr.pad_of(modules, width, height)

    assert 0.22 * modules - 2 < max(pad.width, pad.height) <= 0.22 * modules
    assert (pad.width % 2, pad.height % 2) == (1, 1)
    assert pad.logo_width / pad.logo_height == pytest.approx(width / height)
    assert min(pad.width - pad.logo_width, pad.height - pad.logo_height) > 1


def test_no_module_is_cut_by_the_pad():
    code = qr.Code(LINK, is_own=True)
    bare, covered = (
        Image.open(io.BytesIO(qr.png(code, 600, logo))).convert("L") for logo in (None, fit("wide"))
    )

    changed = ImageChops.difference(bare, covered).getbbox()
    scale = 600 // (41 + 2 * QUIET_ZONE)
    left = (600 - 41 * scale) // 2

    assert changed is not None
    assert {(side - left) % scale for side in changed} == {0}


def test_a_logo_is_kept_small_on_white_and_without_its_margins():
    seen = Image.open(io.BytesIO(fit("transparent")))
    large = Image.open(io.BytesIO(fit("large")))

    assert (seen.size, seen.mode) == ((160, 100), "RGB")
    assert seen.getpixel((80, 50)) == pytest.approx((127, 177, 127), abs=1)
    assert large.size == (SIDE, SIDE)


def test_a_photo_is_turned_upright():
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn
    seen = Image.open(io.BytesIO(read_logo(sent(mark(300, 100, "red"), "JPEG", exif=turned))))

    assert seen.size == (100, 300)


def bomb(side: int) -> bytes:
    """A PNG of some bytes that says it is so large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + name + data + pack(">I", zlib.crc32(name + data))

    head = pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    body = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def a_code() -> bytes:
    out = io.BytesIO()
    segno.make(LINK, error="m").save(out, kind="png", scale=6, border=4)
    return out.getvalue()


BAD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "nothing": ("logo_missing", lambda: b""),
    "heavy": ("logo_large", lambda: b"\x89PNG\r\n\x1a\n" + b"0" * (MOST_MB * MB)),
    "text": ("logo_kind", lambda: b"hello"),
    "svg": ("logo_kind", lambda: b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
    "gif": ("logo_kind", lambda: sent(mark(), "GIF")),
    "cut": ("logo_broken", lambda: sent(noise())[:5000]),
    "cut jpeg": ("logo_broken", lambda: sent(noise(), "JPEG")[:5000]),
    "one too many": ("logo_pixels", lambda: sent(mark(LARGEST_SIDE + 1, 10))),
    "bomb": ("logo_pixels", lambda: bomb(12_000)),
    "large bomb": ("logo_pixels", lambda: bomb(60_000)),
    "small": ("logo_small", lambda: sent(mark(63, 63))),
    "long": ("logo_long", lambda: sent(mark(700, 100))),
    "white": ("logo_blank", lambda: sent(mark(200, 200, "white"))),
    "clear": ("logo_blank", lambda: sent(Image.new("RGBA", (200, 200), (0, 0, 0, 0)))),
    "code": ("logo_code", a_code),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_logo_is_refused_by_a_code(kind: str):
    code, content = BAD[kind]

    with pytest.raises(Invalid) as refused:
        read_logo(content())

    assert refused.value.code == code


# --- the pages


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
