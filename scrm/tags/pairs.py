"""What setting, clearing and reconciling the tags of (staff, contact) pairs have in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.util import identity_key

from scrm.contacts.models import Contact
from scrm.ids import new_id
from scrm.tags.models import Tag, TagSource
from scrm.timeline import service as timeline


def came_at(session: Session, contact_ids: Collection[str]) -> dict[str, datetime]:
    """When these contacts came; a query only for those the session does not hold."""
    held = [session.identity_map.get(identity_key(Contact, contact_id)) for contact_id in contact_ids]
    found = {row.id: row.created_at for row in (*held, *session.new) if isinstance(row, Contact)}
    missing = [contact_id for contact_id in contact_ids if contact_id not in found]
    if missing:
        found.update(dict(session.execute(_CAME_AT, {"contact_ids": missing}).all()))
    return found


_CAME_AT = select(Contact.id, Contact.created_at).where(
    Contact.id.in_(bindparam("contact_ids", expanding=True))
)


def new_row(
    contact_id: str,
    staff_id: str,
    tag_id: str,
    source: TagSource,
    source_ref: str | None,
    at: datetime,
    came: dict[str, datetime],
) -> dict[str, Any]:
    """A row of ``contact_tag``; ``came`` tells when the contacts came."""
    return {
        "id": new_id(),
        "contact_id": contact_id,
        "tag_id": tag_id,
        "staff_id": staff_id,
        "source": source,
        "source_ref": source_ref,
        "set_at": at,
        "contact_at": came[contact_id],
    }


def tell(
    session: Session,
    contact_id: str,
    kind: str,
    tags: Sequence[Tag],
    *,
    at: datetime,
    actor: str,
    key: str | None,
    **detail: str | None,
) -> None:
    """Let the timeline tell it, with a ``key`` once. What of ``detail`` is None is left out."""
    timeline.append(session, contact_id, kind, at=at, actor=actor, detail=_said(tags, detail), key=key)


def tell_once(
    session: Session,
    contact_id: str,
    kind: str,
    tags: Sequence[Tag],
    *,
    at: datetime,
    actor: str,
    key: str,
    **detail: str | None,
) -> bool:
    """As ``tell``, at once; whether it was news."""
    said = _said(tags, detail)
    return timeline.append_once(session, contact_id, kind, at=at, actor=actor, detail=said, key=key)


def _said(tags: Sequence[Tag], detail: Mapping[str, str | None]) -> dict[str, Any]:
    said: dict[str, Any] = {name: value for name, value in detail.items() if value is not None}
    return said | {"tags": [tag.name for tag in tags], "tag_ids": [tag.id for tag in tags]}
