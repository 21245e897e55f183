"""/events: what the platform told us, what came of it, and running it again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from bot.api import paging
from bot.api.calls import CallOut, call_out
from bot.api.routes import Call, Routes
from bot.api.types import Answer, Page, PageQuery, Text
from bot.redact import Redactor
from scrm.errors import NotFound
from scrm.inbox import queries, service
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox.queries import list_caused

routes = Routes("收到的事件")
EVENT = "/events/<event_id>"
_redactor = Redactor()


class EventOut(Answer):
    """One thing that happened."""

    id: int
    received_at: datetime
    kind: str
    state: EventState
    attempts: int
    error: str | None


class EventDetail(EventOut):
    """An event with what it said and what it caused."""

    source: str
    sent_at: datetime | None
    done_at: datetime | None
    request_id: str | None
    caused_by_call: int | None = Field(description="这条事件是哪个调用的结果")
    payload: str | None = Field(description="解密后的内容，凭证与电话已遮盖；超过保存期后为 null")
    calls: list[CallOut] = Field(description="这条事件引起的调用")


class EventPage(Page[EventOut]):
    """A page of events."""


class EventQuery(PageQuery):
    """Which events."""

    kind: Annotated[Text, Field(max_length=96)] | None = Field(
        None, description="例如 wecom.change_external_contact.add_external_contact"
    )
    state: EventState | None = None


@routes.get("/events", "收到的事件，最新的在前", scope="events.read")
def list_events(call: Call, query: EventQuery) -> EventPage:
    """A page of events."""
    before = paging.decode(query.cursor, int)[0] if query.cursor else None
    rows = queries.list_events(
        call.session, before=before, limit=query.limit + 1, kind=query.kind, state=query.state
    )
    page, cursor = paging.cut(rows, query.limit, lambda row: (row.id,))
    return EventPage(items=[EventOut(**_fields(row)) for row in page], next_cursor=cursor)


@routes.get(EVENT, "一个事件：内容与它引起的调用", scope="events.read")
def get_event(call: Call, event_id: int) -> EventDetail:
    """One event, its payload with secrets masked."""
    row = call.session.get(InboxEvent, event_id)
    if row is None:
        raise NotFound("event_not_found", f"没有编号为 {event_id} 的事件")
    return EventDetail(
        **_fields(row),
        source=row.source,
        sent_at=row.sent_at,
        done_at=row.done_at,
        request_id=row.request_id,
        caused_by_call=row.caused_by_call,
        payload=None if row.payload is None else _redactor.text(row.payload),
        calls=[call_out(made) for made in list_caused(call.session, row.id)],
    )


@routes.post(
    f"{EVENT}/replay",
    "重放一个事件",
    scope="events.replay",
    note="已生效的动作不会重复：它们的键不变。",
)
def replay_event(call: Call, event_id: int) -> EventOut:
    """Run an event again."""
    return EventOut(**_fields(service.replay(call.session, event_id, now=call.now)))


def _fields(row: InboxEvent) -> dict[str, object]:
    error = None if row.error is None else _redactor.text(row.error)
    return {
        "id": row.id,
        "received_at": row.received_at,
        "kind": row.kind,
        "state": row.state,
        "attempts": row.attempts,
        "error": error,
    }
