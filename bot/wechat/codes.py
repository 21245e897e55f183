"""What a picture of a code says, read so that the code can be drawn anew; and the drawing itself."""

from __future__ import annotations

import io
import re
from typing import Any

import segno
import structlog
from PIL import Image, UnidentifiedImageError

log = structlog.get_logger(__name__)

MOST_PIXELS = 4_000_000  # WeCom's pictures have some 160,000
LONGEST = 300  # characters: a code with more has modules too small for a card
_LINK = re.compile(r"https?://[!-~]+")
_SCALE, _BORDER = 4, 4  # pixels a module, modules around: of the drawing that is read back


def read_code(picture: bytes) -> str | None:
    """The link that the picture's code holds; None unless it has exactly one, and one that comes back when drawn."""
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                return None
            found = _read(opened.convert("RGBA"))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        log.warning("code_not_read", error=type(error).__name__)
        return None
    if found is None or len(found) > LONGEST or not _LINK.fullmatch(found) or not _comes_back(found):
        log.info("code_not_read", error="odd" if found else "none")
        return None
    return found


def count_codes(picture: Image.Image) -> int:
    """How many codes of any kind a phone may find in the picture."""
    return len(_reader().read_barcodes(_rows(picture.convert("L"))))


def make_code(text: str) -> segno.QRCode:
    """The code of a text at level H: three tenths of it may be covered."""
    return segno.make_qr(text, error="h")


def _read(picture: Image.Image) -> str | None:
    """The text of the only code in the picture; what shines through is white."""
    sheet = Image.new("RGBA", picture.size, "white")
    sheet.alpha_composite(picture)
    rows, zxing = _rows(sheet.convert("L")), _reader()
    found: list[Any] = zxing.read_barcodes(rows, formats=zxing.BarcodeFormats(zxing.BarcodeFormat.QRCode))
    if len(found) != 1 or found[0].content_type != zxing.ContentType.Text:
        return None
    return str(found[0].text) if found[0].bytes == found[0].text.encode() else None


def _reader() -> Any:
    """Loaded by who reads codes: it complains at the end of every process that has it (nanobind's leak warnings)."""
    import zxingcpp  # noqa: PLC0415

    return zxingcpp


def _rows(shades: Image.Image) -> memoryview:
    return memoryview(shades.tobytes()).cast("B", (shades.height, shades.width))


def _comes_back(text: str) -> bool:
    drawn = io.BytesIO()
    make_code(text).save(drawn, kind="png", scale=_SCALE, border=_BORDER)
    with Image.open(drawn) as picture:
        return _read(picture.convert("RGBA")) == text
