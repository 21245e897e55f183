"""The files that welcomes and reps send: posters drawn with Pillow, papers as PDF. The same bytes each time."""

from __future__ import annotations

import io
from dataclasses import dataclass

from bot.demo.company import BROCHURE, POSTER, PRICE_CARD, PRICE_LIST, WHITE_PAPER

NAVY, ORANGE, SKY, ROAD, WHITE = "#0b2545", "#f26b21", "#8fc1e3", "#3c4858", "#ffffff"


@dataclass(frozen=True)
class DemoFile:
    """A file as a person would upload it."""

    key: str
    kind: str
    filename: str
    content: bytes


def make_files() -> list[DemoFile]:
    """All files the channels' welcomes and the materials use."""
    return [
        DemoFile(
            POSTER,
            "image",
            "上海物流展2026-展位海报.png",
            _poster("QICHENG TRAILER", "Logistics Expo Shanghai 2026", "Hall N3 · B218"),
        ),
        DemoFile(
            PRICE_CARD,
            "image",
            "限时报价卡.png",
            _poster("¥ 1,680 / month", "Van trailers, 12 months, all-in", "QICHENG TRAILER"),
        ),
        DemoFile(WHITE_PAPER, "file", "挂车全生命周期成本-白皮书.pdf", _paper(PAGES)),
        DemoFile(BROCHURE, "file", "启程挂车产品手册2026.pdf", _paper(BROCHURE_PAGES)),
        DemoFile(PRICE_LIST, "file", "挂车租赁价目表.pdf", _paper(PRICE_PAGES)),
    ]


def _poster(headline: str, line: str, place: str) -> bytes:
    """A trailer on the road at dusk, with three lines of text."""
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - only the first start draws

    image = Image.new("RGB", (900, 600), NAVY)
    draw = ImageDraw.Draw(image)
    for y in range(400):
        share = y / 400
        draw.line((0, y, 900, y), fill=(int(11 + 132 * share), int(37 + 156 * share), int(69 + 158 * share)))
    draw.ellipse((660, 120, 800, 260), fill="#ffd9a0")
    for base, height, colour in ((0, 150, "#1d3f66"), (240, 110, "#17365a"), (520, 170, "#1d3f66")):
        draw.polygon([(base, 400), (base + 190, 400 - height), (base + 420, 400)], fill=colour)
    draw.rectangle((0, 400, 900, 600), fill=ROAD)
    for x in range(20, 900, 130):
        draw.rectangle((x, 505, x + 70, 513), fill="#f6e7c1")
    _trailer(draw)
    for text, size, y, colour in (
        (headline, 54, 40, WHITE),
        (line, 28, 108, "#e4eef7"),
        (place, 24, 548, ORANGE),
    ):
        draw.text((48, y), text, font=ImageFont.load_default(size), fill=colour)
    buffer = io.BytesIO()
    image.quantize(128).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _trailer(draw: object) -> None:
    from PIL import ImageDraw  # noqa: PLC0415 - only the first start draws

    if not isinstance(draw, ImageDraw.ImageDraw):
        return
    draw.rounded_rectangle((150, 240, 610, 440), 10, fill=WHITE, outline=NAVY, width=4)
    draw.rectangle((150, 330, 610, 366), fill=ORANGE)
    for x in range(196, 600, 46):
        draw.line((x, 246, x, 434), fill="#d6dee6", width=2)
    draw.polygon([(626, 440), (626, 300), (700, 300), (748, 366), (760, 440)], fill=ORANGE, outline=NAVY)
    draw.polygon([(660, 318), (694, 318), (728, 366), (660, 366)], fill=SKY)
    draw.rectangle((140, 438, 766, 452), fill=NAVY)
    for x in (210, 276, 342, 650, 716):
        draw.ellipse((x - 30, 432, x + 30, 492), fill="#15191f")
        draw.ellipse((x - 12, 450, x + 12, 474), fill="#b8c2cc")


PAGES = (
    (
        ("挂车全生命周期成本", 26),
        ("启程挂车租赁（上海）有限公司 · 白皮书 2026", 12),
        ("", 12),
        ("一台挂车真正花钱的地方，不在购置那一天。", 14),
        ("本文用 38 个服务网点、四大车系的运营数据，", 12),
        ("拆解十年间的购置、融资、维保、轮胎、年检、保险、停驶与残值。", 12),
        ("", 12),
        ("要点", 16),
        ("1. 停驶一天的损失，约等于当月租金的 6%。", 12),
        ("2. 轮胎与制动占维保支出的 57%，可预测、可打包。", 12),
        ("3. 年行驶里程低于 6 万公里的车队，租赁总成本更低。", 12),
        ("4. 残值不确定性是自购最大的隐性风险。", 12),
    ),
    (
        ("成本模型（每台每年，单位：元，示例）", 18),
        ("", 12),
        ("                      自购              租赁", 13),
        ("折旧与资金       21,600                  0", 12),
        ("月租合计                 0           25,200", 12),
        ("维保与轮胎       14,300           已含", 12),
        ("保险与年检         6,900           已含", 12),
        ("停驶损失             5,400           1,200", 12),
        ("合计                 48,200         26,400", 13),
        ("", 12),
        ("以上为演示数据，不构成报价。", 11),
    ),
)


BROCHURE_PAGES = (
    (
        ("产品手册 2026", 26),
        ("启程挂车租赁（上海）有限公司", 12),
        ("", 12),
        ("平板  13 米，载重 34 吨，钢材与设备", 14),
        ("厢式  13.75 米，内宽 2.46 米，66 托盘位", 14),
        ("冷藏  -25 至 25 摄氏度，全程温度记录", 14),
        ("骨架  40 尺与 45 尺，港口与铁路", 14),
        ("", 12),
        ("38 个服务网点，停驶超过 24 小时换车。", 12),
    ),
)
PRICE_PAGES = (
    (
        ("挂车租赁价目表（元/月，签 12 个月）", 20),
        ("", 12),
        ("平板        1,380 起", 14),
        ("厢式        1,680 起", 14),
        ("冷藏        4,200 起", 14),
        ("骨架        1,120 起", 14),
        ("", 12),
        ("含保险、年检、常规保养与救援。以上为演示数据，不构成报价。", 11),
    ),
)


def _paper(pages: tuple[tuple[tuple[str, int], ...], ...]) -> bytes:
    """A PDF, set in the Chinese font every PDF reader knows."""
    kids = b" ".join(b"%d 0 R" % (6 + 2 * n) for n in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(pages)),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [4 0 R] >>",
        (
            b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /FontDescriptor 5 0 R /DW 1000"
            b" /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> >>"
        ),
        (
            b"<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880]"
            b" /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>"
        ),
    ]
    for number, lines in enumerate(pages):
        stream = _page(lines)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >>"
            b" /Contents %d 0 R >>" % (7 + 2 * number)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    return _pdf(objects)


def _page(lines: tuple[tuple[str, int], ...]) -> bytes:
    y, found = 770, []
    for text, size in lines:
        found.append(b"BT /F1 %d Tf 64 %d Td <%s> Tj ET" % (size, y, text.encode("utf-16-be").hex().encode()))
        y -= size + 16
    return b"\n".join(found)


def _pdf(objects: list[bytes]) -> bytes:
    out, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
