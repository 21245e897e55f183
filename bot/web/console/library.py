"""``/console/library``: what reps send, how often, and in which folders; its small deeds, each with a way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from bot.api import paging
from bot.web.bidi import plain
from bot.web.console import filters
from bot.web.console.contacts import Part
from bot.web.console.door import Console, Visit, see_other
from bot.web.console.filters import Asked
from bot.web.console.once import made_once
from bot.web.library import MONTH, NOUNS, WEEK, folder_name, hand_of, told
from bot.web.times import Moment
from scrm.accounts.roles import LIBRARY_OWN, LIBRARY_READ
from scrm.errors import Invalid, NotFound, ScrmError
from scrm.library import folders, queries, service
from scrm.library.folders import Hand, access_folder
from scrm.library.models import FolderKind, Material
from scrm.library.queries import FolderRow, Found, Which

PAGE = 50
NAMES = ("q", "folder", "idle")
TEAM, OWN = "team", "own"  # in place of a folder: all of one shelf
EXCERPT = 120
LISTS = {FolderKind.REPLIES: "reply_list", FolderKind.MATERIALS: "material_list"}


@dataclass(frozen=True)
class Line:
    """One reply or material in the list."""

    id: str
    url: str
    title: str
    kind: str
    text: str
    image: str | None
    folder: str
    week: int
    month: int
    total: int
    last: Moment | None
    may_change: bool


def register(console: Console) -> None:
    """Put the lists at ``/console/library/replies`` and ``/materials``, and the deeds beside them."""

    @console.get("/library/replies", LIBRARY_READ)
    def reply_list(visit: Visit) -> Response:
        return _list(visit, FolderKind.REPLIES)

    @console.get("/library/materials", LIBRARY_READ)
    def material_list(visit: Visit) -> Response:
        return _list(visit, FolderKind.MATERIALS)

    @console.post("/library/items/<shelf>/<item_id>/<deed>", LIBRARY_OWN)
    def library_item(visit: Visit, shelf: str, item_id: str, deed: str) -> Response:
        return _do_item(visit, _kind(shelf), item_id, deed)

    @console.post("/library/folders/<shelf>", LIBRARY_OWN)
    def folder_make(visit: Visit, shelf: str) -> Response:
        return _make_folder(visit, _kind(shelf))

    @console.post("/library/folders/<shelf>/<folder_id>/<deed>", LIBRARY_OWN)
    def library_folder(visit: Visit, shelf: str, folder_id: str, deed: str) -> Response:
        return _do_folder(visit, _kind(shelf), folder_id, deed)


def _kind(shelf: str) -> FolderKind:
    try:
        return FolderKind(shelf)
    except ValueError:
        raise NotFound("shelf", "没有这一类内容") from None


# --- the lists


def _list(visit: Visit, kind: FolderKind, problem: str = "") -> Response:
    asked = filters.read(visit, LISTS[kind], NAMES, {} if request.method == "POST" else None)
    try:
        given = request.args.get("cursor", "") if request.method == "GET" else ""
        cursor = paging.decode(given, int, str) if given else None
        with visit.read() as session:
            values = _values(visit, session, kind, asked, cursor)
    except (Invalid, NotFound):  # a cursor we never made, a folder that is gone
        return see_other(visit.url(LISTS[kind]))
    return visit.page(
        "console/library.html",
        409 if problem else 200,
        shelf=kind.value,
        noun=NOUNS[kind],
        list_endpoint=LISTS[kind],
        asked=asked,
        problem=problem,
        undo=_undo(),
        **values,
    )


def _values(visit: Visit, session: Session, kind: FolderKind, asked: Asked, cursor: Any) -> dict[str, object]:
    hand, now = hand_of(visit.actor), visit.now
    rows = queries.list_folders(session, kind, hand)
    which = _read(visit, asked, rows)
    found = queries.search(session, which, kind=kind, hand=hand, cursor=cursor, limit=PAGE + 1)
    page, after = paging.cut(found, PAGE, lambda row: which.place_of(row.item))
    ids = [row.item.id for row in page]
    week, month = (queries.uses_of(session, ids, now - span) for span in (WEEK, MONTH))
    chosen = access_folder(session, which.folder_id, hand) if which.folder_id else None
    images = _images(session, page)
    return {
        "answer": _answer(visit, session, kind, asked, hand),
        "lines": [_line(visit, kind, row, hand, week, month, images) for row in page],
        "folders": [(row, plain(row.folder.name)) for row in rows],
        "chosen": chosen,
        "may_order": chosen is not None and which.is_in_order and hand.may_change(chosen),
        "may_change_folder": chosen is not None and hand.may_change(chosen),
        "may_team": hand.keeps_team,
        "may_own": hand.staff_id is not None,
        "after": after,
    }


def _read(visit: Visit, asked: Asked, rows: Sequence[FolderRow]) -> Which:
    t = visit.t
    named = {row.folder.id: folder_name(row.folder, t) for row in rows}
    named |= {TEAM: t("lib_team"), OWN: t("lib_own")}
    q = asked.find("q", lambda text: text, lambda text: t("read_q", value=text))
    place = asked.find(
        "folder", lambda key: key if key in named else None, lambda key: t("lib_read_folder", name=named[key])
    )
    idle = asked.find("idle", lambda text: text if text == "1" else None, lambda _text: t("lib_read_idle"))
    if asked.wrong:
        raise NotFound("folder_not_found", "没有这个文件夹")
    return Which(
        q or "",
        place if place not in (TEAM, OWN, None) else None,
        {TEAM: False, OWN: True}.get(place or ""),
        visit.now - MONTH if idle else None,
    )


def _answer(visit: Visit, session: Session, kind: FolderKind, asked: Asked, hand: Hand) -> list[Part]:
    t, noun = visit.t, NOUNS[kind]
    sums = queries.summarize(session, kind, hand, since=visit.now - WEEK, idle_since=visit.now - MONTH)
    clear = asked.url(q=None, folder=None, idle=None)
    parts = [Part(t(f"lib_count_{noun}", n=f"{sums.count:,}"), clear, t("lib_count_why"))]
    if not sums.count:
        return parts
    parts.append(Part(t("lib_uses", n=f"{sums.uses:,}"), clear, t("lib_uses_why")))
    if sums.most:
        title, times = sums.most
        url = visit.url(LISTS[kind], q=title[: filters.LONGEST])
        parts.append(Part(t("lib_most", title=plain(title), n=f"{times:,}"), url, t("lib_uses_why")))
    if sums.idle:
        url = visit.url(LISTS[kind], idle="1")
        parts.append(Part(t("lib_idle", n=f"{sums.idle:,}"), url, t("lib_idle_why")))
    return parts


def _images(session: Session, page: Sequence[Found]) -> dict[str, str]:
    """Material → the picture that stands for it."""
    items = [row.item for row in page if isinstance(row.item, Material)]
    files = queries.files_of(session, items)
    pictures = {key for key, file in files.items() if file.kind == "image"}
    return {one.id: one.media_file_id for one in items if one.media_file_id in pictures}


def _line(
    visit: Visit,
    kind: FolderKind,
    row: Found,
    hand: Hand,
    week: dict[str, int],
    month: dict[str, int],
    images: dict[str, str],
) -> Line:
    item, t = row.item, visit.t
    if kind is FolderKind.REPLIES:
        endpoint, text, what = "reply_edit", item.text, ""
    else:
        endpoint, what = "material_edit", t(f"lib_kind_{item.kind}")
        text = item.detail.get("url") or item.detail.get("page") or ""
    return Line(
        id=item.id,
        url=visit.url(endpoint, item_id=item.id),
        title=plain(item.title),
        kind=what,
        text=plain(text if len(text) <= EXCERPT else text[: EXCERPT - 1] + "…"),
        image=images.get(item.id),
        folder=folder_name(row.folder, t),
        week=week.get(item.id, 0),
        month=month.get(item.id, 0),
        total=item.used,
        last=visit.calendar.moment(item.used_at) if item.used_at else None,
        may_change=hand.may_change(row.folder),
    )


def _undo() -> tuple[str, str] | None:
    """Of what was just deleted: the endpoint's noun and the id."""
    for name in ("item", "folder"):
        key = request.args.get(f"gone_{name}", "")
        if key and len(key) <= filters.LONGEST:
            return name, key
    return None


# --- the deeds


def _do_item(visit: Visit, kind: FolderKind, item_id: str, deed: str) -> Response:
    hand, noun = hand_of(visit.actor), NOUNS[kind]
    by = {"up": -1, "down": 1}
    places: dict[str, str | None] = {"folder": request.form.get("folder") or None}

    def run(session: Session) -> None:
        if deed == "delete":
            item = service.delete_item(session, kind, item_id, hand=hand, now=visit.now)
            visit.record(session, f"{noun}:deleted", noun, item_id, title=item.title)
            places["gone_item"] = item_id
        elif deed == "restore":
            item = service.restore_item(session, kind, item_id, hand=hand, now=visit.now)
            visit.record(session, f"{noun}:restored", noun, item_id, title=item.title)
        elif deed in by:
            service.shift_item(session, kind, item_id, by=by[deed], hand=hand)
            visit.record(session, f"{noun}:moved", noun, item_id, by=by[deed])
        else:
            raise NotFound("deed", "没有这个操作")

    return _after(visit, kind, run, places)


def _do_folder(visit: Visit, kind: FolderKind, folder_id: str, deed: str) -> Response:
    hand, by = hand_of(visit.actor), {"up": -1, "down": 1}
    places: dict[str, str | None] = {"folder": folder_id}

    def run(session: Session) -> None:
        if deed == "delete":
            folder = folders.delete_folder(session, folder_id, hand=hand, now=visit.now)
            places.update(folder=None, gone_folder=folder_id)
        elif deed == "restore":
            folder = folders.restore_folder(session, folder_id, hand=hand)
        elif deed == "rename":
            folder = folders.rename_folder(session, folder_id, request.form.get("name", ""), hand=hand)
        elif deed in by:
            folder = folders.move_folder(session, folder_id, by=by[deed], hand=hand)
        else:
            raise NotFound("deed", "没有这个操作")
        visit.record(session, f"folder:{_PAST[deed]}", "folder", folder_id, name=folder.name)

    return _after(visit, kind, run, places)


_PAST = {"delete": "deleted", "restore": "restored", "rename": "renamed", "up": "moved", "down": "moved"}


def _make_folder(visit: Visit, kind: FolderKind) -> Response:
    hand, places = hand_of(visit.actor), dict[str, str | None]()

    def run(session: Session) -> None:
        owner = None if request.form.get("owner") == TEAM else hand.staff_id
        if owner is None and request.form.get("owner") != TEAM:
            raise NotFound("folder_owner", "只有员工才有自己的文件夹")

        def make() -> str:
            name = request.form.get("name", "")
            made = folders.create_folder(session, kind, name, owner_id=owner, hand=hand, now=visit.now)
            visit.record(session, "folder:created", "folder", made.id, name=made.name, shelf=kind.value)
            return made.id

        places["folder"] = made_once(visit, session, f"folder:{kind.value}", make)

    return _after(visit, kind, run, places)


def _after(
    visit: Visit, kind: FolderKind, run: Callable[[Session], None], places: dict[str, str | None]
) -> Response:
    """Do it in one transaction and go back to the list; what a person can mend is told there."""
    try:
        with visit.write() as session:
            run(session)
    except ScrmError as error:
        if isinstance(error, NotFound) or not (error.fields or error.code in _TOLD):
            raise
        return _list(visit, kind, next(iter(told(error, visit.t).values())))
    visit.site.wake()
    return see_other(visit.url(LISTS[kind], **places))


_TOLD = ("folders_full", "folder_full", "folder_exists")


def folder_choices(
    visit: Visit, session: Session, kind: FolderKind, hand: Hand, *, team_only: bool = False
) -> list[tuple[str, str]]:
    """The folders the visitor may put something in: id and name."""
    rows = queries.list_folders(session, kind, hand)
    writable = (row.folder for row in rows if hand.may_change(row.folder))
    return [
        (folder.id, folder_name(folder, visit.t))
        for folder in writable
        if not team_only or folder.owner_id is None
    ]
