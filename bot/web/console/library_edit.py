"""``/console/library/…``: one reply or one material on a page of its own, with the customer's phone beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from flask import Response, make_response, render_template, request
from sqlalchemy.orm import Session

from bot.web.bidi import plain
from bot.web.console.door import Console, Visit, see_other
from bot.web.console.library import LISTS, folder_choices
from bot.web.console.once import made_once
from bot.web.console.phone import Card, Phone
from bot.web.contact.forms import clean
from bot.web.library import LARGEST_UPLOAD, NOUNS, hand_of, told
from scrm.accounts.roles import LIBRARY_OWN, LIBRARY_READ
from scrm.channels import media
from scrm.errors import NotFound, ScrmError
from scrm.library import queries, rules, service
from scrm.library.folders import Hand
from scrm.library.models import FolderKind, Material, MaterialKind
from scrm.library.queries import Which
from scrm.library.rules import UPLOADED, fill
from scrm.library.service import MaterialSpec, ReplySpec

REPLIES, MATERIALS = FolderKind.REPLIES, FolderKind.MATERIALS
FIELDS = ("title", "text", "folder", "material", "kind", "url", "desc", "appid", "page")
OFFERED = 100  # materials a reply may go with, in one choice
Errors = dict[str, str]


@dataclass(frozen=True)
class Draft:
    """The form as it was sent, or as it is first shown."""

    values: Mapping[str, str] = field(default_factory=dict)
    media: str | None = None  # the file, or the cover, that is kept

    def __getattr__(self, name: str) -> str:
        if name in FIELDS:
            return self.values.get(name, "")
        raise AttributeError(name)


def register(console: Console) -> None:
    """Put the pages at ``/console/library/replies/…`` and ``/materials/…``."""
    for kind in FolderKind:
        _register(console, kind)

    @console.post("/library/preview", LIBRARY_OWN)
    def library_preview(visit: Visit) -> Response:
        draft = _read()
        with visit.read() as session:
            phone = _phone(visit, session, draft, _material(session, hand_of(visit.actor), draft.material))
        return make_response(
            render_template("console/_library_preview.html", screen=visit, t=visit.t, phone=phone)
        )

    @console.post("/library/replies/<item_id>/copy", LIBRARY_OWN)
    def reply_copy(visit: Visit, item_id: str) -> Response:
        return _copy(visit, item_id)


def _register(console: Console, kind: FolderKind) -> None:
    noun, place = NOUNS[kind], f"/library/{kind.value}"

    def new(visit: Visit) -> Response:
        values = {name: request.args.get(name, "") for name in ("folder", "kind")}
        if kind is MATERIALS and values["kind"] not in list(MaterialKind):
            values["kind"] = MaterialKind.FILE.value
        return _page(visit, kind, Draft(values))

    def make(visit: Visit) -> Response:
        return _save(visit, kind, None)

    def edit(visit: Visit, item_id: str) -> Response:
        with visit.read() as session:
            item, folder = service.access_item(session, kind, item_id, hand_of(visit.actor))
            draft = _draft_of(item, folder.id)
        return _page(visit, kind, draft, item_id=item_id)

    def change(visit: Visit, item_id: str) -> Response:
        return _save(visit, kind, item_id)

    for name, view in (("new", new), ("make", make), ("edit", edit), ("change", change)):
        view.__name__ = f"{noun}_{name}"
    console.get(f"{place}/new", LIBRARY_OWN)(new)
    console.post(f"{place}/new", LIBRARY_OWN)(make)
    console.get(f"{place}/<item_id>", LIBRARY_READ)(edit)
    console.post(f"{place}/<item_id>", LIBRARY_OWN)(change)


def _read() -> Draft:
    form = request.form
    values = {name: clean(form.get(name, ""))[: 2 * rules.TEXT_MAX] for name in FIELDS}
    return Draft(values, form.get("media") or None)


def _sent(kind: FolderKind) -> Draft:
    """The form of a reply or material; a kind of material that nobody knows is a file."""
    draft = _read()
    if kind is REPLIES or draft.kind in list(MaterialKind):
        return draft
    return replace(draft, values={**draft.values, "kind": MaterialKind.FILE.value})


def _draft_of(item: Any, folder_id: str) -> Draft:
    values = {"title": item.title, "folder": folder_id}
    if isinstance(item, Material):
        return Draft({**values, "kind": item.kind.value, **item.detail}, item.media_file_id)
    return Draft({**values, "text": item.text, "material": item.material_id or ""})


def _save(visit: Visit, kind: FolderKind, item_id: str | None) -> Response:
    """Make or change it, and go back to its folder; or show the form again with what is wrong, nothing lost."""
    draft = _sent(kind)
    if "preview" in request.form:  # without script
        return _page(visit, kind, draft, item_id=item_id)
    try:
        with visit.write() as session:

            def write() -> str:
                return _write(visit, session, kind, item_id, draft)

            folder_id = write() if item_id else made_once(visit, session, NOUNS[kind], write)
    except NotFound as error:
        if error.code != "folder_not_found":
            raise
        return _page(visit, kind, draft, {"folder": visit.t("lib_wrong_folder")}, item_id=item_id)
    except ScrmError as error:
        return _page(visit, kind, draft, told(error, visit.t), item_id=item_id)
    visit.site.wake()
    return see_other(visit.url(LISTS[kind], folder=folder_id, saved="1"))


def _write(visit: Visit, session: Session, kind: FolderKind, item_id: str | None, draft: Draft) -> str:
    hand, noun = hand_of(visit.actor), NOUNS[kind]
    item: Any
    if kind is REPLIES:
        said = ReplySpec(draft.title, draft.text, draft.material or None)
        if item_id is None:
            item = service.create_reply(session, draft.folder, said, hand=hand, now=visit.now)
        else:
            item = service.update_reply(session, item_id, said, hand=hand, now=visit.now)
    else:
        spec = _spec(visit, session, draft, item_id, hand)
        if item_id is None:
            item = service.create_material(session, draft.folder, spec, hand=hand, now=visit.now)
        else:
            item = service.update_material(session, item_id, spec, hand=hand, now=visit.now)
    if item_id is not None and draft.folder:
        service.move_item(session, kind, item_id, draft.folder, hand=hand)
    deed = f"{noun}:{'created' if item_id is None else 'changed'}"
    visit.record(session, deed, noun, item.id, title=item.title)
    return str(item.folder_id)


def _spec(visit: Visit, session: Session, draft: Draft, item_id: str | None, hand: Hand) -> MaterialSpec:
    """The material as the form says it; a file that came with it is kept first."""
    kept = None
    if item_id is not None:
        item, _ = service.access_item(session, MATERIALS, item_id, hand)
        kept, kind = item.media_file_id, item.kind
    else:
        kind = MaterialKind(draft.kind) if draft.kind in list(MaterialKind) else MaterialKind.FILE
    upload = request.files.get("file")
    title = draft.title
    if upload is not None and upload.filename:
        stored = "image" if kind not in UPLOADED else kind.value
        content = upload.stream.read(LARGEST_UPLOAD)
        file = media.store_media(
            session, kind=stored, filename=upload.filename, content=content, now=visit.now
        )
        kept, title = file.id, title or file.filename.rsplit(".", 1)[0]
    elif kind not in UPLOADED and "drop_cover" in request.form:
        kept = None
    fields = ("url", "desc") if kind is MaterialKind.LINK else ("appid", "page")
    detail = {} if kind in UPLOADED else {name: getattr(draft, name) for name in fields}
    return MaterialSpec(kind, title, detail, kept)


def _copy(visit: Visit, item_id: str) -> Response:
    hand = hand_of(visit.actor)
    try:
        with visit.write() as session:

            def copy() -> str:
                to = request.form.get("folder", "")
                made = service.copy_reply(session, item_id, to, hand=hand, now=visit.now)
                visit.record(session, "reply:copied", "reply", made.id, title=made.title, source=item_id)
                return made.folder_id

            folder_id = made_once(visit, session, f"copy:{item_id}", copy)
    except NotFound:
        raise
    except ScrmError as error:
        with visit.read() as session:
            item, folder = service.access_item(session, REPLIES, item_id, hand)
            draft = _draft_of(item, folder.id)
        return _page(
            visit, REPLIES, draft, {"form": next(iter(told(error, visit.t).values()))}, item_id=item_id
        )
    return see_other(visit.url("reply_list", folder=folder_id, saved="1"))


def _page(
    visit: Visit, kind: FolderKind, draft: Draft, errors: Errors | None = None, item_id: str | None = None
) -> Response:
    hand = hand_of(visit.actor)
    with visit.read() as session:
        may_change, own = True, False
        if item_id is not None:
            _, folder = service.access_item(session, kind, item_id, hand)
            may_change, own = hand.may_change(folder), folder.owner_id is not None
        goes_with = _material(session, hand, draft.material)
        values = {
            "folders": folder_choices(visit, session, kind, hand),
            "team": folder_choices(visit, session, kind, hand, team_only=True) if own else [],
            "materials": _materials(session, hand, goes_with) if kind is REPLIES else [],
            "phone": _phone(visit, session, draft, goes_with),
        }
    return visit.page(
        f"console/library_{NOUNS[kind]}.html",
        422 if errors else 200,
        draft=draft,
        errors=errors or {},
        item_id=item_id,
        may_change=may_change,
        noun=NOUNS[kind],
        list_endpoint=LISTS[kind],
        kinds=list(MaterialKind),
        limits={"title": rules.TITLE_MAX, "text": rules.TEXT_MAX, "upload": media.MAX_BYTES},
        **values,
    )


def _material(session: Session, hand: Hand, material_id: str) -> Material | None:
    if not material_id:
        return None
    try:
        found, _ = service.access_item(session, MATERIALS, material_id, hand)
    except NotFound:
        return None
    return found if isinstance(found, Material) else None


def _materials(session: Session, hand: Hand, chosen: Material | None) -> list[tuple[str, str]]:
    found = [row.item for row in queries.search(session, Which(), kind=MATERIALS, hand=hand, limit=OFFERED)]
    if chosen is not None and chosen not in found:
        found.insert(0, chosen)
    return [(one.id, plain(one.title)) for one in found]


def _phone(visit: Visit, session: Session, draft: Draft, goes_with: Material | None) -> Phone:
    """What a customer reads, by the very function that fills the text."""
    t, rep = visit.t, visit.t("sample_rep")
    text = fill(draft.text, customer=t("sample_customer"), staff=rep, company=t("lib_sample_company"))
    cards = []
    if draft.kind:
        cards.append(_card(visit, session, draft.kind, draft.title, draft.values, draft.media))
    if goes_with is not None:
        detail, kind = goes_with.detail, goes_with.kind.value
        cards.append(_card(visit, session, kind, goes_with.title, detail, goes_with.media_file_id))
    return Phone(plain(rep), text, cards)


def _card(
    visit: Visit, session: Session, kind: str, title: str, detail: Mapping[str, str], media_id: str | None
) -> Card:
    file = queries.find_file(session, media_id)
    if kind == MaterialKind.IMAGE and file is not None:
        return Card(kind, title, image=file.id)
    under = visit.t(f"lib_kind_{kind}") if kind in list(MaterialKind) else ""
    if kind == MaterialKind.LINK:
        try:
            under = detail.get("desc") or urlsplit(detail.get("url", "")).hostname or ""
        except ValueError:
            under = ""
    return Card(kind, plain(title) or visit.t("lib_untitled"), plain(under))
