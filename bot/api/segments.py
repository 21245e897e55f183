"""/segments: filters of the customer list that people keep under a name and share."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from bot.api import paging
from bot.api.routes import Call, Routes
from bot.api.types import Answer, Page, PageQuery
from scrm.segments import service

routes = Routes("客户")


class SegmentOut(Answer):
    """A filter under a name."""

    id: str
    name: str
    query: dict[str, str] = Field(description="控制台客户列表地址中的条件：参数 → 值")
    created_at: datetime
    updated_at: datetime


class SegmentPage(Page[SegmentOut]):
    """A page of segments."""


@routes.get("/segments", "共享的人群", scope="contacts.read", note="只有共享的人群；个人的只在控制台可见。")
def list_segments(call: Call, query: PageQuery) -> SegmentPage:
    """Shared ones, oldest first."""
    after = paging.decode(query.cursor, str)[0] if query.cursor else ""
    rows = service.list_shared(call.session, after=after, limit=query.limit + 1)
    page, cursor = paging.cut(rows, query.limit, lambda row: (row.id,))
    items = [
        SegmentOut(
            id=row.id,
            name=row.name,
            query=service.asked_for(row),
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in page
    ]
    return SegmentPage(items=items, next_cursor=cursor)
