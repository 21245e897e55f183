"""``/sidebar/contacts/<id>/replies`` and ``/materials``: found while typing, sent into the open chat with one tap."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, redirect, request
from flask_wtf.csrf import generate_csrf
from sqlalchemy.orm import Session

from bot.api import paging
from bot.web.bidi import plain
from bot.web.console.door import address
from bot.web.contact import forms
from bot.web.contact.forms import Claim, clean
from bot.web.failures import Closed
from bot.web.library import cover_url, folder_name, picture, told
from bot.web.links import Expired
from bot.web.sidebar.access import (
    Pass,
    Visitor,
    admit,
    is_client,
    read_form,
    read_visit,
    to_sidebar_login,
)
from bot.web.site import Screen, Site
from scrm.accounts.roles import LIBRARY_OWN
from scrm.audit import service as audit
from scrm.errors import Invalid, NotFound, Refused, ScrmError
from scrm.library import folders, queries, rules, service
from scrm.library.folders import Hand
from scrm.library.models import FolderKind, Material, Reply, UseWay
from scrm.library.queries import Found, Which
from scrm.library.service import ReplySpec

PAGE = 30
LARGEST_FORM = 64 * 1024
LONGEST = 64
TEAM, OWN = "team", "own"
ENDPOINTS = {FolderKind.REPLIES: "sidebar_replies", FolderKind.MATERIALS: "sidebar_materials"}


@dataclass(frozen=True)
class Line:
    """One thing to send. ``messages`` is what the client is given, as JSON; empty while its file is on its way."""

    id: str
    title: str
    text: str
    kind: str
    image: str | None
    used: int
    messages: str


@dataclass(frozen=True)
class Chip:
    """Where to look: all, the team's, one's own, or a folder."""

    text: str
    url: str
    is_here: bool


def register(blueprint: Blueprint, site: Site) -> None:
    """Put the pages and what they send on the blueprint."""

    @blueprint.get("/sidebar/contacts/<contact_id>/replies")
    def sidebar_replies(contact_id: str) -> Response:
        return _open(Screen(site), contact_id, FolderKind.REPLIES)

    @blueprint.get("/sidebar/contacts/<contact_id>/materials")
    def sidebar_materials(contact_id: str) -> Response:
        return _open(Screen(site), contact_id, FolderKind.MATERIALS)

    @blueprint.get("/sidebar/contacts/<contact_id>/pictures/<material_id>")
    def sidebar_picture(contact_id: str, material_id: str) -> Response:
        return _picture(Screen(site), contact_id, material_id)

    @blueprint.post("/sidebar/contacts/<contact_id>/replies")
    def sidebar_add_reply(contact_id: str) -> Response:
        request.max_content_length = LARGEST_FORM
        return _add(Screen(site), contact_id)

    @blueprint.post("/sidebar/contacts/<contact_id>/library/<item_id>/uses")
    def sidebar_use(contact_id: str, item_id: str) -> Response:
        request.max_content_length = LARGEST_FORM
        return _use(Screen(site), contact_id, item_id)


def hand_of(visitor: Visitor) -> Hand:
    """The rep; whose role keeps nothing of their own has no folders of their own."""
    owns = visitor.login is None or visitor.login.may(LIBRARY_OWN)
    return Hand(visitor.staff.id if owns else None, name=visitor.actor)


def _open(screen: Screen, contact_id: str, kind: FolderKind) -> Response:
    try:
        visit = read_visit(screen, contact_id)
    except Closed:
        if not is_client():
            raise
        return to_sidebar_login()
    with screen.site.database.read() as session:
        try:
            return _show(screen, session, visit, kind)
        except (Invalid, NotFound) as error:  # a cursor we never made, a folder that is gone
            if error.code == "contact_not_found":
                raise
            return _go(screen, contact_id, kind)


def _go(screen: Screen, contact_id: str, kind: FolderKind, **parts: str) -> Response:
    return redirect(screen.url(ENDPOINTS[kind], contact_id=contact_id, **parts), 303)  # type: ignore[return-value]


def _show(
    screen: Screen,
    session: Session,
    visit: Pass,
    kind: FolderKind,
    errors: dict[str, str] | None = None,
) -> Response:
    visitor = admit(session, visit)
    contact_id, hand = visitor.card.contact.id, hand_of(visitor)
    q, place = clean(request.args.get("q", ""))[:LONGEST], request.args.get("folder", "")
    which = Which(q, place if place not in (TEAM, OWN, "") else None, {TEAM: False, OWN: True}.get(place))
    cursor = request.args.get("cursor", "")
    after = paging.decode(cursor, int, str) if cursor else None
    found = queries.search(session, which, kind=kind, hand=hand, cursor=after, limit=PAGE + 1)
    page, following = paging.cut(found, PAGE, lambda row: which.place_of(row.item))
    draft = {name: clean(request.form.get(name, "")) for name in ("title", "text")}
    return screen.page(
        "sidebar/library.html",
        422 if errors else 200,
        contact_id=contact_id,
        shelf=kind.value,
        endpoint=ENDPOINTS[kind],
        name=plain(visitor.card.contact.name).strip() or screen.t("no_name"),
        external=visitor.external,
        userid=visitor.staff.userid,
        csrf=str(generate_csrf()) if visit.actor is not None else "",
        q=q,
        place=place,
        chips=_chips(screen, session, contact_id, kind, hand, q, place),
        lines=_lines(screen, session, visitor, page),
        following=following,
        may_add=kind is FolderKind.REPLIES and visitor.may_write,
        is_added=request.args.get("added") == "1",
        draft=draft,
        errors=errors or {},
        limits={"title": rules.TITLE_MAX, "text": rules.TEXT_MAX},
        form_token=screen.site.links.sign_form(visitor.grant, now=screen.now),
    )


def _chips(
    screen: Screen, session: Session, contact_id: str, kind: FolderKind, hand: Hand, q: str, place: str
) -> list[Chip]:
    rows = queries.list_folders(session, kind, hand)
    named = [("", screen.t("lib_all")), (TEAM, screen.t("lib_team"))]
    named += [(OWN, screen.t("lib_own"))] if hand.staff_id else []
    named += [(row.folder.id, folder_name(row.folder, screen.t)) for row in rows if row.count]
    return [
        Chip(
            text,
            screen.url(ENDPOINTS[kind], contact_id=contact_id, folder=key or None, q=q or None),
            key == place,
        )
        for key, text in named
    ]


def _lines(screen: Screen, session: Session, visitor: Visitor, page: list[Found]) -> list[Line]:
    items = [row.item for row in page]
    contact, staff, site = visitor.card.contact, visitor.staff, screen.site
    messages = queries.messages_of(
        session,
        items,
        contact=contact,
        staff=staff,
        cover_url=lambda key: cover_url(site, key),
        now=screen.now,
    )
    files = queries.files_of(session, [one for one in items if isinstance(one, Material)])

    def line(item: Any) -> Line:
        ready = messages[item.id]
        url = None
        if isinstance(item, Reply):
            kind, text = "", queries.filled(item.text, contact, staff)
        else:
            kind = screen.t(f"lib_kind_{item.kind}")
            file = files.get(item.media_file_id or "")
            text = item.detail.get("desc") or item.detail.get("url") or (file.filename if file else "")
            if file is not None and file.kind == "image":
                url = screen.url("sidebar_picture", contact_id=contact.id, material_id=item.id)
        return Line(
            item.id,
            plain(item.title),
            plain(text),
            kind,
            url,
            item.used,
            json.dumps(ready, ensure_ascii=False) if ready else "",
        )

    return [line(item) for item in items]


def _picture(screen: Screen, contact_id: str, material_id: str) -> Response:
    visit = read_visit(screen, contact_id)
    with screen.site.database.read() as session:
        visitor = admit(session, visit)
        item, _ = service.access_item(session, FolderKind.MATERIALS, material_id, hand_of(visitor))
        file = queries.find_file(session, item.media_file_id)
        if file is None or file.kind != "image":
            raise NotFound("picture_not_found", "没有这张图片")
        return picture(file.content)


def _add(screen: Screen, contact_id: str) -> Response:
    """Keep a reply of the rep's own, in their first folder; or show the form again with what is wrong."""
    kind = FolderKind.REPLIES
    visit = read_visit(screen, contact_id)
    title, text = clean(request.form.get("title", "")), clean(request.form.get("text", ""))
    try:
        form = read_form(screen, visit.grant, request.form.get("form", ""))
        with screen.site.database.write() as session:
            visitor = admit(session, visit)
            sent = forms.Draft(content=f"{title}\0{text}")
            if forms.claim(session, form.nonce, visitor.staff.id, sent, now=screen.now) is Claim.FIRST:
                _keep(screen, session, visitor, title, text)
    except Expired:
        return _again(screen, visit, {"form": screen.t("error_stale")})
    except ScrmError as error:
        if error.code in ("contact_not_found", "not_permitted"):
            raise
        return _again(screen, visit, told(error, screen.t))
    return _go(screen, contact_id, kind, folder=OWN, added="1")


def _keep(screen: Screen, session: Session, visitor: Visitor, title: str, text: str) -> None:
    """Without a title the text's beginning is one."""
    if not visitor.may_write:
        raise Refused("not_permitted", "您的角色不能添加话术")
    hand, kind, now = hand_of(visitor), FolderKind.REPLIES, screen.now
    place = folders.own_folder(session, kind, hand, name=screen.t("lib_own_folder"), now=now)
    spec = ReplySpec(title or text.partition("\n")[0][: rules.TITLE_MAX], text)
    made = service.create_reply(session, place.id, spec, hand=hand, now=now)
    deed = audit.Deed(
        visitor.actor, visitor.staff.name, "reply:created", "reply", made.id, {"title": made.title}, address()
    )
    audit.append(session, deed, now=now)


def _again(screen: Screen, visit: Pass, errors: dict[str, str]) -> Response:
    with screen.site.database.read() as session:
        return _show(screen, session, visit, FolderKind.REPLIES, errors)


def _use(screen: Screen, contact_id: str, item_id: str) -> Response:
    """Count what was sent or copied just now."""
    visit = read_visit(screen, contact_id)
    try:
        read_form(screen, visit.grant, request.form.get("form", ""))
    except Expired:
        raise Closed("form") from None
    try:
        way = UseWay(request.form.get("way", ""))
    except ValueError:
        raise NotFound("way", "没有这种用法") from None
    with screen.site.database.write() as session:
        visitor = admit(session, visit)
        if hand_of(visitor).staff_id is None:
            raise Refused("not_permitted", "只读的账号不计使用次数")
        service.record_use(
            session,
            item_id,
            staff_id=visitor.staff.id,
            contact_id=visitor.card.contact.id,
            way=way,
            now=screen.now,
        )
    return Response(status=204)
