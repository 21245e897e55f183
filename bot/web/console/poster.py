"""``/console/channels/<id>/poster``: a sheet to print with the code; and the code itself in sizes."""

from __future__ import annotations

from flask import Response, request

from bot.web.bidi import plain
from bot.web.console import qr
from bot.web.console.door import Console, Visit
from bot.web.contact.forms import clean
from scrm.channels.queries import get_channel, get_code
from scrm.errors import NotFound

PAPERS = ("a4", "a6")
MAX_TITLE, MAX_TEXT = 40, 200


def register(console: Console) -> None:
    """Put the codes and the poster below ``/console/channels/<id>``."""

    @console.get("/channels/<channel_id>/qr/<int:size>.png", "channels.read")
    def channel_qr(visit: Visit, channel_id: str, size: int) -> Response:
        if size not in qr.SIZES:
            raise NotFound("qr_size", "没有这个尺寸")
        _, url = _code(visit, channel_id)
        content = qr.png(url, size, qr.picture_of(visit.site, url))
        return _file(content, "image/png", f"channel-{channel_id}-{size}.png")

    @console.get("/channels/<channel_id>/qr.svg", "channels.read")
    def channel_qr_svg(visit: Visit, channel_id: str) -> Response:
        name, url = _code(visit, channel_id)
        content = qr.svg(url, name if "name" in request.args else "", qr.picture_of(visit.site, url))
        return _file(content, "image/svg+xml", f"channel-{channel_id}.svg")

    @console.get("/channels/<channel_id>/poster", "channels.read")
    def channel_poster(visit: Visit, channel_id: str) -> Response:
        name, _ = _code(visit, channel_id)
        paper = request.args.get("paper", "a4")
        return visit.page(
            "console/poster.html",
            channel_id=channel_id,
            paper=paper if paper in PAPERS else "a4",
            papers=PAPERS,
            title=plain(clean(request.args.get("title", name))[:MAX_TITLE]),
            text=plain(clean(request.args.get("text", visit.t("poster_sample")))[:MAX_TEXT]),
        )


def _code(visit: Visit, channel_id: str) -> tuple[str, str]:
    """The channel's name and the link of its code. Raises NotFound."""
    with visit.read() as session:
        name = get_channel(session, channel_id).name
        url = get_code(session, channel_id).qr_url
    if not url:
        raise NotFound("channel_code_missing", "企业微信还没有给出二维码")
    return plain(name), url


def _file(content: bytes, kind: str, name: str) -> Response:
    answer = Response(content, mimetype=kind)
    if "download" in request.args:
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
