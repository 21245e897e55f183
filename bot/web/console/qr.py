"""Codes to print: WeCom's own picture where it can be fetched, else a code that leads to it; with a name below.

What WeCom's picture says is not known to us, so it is enlarged, never drawn anew.
"""

from __future__ import annotations

import base64
import io
from xml.sax.saxutils import escape, quoteattr

import segno
from PIL import Image, UnidentifiedImageError

from bot.api.channel_codes import QUIET_ZONE
from bot.web.site import Site

SIZES = (300, 600, 1200)
_WHITE = 255
_BAND = 0.14  # of the width: the line with the name


def picture_of(site: Site, url: str) -> bytes | None:
    """The platform's picture of a code, as PNG; None where there is none to be had."""
    found = site.pictures.get(url)
    if found is None:
        return None
    try:
        with Image.open(io.BytesIO(found)) as picture:
            return _png(picture.convert("L"))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None


def png(url: str, size: int, picture: bytes | None = None) -> bytes:
    """A code exactly so many pixels wide: whole pixels a module, the rest added to the quiet zone."""
    drawn = _enlarged(picture, size) if picture else _drawn(url, size)
    sheet = Image.new("L", (size, size), _WHITE)
    sheet.paste(drawn, ((size - drawn.width) // 2, (size - drawn.height) // 2))
    return _png(sheet)


def svg(url: str, name: str = "", picture: bytes | None = None) -> bytes:
    """A code that is sharp at every size, with the name below it if one is given."""
    side = 1000
    band = int(side * _BAND) if name else 0
    inside = png(url, SIZES[-1], picture) if picture else None
    if inside:
        data = base64.b64encode(inside).decode()
        body = f'<image width="{side}" height="{side}" href="data:image/png;base64,{data}"/>'
    else:
        code = segno.make(url, error="h", micro=False)
        width = code.symbol_size(scale=1, border=QUIET_ZONE)[0]
        rows = (
            f"M{x} {y}h1v1h-1z"
            for y, row in enumerate(code.matrix_iter(border=QUIET_ZONE))
            for x, dark in enumerate(row)
            if dark
        )
        body = (
            f'<path transform="scale({side / width:.6f})" shape-rendering="crispEdges" d="{"".join(rows)}"/>'
        )
    text = ""
    if name:
        fit = f' textLength="{side - 80}" lengthAdjust="spacingAndGlyphs"' if len(name) > 16 else ""  # noqa: PLR2004
        text = (
            f'<text x="{side // 2}" y="{side + band // 2}" font-size="56" text-anchor="middle"'
            f' font-family="PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif"{fit}>{escape(name)}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side + band}" role="img"'
        f" aria-label={quoteattr(name or 'QR')}>"
        f'<rect width="{side}" height="{side + band}" fill="#fff"/>{body}{text}</svg>'
    ).encode()


def _drawn(url: str, size: int) -> Image.Image:
    code = segno.make(url, error="h", micro=False)
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
