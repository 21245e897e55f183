"""Codes to print, posters, copies, and channels from a sheet."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable

import pytest
import segno
from PIL import Image
from sqlalchemy import select
from xlsxwriter import Workbook

from bot.api.channel_codes import QUIET_ZONE
from bot.web.console import qr
from bot.wechat.pictures import Pictures
from scrm.accounts.roles import Role
from scrm.channels.models import Channel, ChannelCode
from scrm.outbox.models import OutboxCall
from tests.bot.web.conftest import Desk
from tests.bot.web.console.conftest import Browser

Enter = Callable[..., Browser]
URL = "https://wework.qpic.cn/q/1"
HEADER = ["名称", "成员", "标签", "每日上限", "欢迎语"]


@pytest.fixture
def admin(enter: Enter) -> Browser:
    return enter(Role.ADMIN)


@pytest.fixture
def channel(desk: Desk) -> Channel:
    desk.add(
        ChannelCode(
            channel_id=desk.channel.id,
            state="ch_1",
            config_id="cfg1",
            qr_url=URL,
            users=[],
            updated_at=desk.now,
        )
    )
    return desk.channel


def modules(picture: Image.Image, count: int) -> list[list[bool]]:
    """What a scanner reads: the colour in the middle of each module."""
    code = segno.make(URL, error="h", micro=False)
    width = code.symbol_size(scale=1, border=QUIET_ZONE)[0]
    scale = picture.width // width
    left = (picture.width - width * scale) // 2 + QUIET_ZONE * scale + scale // 2
    return [
        [picture.getpixel((left + x * scale, left + y * scale)) == 0 for x in range(count)]
        for y in range(count)
    ]


@pytest.mark.parametrize("size", qr.SIZES)
def test_a_drawn_code_holds_its_link_module_by_module(size: int):
    code = segno.make(URL, error="h", micro=False)
    wanted = [[bool(dark) for dark in row] for row in code.matrix]

    picture = Image.open(io.BytesIO(qr.png(qr.Code(URL), size))).convert("L")

    assert picture.size == (size, size)
    assert code.error == "H"
    assert modules(picture, len(wanted)) == wanted


def test_a_picture_that_was_not_read_is_enlarged_and_not_drawn_anew():
    source = Image.new("L", (100, 100), 255)
    source.paste(0, (10, 10, 50, 50))
    out = io.BytesIO()
    source.save(out, format="PNG")

    code = qr.Code(URL, picture=out.getvalue())

    picture = Image.open(io.BytesIO(qr.png(code, 300))).convert("L")

    assert picture.crop((30, 30, 150, 150)).getextrema() == (0, 0)
    assert picture.getpixel((151, 151)) == 255
    assert b"data:image/png;base64," in qr.svg(code, "展会")


def test_a_name_below_a_code_stays_text(desk: Desk, admin: Browser, channel: Channel):
    with desk.product.database.write() as session:
        session.get_one(Channel, channel.id).name = "<script>&展会"

    plain = admin.get(f"/console/channels/{channel.id}/qr.svg")
    named = admin.get(f"/console/channels/{channel.id}/qr.svg?name=1&download=1")

    assert plain.mimetype == named.mimetype == "image/svg+xml"
    assert "<text" not in plain.text
    assert "&lt;script&gt;&amp;展会</text>" in named.text
    assert "<script" not in named.text
    assert "attachment" in named.headers["Content-Disposition"]


def test_pictures_are_fetched_from_wecom_only(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    real, double = (
        Pictures("https://qyapi.weixin.qq.com", is_double=False),
        Pictures("http://127.0.0.1:9100/qyapi", is_double=True),
    )
    for pictures in (real, double):
        monkeypatch.setattr(pictures, "_fetch", asked.append)

    for url in ("http://169.254.169.254/", "https://qpic.cn.evil.example/x", "file:///etc/passwd", URL):
        double.get(url)
    for url in ("http://127.0.0.1:9100/sandbox/qr/1.png", "https://evilqpic.cn/x", "file:///etc/passwd"):
        real.get(url)
    assert asked == []
    real.get(URL)
    double.get("http://127.0.0.1:9100/sandbox/qr/1.png")
    assert asked == [URL, "http://127.0.0.1:9100/sandbox/qr/1.png"]


def test_a_poster_says_what_one_wants(admin: Browser, channel: Channel):
    page = admin.get(f"/console/channels/{channel.id}/poster?paper=a6&title=来<b>&text=扫码领取").text

    assert 'class="poster is-a6"' in page
    assert "来&lt;b&gt;" in page
    assert "扫码领取" in page
    assert f"/console/channels/{channel.id}/qr.svg" in page
    assert "style=" not in page


def test_a_copy_begins_with_what_the_channel_has(desk: Desk, admin: Browser, channel: Channel):
    with desk.product.database.write() as session:
        session.get_one(Channel, channel.id).welcomes = [{"text": "欢迎来到展会"}]

    page = admin.get(f"/console/channels/new?copy={channel.id}").text

    assert 'value="上海展会 副本"' in page
    assert "欢迎来到展会" in page
    assert admin.get("/console/channels/new?copy=nothing").status_code == 404


def as_csv(rows: list[list[str]], encoding: str = "utf-8") -> bytes:
    return "\n".join(",".join(row) for row in rows).encode(encoding)


def as_xlsx(rows: list[list[str]]) -> bytes:
    out = io.BytesIO()
    with Workbook(out, {"in_memory": True}) as book:
        page = book.add_worksheet()
        for number, row in enumerate(rows):
            page.write_row(number, 0, [int(cell) if cell.isdigit() else cell for cell in row])
    return out.getvalue()


def look(admin: Browser, content: bytes, name: str = "a.csv"):
    form = {"file": (io.BytesIO(content), name)}
    return admin.post("/console/channels/batch", form, content_type="multipart/form-data")


GOOD = [HEADER, ["A馆", "wangmin", "", "50", "您好"], ["B馆", "王敏", "展会", "", "欢迎"]]


@pytest.mark.parametrize(
    "content", [as_csv(GOOD), as_csv(GOOD, "gb18030"), as_xlsx(GOOD)], ids=["utf8", "gbk", "xlsx"]
)
def test_a_sheet_is_looked_at_then_made_once_and_its_codes_come_as_a_file(
    desk: Desk, admin: Browser, content: bytes
):
    desk.tag(desk.contact, "展会")
    seen = look(admin, content)
    assert seen.status_code == 200, seen.text
    assert "2 行都没有问题" in seen.text
    fields = dict(re.findall(r'name="(nonce|table)" value="([^"]*)"', seen.text))
    fields["table"] = fields["table"].replace("&#34;", '"')

    answers = [admin.post("/console/channels/batch/make", fields) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    with desk.product.database.write() as session:
        made = list(
            session.scalars(select(Channel).where(Channel.name.in_(["A馆", "B馆"])).order_by(Channel.name))
        )
        assert [(row.name, row.daily_limit) for row in made] == [("A馆", 50), ("B馆", None)]
        assert session.query(OutboxCall).filter_by(api="externalcontact/add_contact_way").count() == 2
        for code in session.scalars(
            select(ChannelCode).where(ChannelCode.channel_id.in_([row.id for row in made]))
        ):
            code.config_id, code.qr_url = f"cfg-{code.id}", URL
    place = answers[0].location
    assert "已创建 2 个渠道" in admin.get(place).text
    packed = zipfile.ZipFile(io.BytesIO(admin.get(f"{place}/codes.zip").data))
    assert packed.namelist() == ["001-A馆.png", "002-B馆.png"]
    assert Image.open(packed.open("001-A馆.png")).size == (1200, 1200)


def test_every_row_says_what_is_wrong_with_it_and_nothing_is_made(desk: Desk, admin: Browser):
    rows = [
        HEADER,
        ["上海展会", "wangmin", "", "", "您好"],
        ["C馆", "谁", "没有的", "0", ""],
        ["D馆", "wangmin", "", "", "您好"],
        ["D馆", "wangmin", "", "", "您好"],
    ]

    page = look(admin, as_csv(rows))

    assert page.status_code == 422
    for told in ("已有同名渠道", "谁（请填 userid）", "没有的", "与第 4 行同名", "4 行中有 3 行要修改"):
        assert told in page.text
    assert "make_batch" not in page.text
    assert 'name="table"' not in page.text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "请选择一个"),
        (b"PK\x03\x04broken", "打不开这个文件"),
        (as_csv([["名称", "备注"], ["a", "b"]]), "缺少这些列：成员，欢迎语"),
        (as_csv([HEADER]), "只有标题"),
        (as_csv([HEADER, *[["x", "y", "", "", "z"]] * 201]), "一次最多 200 行"),
        (b"\xff\xfe\x00", "编码"),
    ],
)
def test_a_file_that_is_no_sheet_of_channels_says_why(admin: Browser, content: bytes, told: str):
    page = look(admin, content)

    assert page.status_code == 422
    assert told in page.text


def test_another_persons_batch_is_not_found(desk: Desk, admin: Browser, enter: Enter):
    seen = look(admin, as_csv(GOOD[:2]))
    fields = dict(re.findall(r'name="(nonce|table)" value="([^"]*)"', seen.text))
    fields["table"] = fields["table"].replace("&#34;", '"')
    place = admin.post("/console/channels/batch/make", fields).location

    assert enter(Role.MARKETING).get(place).status_code == 404
    assert enter(Role.SALES).get("/console/channels/batch").status_code == 403
