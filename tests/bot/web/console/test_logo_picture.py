"""What becomes of an uploaded logo, and codes that carry it, read as a phone would."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Callable
from struct import pack

import pytest
import segno
from PIL import Image, ImageChops

from bot.api.channel_codes import QUIET_ZONE
from bot.web.console import qr
from bot.web.console.logo_picture import LARGEST_SIDE, MB, MOST_MB, SIDE, read_logo
from scrm.errors import Invalid
from tests.bot.web.console.logos import GOOD, LINK, drawn_by_browser, fit, mark, noise, read, sent

LINKS = (LINK, f"https://work.weixin.qq.com/{'b' * 250}")  # of 41 and of 85 modules


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
