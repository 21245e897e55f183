"""Reading what WeCom's picture of a code says: only what is certain counts."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
import segno
from PIL import Image

from bot.sandbox.control.views import draw_qr
from bot.wechat import codes, pictures
from bot.wechat.codes import read_code
from bot.wechat.pictures import Pictures

LINK = "https://work.weixin.qq.com/ca/cawcde6f0c0a9f3d21"


def drawn(text: str, error: str = "m") -> Image.Image:
    out = io.BytesIO()
    segno.make(text, error=error, micro=False).save(out, kind="png", scale=6, border=2)
    return Image.open(out).convert("RGB")


def sent(picture: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    picture.save(out, format=kind)
    return out.getvalue()


def with_portrait() -> Image.Image:
    """As WeCom sends it: somebody's portrait in the middle."""
    code = drawn(LINK, "h")
    code.paste("steelblue", tuple(int(code.width * part) for part in (0.4, 0.4, 0.6, 0.6)))
    return code


def seen_through() -> Image.Image:
    """Black on nothing: what shines through is white."""
    return Image.merge(
        "LA", (Image.new("L", drawn(LINK).size), drawn(LINK).convert("L").point(lambda v: 255 - v))
    )


def aslant() -> Image.Image:
    return drawn(LINK).rotate(8, expand=True, fillcolor="white")


@pytest.mark.parametrize(
    "content",
    [
        lambda: sent(drawn(LINK)),
        lambda: sent(drawn(LINK), "JPEG"),
        lambda: sent(with_portrait()),
        lambda: sent(seen_through()),
        lambda: sent(aslant()),
    ],
    ids=["png", "jpeg", "portrait", "transparent", "aslant"],
)
def test_the_link_in_a_picture_is_read(content: Callable[[], bytes]):
    assert read_code(content()) == LINK


def test_the_sandboxs_pictures_are_read():
    link = "http://127.0.0.1:9100/?code=cfg0123456789abcdef"

    assert read_code(draw_qr(link, "png")) == link


def two_codes() -> Image.Image:
    one, other = drawn(LINK), drawn("https://example.com/")
    sheet = Image.new("RGB", (one.width + other.width + 40, one.height + 40), "white")
    sheet.paste(one, (10, 10))
    sheet.paste(other, (one.width + 30, 10))
    return sheet


def torn() -> Image.Image:
    code = drawn(LINK, "l")
    code.paste("white", (code.width // 3, code.height // 3, code.width, code.height))
    return code


@pytest.mark.parametrize(
    "content",
    [
        lambda: sent(Image.new("RGB", (300, 300), "white")),
        lambda: sent(torn()),
        lambda: sent(two_codes()),
        lambda: sent(drawn("BEGIN:VCARD")),
        lambda: sent(drawn("javascript:alert(1)")),
        lambda: sent(drawn("https://例子.cn/加我")),
        lambda: sent(drawn("https://example.com/ x")),
        lambda: sent(drawn(f"https://example.com/{'a' * codes.LONGEST}")),
        lambda: sent(Image.new("RGB", (2100, 2100), "white")),
        lambda: sent(drawn(LINK))[:200],
        lambda: b"\x89PNG but no picture",
    ],
    ids=["blank", "torn", "two", "card", "script", "chinese", "space", "long", "huge", "cut", "none"],
)
def test_what_is_not_certain_is_not_read(content: Callable[[], bytes]):
    assert read_code(content()) is None


def test_a_link_that_does_not_come_back_when_drawn_is_not_taken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        codes, "make_code", lambda text: segno.make_qr(text.replace("cawcde", "cawcda"), error="h")
    )

    assert read_code(sent(drawn(LINK))) is None


def test_a_picture_is_fetched_and_read_once(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    read: list[bytes] = []
    kept = Pictures("http://127.0.0.1:9100/qyapi", is_double=True)
    monkeypatch.setattr(kept, "_fetch", lambda url: asked.append(url) or sent(drawn(LINK)))
    monkeypatch.setattr(pictures, "read_code", lambda content: read.append(content) or read_code(content))

    found = [kept.get("http://127.0.0.1:9100/sandbox/qr/1.png") for _ in range(2)]

    assert [one.says for one in found] == [LINK, LINK]
    assert found[0].content == sent(drawn(LINK))
    assert (len(asked), len(read)) == (1, 1)
