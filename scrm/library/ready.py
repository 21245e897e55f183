"""What a task holds ready to be sent: a text, a team's reply, a team's material."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from scrm.accounts.models import Staff
from scrm.contacts.models import Contact
from scrm.library.folders import Hand
from scrm.library.models import FolderKind
from scrm.library.queries import filled
from scrm.library.rules import check_text
from scrm.library.service import access_item, is_shared

TEAM = Hand(None)  # sees the team's folders only: what a rep is to send, they must see


@dataclass(frozen=True)
class Choice:
    """What somebody chose to have sent, in this order; each may be missing."""

    text: str = ""
    reply_id: str | None = None
    material_id: str | None = None


def compose(session: Session, choice: Choice) -> list[dict[str, Any]]:
    """The messages, placeholders still in them: a task keeps the words of a reply, whatever becomes of it later.

    Raises Invalid for a text that cannot be sent, NotFound for what is not the team's.
    """
    texts, materials = [], []
    if choice.text.strip():
        check_text(choice.text)
        texts.append(choice.text.strip())
    if choice.reply_id:
        reply, _ = access_item(session, FolderKind.REPLIES, choice.reply_id, TEAM)
        texts.append(reply.text)
        if is_shared(session, reply.material_id):
            materials.append(reply.material_id)
    if choice.material_id:
        material, _ = access_item(session, FolderKind.MATERIALS, choice.material_id, TEAM)
        materials.append(material.id)
    return [
        *({"kind": "text", "text": text} for text in texts),
        *({"kind": "material", "material_id": key} for key in dict.fromkeys(materials)),
    ]


def fill_for(content: Sequence[dict[str, Any]], contact: Contact, staff: Staff) -> list[dict[str, Any]]:
    """The messages as this customer gets them from this member."""
    return [
        {**one, "text": filled(one["text"], contact, staff)} if one["kind"] == "text" else dict(one)
        for one in content
    ]
