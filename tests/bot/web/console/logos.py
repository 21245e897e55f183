"""Logos as people upload them, and codes as phones and browsers see them."""

from __future__ import annotations

import base64
import io
import random
import re
from collections.abc import Callable
from functools import cache

import zxingcpp
from PIL import Image

from bot.web.console.logo_picture import LARGEST_SIDE, read_logo

LINK = "https://work.weixin.qq.com/ca/cawcde6f0c0a9f3d21"


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
