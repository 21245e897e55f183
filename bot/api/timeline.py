"""/contacts/{id}/timeline: every touch of a customer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from bot.api import paging
from bot.api.routes import Call, Routes
from bot.api.types import Answer, Page, PageQuery, Text
from scrm.contacts.service import get_contact
from scrm.timeline.queries import list_entries
from scrm.timeline.rules import title

routes = Routes("客户")


class EntryOut(Answer):
    """One touch. ``title`` is the sentence about it."""

    id: int
    at: datetime
    kind: str
    title: str
    actor: str = Field(description="system、customer、staff:<userid> 或 token:<名称>")
    detail: dict[str, Any]


class EntryPage(Page[EntryOut]):
    """A page of the timeline."""


class TimelineQuery(PageQuery):
    """Which entries."""

    kind: Annotated[Text, Field(max_length=48, pattern=r"^[a-z_]+(\.[a-z_]+)?$")] | None = Field(
        None, description="完整类型（welcome.sent）或前半部分（welcome）"
    )


@routes.get("/contacts/<contact_id>/timeline", "客户的时间线，最新的在前", scope="contacts.read")
def list_timeline(call: Call, contact_id: str, query: TimelineQuery) -> EntryPage:
    """A page of entries."""
    get_contact(call.session, contact_id)
    before = paging.decode(query.cursor, datetime, int) if query.cursor else None
    rows = list_entries(call.session, contact_id, before=before, limit=query.limit + 1, kind=query.kind)
    page, cursor = paging.cut(rows, query.limit, lambda row: (row.at, row.id))
    items = [
        EntryOut(
            id=row.id,
            at=row.at,
            kind=row.kind,
            title=title(row.kind, row.detail),
            actor=row.actor,
            detail=row.detail,
        )
        for row in page
    ]
    return EntryPage(items=items, next_cursor=cursor)
