"""``/console/channels/<id>/poster``: a sheet to print with the code; and the code itself in sizes.

``?logo=1`` puts the corp's logo on a code, ``?name=1`` the channel's name below it, ``?name=rep`` that of its only rep.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, request

from bot.web.bidi import plain
from bot.web.console import qr
from bot.web.console.door import Console, Visit
from bot.web.contact.forms import clean
from scrm.channels.logo import find_logo, has_logo
from scrm.channels.queries import describe, get_channel, get_code
from scrm.errors import NotFound

PAPERS = ("a4", "a6")
MAX_TITLE, MAX_TEXT, MAX_REP = 40, 200, 40


@dataclass(frozen=True)
class Printed:
    """What is printed of a channel; ``logo`` only where it was asked for."""

    name: str
    rep: str
    url: str
    has_logo: bool
    logo: bytes | None


def register(console: Console) -> None:
    """Put the codes and the poster below ``/console/channels/<id>``."""

    @console.get("/channels/<channel_id>/qr/<int:size>.png", "channels.read")
    def channel_qr(visit: Visit, channel_id: str, size: int) -> Response:
        if size not in qr.SIZES:
            raise NotFound("qr_size", "没有这个尺寸")
        printed = _printed(visit, channel_id)
        content = qr.png(qr.code_of(visit.site, printed.url), size, printed.logo)
        return _file(content, "image/png", f"channel-{channel_id}-{size}.png")

    @console.get("/channels/<channel_id>/qr.svg", "channels.read")
    def channel_qr_svg(visit: Visit, channel_id: str) -> Response:
        printed = _printed(visit, channel_id)
        asked = request.args.get("name")
        name = printed.rep if asked == "rep" else "" if asked is None else printed.name
        content = qr.svg(qr.code_of(visit.site, printed.url), name, printed.logo)
        return _file(content, "image/svg+xml", f"channel-{channel_id}.svg")

    @console.get("/channels/<channel_id>/poster", "channels.read")
    def channel_poster(visit: Visit, channel_id: str) -> Response:
        printed = _printed(visit, channel_id)
        paper = request.args.get("paper", "a4")
        return visit.page(
            "console/poster.html",
            channel_id=channel_id,
            paper=paper if paper in PAPERS else "a4",
            papers=PAPERS,
            title=plain(clean(request.args.get("title", printed.name))[:MAX_TITLE]),
            text=plain(clean(request.args.get("text", visit.t("poster_sample")))[:MAX_TEXT]),
            rep=plain(clean(request.args.get("rep", printed.rep))[:MAX_REP]),
            longest_rep=MAX_REP,
            has_logo=printed.has_logo,
            with_logo=printed.has_logo and request.args.get("logo") != "0",
        )


def _printed(visit: Visit, channel_id: str) -> Printed:
    """What the channel's code is printed with. Raises NotFound."""
    with visit.read() as session:
        channel = get_channel(session, channel_id)
        url = get_code(session, channel_id).qr_url
        only = describe(session, [channel])[channel_id].only_rep
        has = has_logo(session)
        logo = find_logo(session) if request.args.get("logo") == "1" else None
    if not url:
        raise NotFound("channel_code_missing", "企业微信还没有给出二维码")
    return Printed(plain(channel.name), plain(only or ""), url, has, logo)


def _file(content: bytes, kind: str, name: str) -> Response:
    answer = Response(content, mimetype=kind)
    if "download" in request.args:
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
