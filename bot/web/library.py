"""What the console's and the sidebar's pages of the library share: who asks, covers, and how a use reads."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response

from bot.web.bidi import plain
from bot.web.site import Site
from bot.words.sentences import in_english
from bot.words.texts import Words
from scrm.access.scope import Actor
from scrm.accounts.roles import LIBRARY_OWN, LIBRARY_WRITE
from scrm.channels.media import MAX_BYTES, MB
from scrm.errors import ScrmError
from scrm.library.folders import Hand
from scrm.library.models import Folder, FolderKind
from scrm.library.queries import get_cover

WEEK, MONTH = timedelta(days=7), timedelta(days=30)
LARGEST_UPLOAD = max(MAX_BYTES.values()) + 2 * MB  # what is over is told in place, not refused by the server
NOUNS = {FolderKind.REPLIES: "reply", FolderKind.MATERIALS: "material"}
_WORDS = ("title", "text", "file", "url", "desc", "appid", "page", "name", "material")


def register(blueprint: Blueprint, site: Site) -> None:
    """Put ``/library/covers`` on the blueprint: WeCom's client fetches a card's picture without a login."""

    @blueprint.get("/library/covers/<material_id>")
    def library_cover(material_id: str) -> Response:
        with site.database.read() as session:
            return picture(get_cover(session, material_id).content)


def picture(content: bytes) -> Response:
    """A JPG or PNG as an answer."""
    kind = "image/png" if content.startswith(b"\x89PNG") else "image/jpeg"
    return Response(content, mimetype=kind)


def cover_url(site: Site, material_id: str) -> str:
    """Where a card's picture is, for phones."""
    return f"{site.base_url}/library/covers/{material_id}"


def hand_of(actor: Actor) -> Hand:
    """The person as the library knows people; without ``library.own`` they change nothing."""
    owns = actor.may(LIBRARY_OWN)
    return Hand(actor.staff_id if owns else None, keeps_team=actor.may(LIBRARY_WRITE), name=actor.audit_name)


def folder_name(folder: Folder, words: Words) -> str:
    """The folder as lists of both shelves name it."""
    name = plain(folder.name)
    return name if folder.owner_id is None else words("lib_mine_named", name=name)


def told(error: ScrmError, words: Words) -> dict[str, str]:
    """What the domain refused, at the fields of the form; ``form`` for what belongs to none."""
    if words.language == "zh":
        return dict(error.fields) or {"form": error.message}
    known = {name: words(f"lib_wrong_{name}") for name in error.fields if name in _WORDS}
    if known:
        return known
    return {"form": words.find(f"lib_refused_{error.code}") or in_english(error.message)}
