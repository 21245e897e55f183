"""An uploaded logo made fit for the middle of codes: on white, without its margins, small. Pure."""

from __future__ import annotations

import io

from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

from bot.wechat.codes import count_codes
from scrm.errors import Invalid

MB = 1024 * 1024
MOST_MB = 2
LARGEST_SIDE = 3000  # pixels: 36 MB once unpacked
SMALLEST_SIDE = 64  # pixels: less is coarse on a poster
LONGEST_RATIO = 6  # a longer one is a line in the middle of a code
SIDE = 360  # pixels as kept: a code of 130 mm shows it with 300 dpi
_FORMATS = ("PNG", "JPEG")
_VISIBLE = 12  # of 255: what differs less from white is margin


def read_logo(content: bytes) -> bytes:
    """The logo as a small PNG on white. Raises Invalid with what is wrong and what to do."""
    if not content:
        raise _refused("logo_missing", "请选择一个 PNG 或 JPEG 图片")
    if len(content) > MOST_MB * MB:
        raise _refused("logo_large", f"标识文件最多 {MOST_MB} MB，请压缩后再上传")
    seen = _trimmed(_unpacked(content))
    width, height = seen.size
    if max(width, height) < SMALLEST_SIDE:
        raise _refused(
            "logo_small", f"标识太小：长边至少 {SMALLEST_SIDE} 像素，去掉空白后只有 {max(width, height)} 像素"
        )
    if max(width, height) > LONGEST_RATIO * min(width, height):
        raise _refused("logo_long", f"标识太长：长边最多是短边的 {LONGEST_RATIO} 倍，请换一个紧凑的版本")
    if count_codes(seen):
        raise _refused("logo_code", "标识里不能有二维码或条形码：手机会扫到它。请换一个版本")
    seen.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    seen.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _unpacked(content: bytes) -> Image.Image:
    """The picture upright, in colours on white. Its size is looked at before a pixel is unpacked."""
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
            _check_size(*opened.size)
            upright = ImageOps.exif_transpose(opened)
            deep = upright.mode.startswith(("I", "F"))  # 16 bits a pixel: grey
            picture = (upright.convert("I").point(lambda v: v / 256, "L") if deep else upright).convert(
                "RGBA"
            )
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except UnidentifiedImageError as error:
        raise _refused(
            "logo_kind", "标识应为 PNG 或 JPEG 图片（按文件内容判断，与扩展名无关），请另存后再上传"
        ) from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise _refused("logo_broken", "这个图片打不开，可能没有传完整，请另存后再上传") from error
    sheet = Image.new("RGBA", picture.size, "white")
    sheet.alpha_composite(picture)
    return sheet.convert("RGB")


def _check_size(width: int, height: int) -> None:
    if max(width, height) > LARGEST_SIDE:
        raise _too_many_pixels()


def _too_many_pixels() -> Invalid:
    return _refused("logo_pixels", f"标识每边最多 {LARGEST_SIDE} 像素，请缩小后再上传")


def _trimmed(picture: Image.Image) -> Image.Image:
    """Without white around it. Raises Invalid where there is nothing else."""
    white = Image.new("RGB", picture.size, "white")
    bands = ImageChops.difference(picture, white).split()
    darkest = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    box = darkest.point(lambda value: 255 * (value > _VISIBLE)).getbbox()
    if box is None:
        raise _refused("logo_blank", "标识在白底上看不见（全透明或全白），请换一个有颜色的版本")
    return picture.crop(box)


def _refused(code: str, message: str) -> Invalid:
    return Invalid(code, message, {"file": message})
