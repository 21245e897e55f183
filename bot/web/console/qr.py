"""Codes to print: drawn from what WeCom's own picture says, with the corp's logo in the middle and a name below.

Where its picture cannot be read for certain it is enlarged as it is; where there is none, the code leads to it. Neither
carries a logo: it might cover what a phone needs.
"""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from PIL import Image, ImageDraw, UnidentifiedImageError

from bot.api.channel_codes import QUIET_ZONE
from bot.web.site import Site
from bot.wechat.codes import make_code

SIZES = (300, 600, 1200)
_WHITE = 255
_BAND = 0.14  # of the width: the line with the name
_SIDE = 1000  # of an SVG
# Level H mends three tenths of a code. The pad covers a twentieth: room for scratches, and for the finders' share.
_PAD = 0.22  # of the code's width, quiet zone apart
_MARGIN = 0.7  # modules of white round the logo


@dataclass(frozen=True)
class Code:
    """What is printed: ``text`` drawn, or ``picture`` enlarged. ``is_own``: WeCom's picture says just this text."""

    text: str
    picture: bytes | None = None
    is_own: bool = False


@dataclass(frozen=True)
class Pad:
    """White in the middle of a code and the logo on it: their widths and heights, in modules."""

    width: int
    height: int
    logo_width: float
    logo_height: float


def code_of(site: Site, url: str) -> Code:
    """The code behind WeCom's link to its picture."""
    found = site.pictures.get(url)
    if found is None:
        return Code(url)
    if found.says is not None:
        return Code(found.says, is_own=True)
    try:
        with Image.open(io.BytesIO(found.content)) as picture:
            return Code(url, picture=_png(picture.convert("L")))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return Code(url)


def png(code: Code, size: int, logo: bytes | None = None) -> bytes:
    """A code exactly so many pixels wide: whole pixels a module, the rest added to the quiet zone."""
    drawn = _enlarged(code.picture, size) if code.picture else _drawn(code.text, size)
    sheet = Image.new("L", (size, size), _WHITE)
    at = (size - drawn.width) // 2
    sheet.paste(drawn, (at, at))
    if logo is None or not code.is_own:
        return _png(sheet)
    coloured = sheet.convert("RGB")
    modules = len(make_code(code.text).matrix)
    _put_logo(coloured, logo, at + drawn.width / 2, modules, drawn.width / (modules + 2 * QUIET_ZONE))
    return _png(coloured)


def svg(code: Code, name: str = "", logo: bytes | None = None) -> bytes:
    """A code that is sharp at every size, with the name below it if one is given."""
    band = int(_SIDE * _BAND) if name else 0
    if code.picture:
        body = _embedded(png(code, SIZES[-1]), 0, 0, _SIDE, _SIDE)
    else:
        body = _paths(code.text)
        if logo is not None and code.is_own:
            body += _svg_logo(code.text, logo)
    text = ""
    if name:
        fit = f' textLength="{_SIDE - 80}" lengthAdjust="spacingAndGlyphs"' if len(name) > 16 else ""  # noqa: PLR2004
        text = (
            f'<text x="{_SIDE // 2}" y="{_SIDE + band // 2}" font-size="56" text-anchor="middle"'
            f' font-family="PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif"{fit}>{escape(name)}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIDE} {_SIDE + band}" role="img"'
        f" aria-label={quoteattr(name or 'QR')}>"
        f'<rect width="{_SIDE}" height="{_SIDE + band}" fill="#fff"/>{body}{text}</svg>'
    ).encode()


def pad_of(modules: int, width: int, height: int) -> Pad:
    """The pad of a logo so many pixels wide and high, on a code so many modules wide without its quiet zone.

    It covers whole modules, an odd number as the code's own: what stays of a cut one would look like dirt.
    """
    most = _odd(int(_PAD * modules) - 1)
    scale = (most - 2 * _MARGIN) / max(width, height)
    wide, high = width * scale, height * scale
    return Pad(_odd(wide + 2 * _MARGIN), _odd(high + 2 * _MARGIN), wide, high)


def _odd(least: float) -> int:
    """The first odd number that is not below; what lies beyond the sixth decimal is the computer's."""
    return 2 * math.ceil(round((least - 1) / 2, 6)) + 1


def _put_logo(sheet: Image.Image, logo: bytes, middle: float, modules: int, scale: float) -> None:
    """Draw the pad and the logo around ``middle``, at ``scale`` pixels a module."""
    with Image.open(io.BytesIO(logo)) as picture:
        pad = pad_of(modules, *picture.size)
        half_width, half_height = pad.width * scale / 2, pad.height * scale / 2
        box = (middle - half_width, middle - half_height, middle + half_width - 1, middle + half_height - 1)
        ImageDraw.Draw(sheet).rounded_rectangle(box, radius=scale, fill="white")
        size = max(1, round(pad.logo_width * scale)), max(1, round(pad.logo_height * scale))
        fitted = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    sheet.paste(fitted, (round(middle - size[0] / 2), round(middle - size[1] / 2)))


def _svg_logo(text: str, logo: bytes) -> str:
    modules = len(make_code(text).matrix)
    scale, middle = _SIDE / (modules + 2 * QUIET_ZONE), _SIDE / 2
    with Image.open(io.BytesIO(logo)) as picture:
        pad = pad_of(modules, *picture.size)
    width, height = pad.width * scale, pad.height * scale
    wide, high = pad.logo_width * scale, pad.logo_height * scale
    return (
        f'<rect x="{middle - width / 2:.2f}" y="{middle - height / 2:.2f}" width="{width:.2f}"'
        f' height="{height:.2f}" rx="{scale:.2f}" fill="#fff"/>'
        f"{_embedded(logo, middle - wide / 2, middle - high / 2, wide, high)}"
    )


def _embedded(content: bytes, x: float, y: float, width: float, height: float) -> str:
    data = base64.b64encode(content).decode()
    return (
        f'<image x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"'
        f' href="data:image/png;base64,{data}"/>'
    )


def _paths(text: str) -> str:
    code = make_code(text)
    width = code.symbol_size(scale=1, border=QUIET_ZONE)[0]
    rows = (
        f"M{x} {y}h1v1h-1z"
        for y, row in enumerate(code.matrix_iter(border=QUIET_ZONE))
        for x, dark in enumerate(row)
        if dark
    )
    return f'<path transform="scale({_SIDE / width:.6f})" shape-rendering="crispEdges" d="{"".join(rows)}"/>'


def _drawn(text: str, size: int) -> Image.Image:
    code = make_code(text)
    scale = max(1, size // code.symbol_size(scale=1, border=QUIET_ZONE)[0])
    drawn = io.BytesIO()
    code.save(drawn, kind="png", scale=scale, border=QUIET_ZONE)
    return Image.open(drawn).convert("L")


def _enlarged(picture: bytes, size: int) -> Image.Image:
    """Pixels stay squares: a blurred code is read worse than a coarse one."""
    with Image.open(io.BytesIO(picture)) as source:
        return source.resize((size, size), Image.Resampling.NEAREST)


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, format="PNG", optimize=True)
    return out.getvalue()
