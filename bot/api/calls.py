"""/calls: what we owe the platform, what became of it, and trying again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from bot.api import paging
from bot.api.routes import Call, Routes
from bot.api.types import Answer, Id, Page, PageQuery, Text
from bot.redact import Redactor
from bot.wechat.errcodes_en import in_english
from bot.wechat.errors import explain
from scrm.errors import NotFound
from scrm.outbox import queries, service
from scrm.outbox.models import CallState, OutboxAttempt, OutboxCall, Recovery

routes = Routes("待发的调用")
CALL = "/calls/<call_id>"
_redactor = Redactor()


class CallOut(Answer):
    """One effect on the platform."""

    id: int
    created_at: datetime
    api: str
    state: CallState
    attempts: int
    errcode: int | None
    reason: str | None


class AttemptOut(Answer):
    """One time we opened a socket for a call."""

    n: int
    started_at: datetime
    finished_at: datetime | None
    errcode: int | None
    http_status: int | None
    bytes_sent: bool | None
    error: str | None


class ExplanationOut(Answer):
    """What an errcode means and what a person does next."""

    message: str
    next_step: str
    needs_admin: bool


class CallDetail(CallOut):
    """A call with its attempts and what its errcode means."""

    kind: str
    contact_id: str | None
    caused_by: int | None = Field(description="由哪个事件引起")
    available_at: datetime | None = Field(description="下次尝试的时间")
    expires_at: datetime | None
    done_at: datetime | None
    recovery: Recovery
    uncertain: bool
    command: dict[str, Any] = Field(description="要做的事，凭证已遮盖")
    history: list[AttemptOut]
    explanation: ExplanationOut | None


class CallPage(Page[CallOut]):
    """A page of calls."""


class CallQuery(PageQuery):
    """Which calls."""

    api: Annotated[Text, Field(max_length=64)] | None = Field(
        None, description="例如 externalcontact/mark_tag"
    )
    state: CallState | None = None
    contact: Id | None = Field(None, description="客户编号")


@routes.get("/calls", "待发与已发的调用，最新的在前", scope="calls.read")
def list_calls(call: Call, query: CallQuery) -> CallPage:
    """A page of calls."""
    before = paging.decode(query.cursor, int)[0] if query.cursor else None
    rows = queries.list_calls(
        call.session,
        before=before,
        limit=query.limit + 1,
        api=query.api,
        state=query.state,
        contact_id=query.contact,
    )
    page, cursor = paging.cut(rows, query.limit, lambda row: (row.id,))
    return CallPage(items=[call_out(row) for row in page], next_cursor=cursor)


@routes.get(CALL, "一个调用：每次尝试与错误说明", scope="calls.read")
def get_call(call: Call, call_id: int) -> CallDetail:
    """One call with its attempts."""
    row = call.session.get(OutboxCall, call_id)
    if row is None:
        raise NotFound("call_not_found", f"没有编号为 {call_id} 的调用")
    return _detail(row, queries.list_attempts(call.session, row.id))


@routes.post(f"{CALL}/retry", "重试失败或结果未知的调用", scope="calls.retry")
def retry_call(call: Call, call_id: int) -> CallOut:
    """A person wants the call made again."""
    return call_out(service.retry(call.session, call_id, now=call.now))


def call_out(row: OutboxCall) -> CallOut:
    """A call as lists show it."""
    return CallOut(**_fields(row))


def _fields(row: OutboxCall) -> dict[str, Any]:
    return {
        "id": row.id,
        "created_at": row.created_at,
        "api": row.api,
        "state": row.state,
        "attempts": row.attempts,
        "errcode": row.errcode,
        "reason": None if row.reason is None else _redactor.text(row.reason),
    }


def _detail(row: OutboxCall, attempts: list[OutboxAttempt]) -> CallDetail:
    return CallDetail(
        **_fields(row),
        kind=row.command_kind,
        contact_id=row.contact_id,
        caused_by=row.caused_by,
        available_at=row.available_at,
        expires_at=row.expires_at,
        done_at=row.done_at,
        recovery=row.recovery,
        uncertain=row.uncertain,
        command=_redactor.value(row.command),
        history=[_attempt(attempt) for attempt in attempts],
        explanation=explanation(row.errcode),
    )


def _attempt(row: OutboxAttempt) -> AttemptOut:
    return AttemptOut(
        n=row.n,
        started_at=row.started_at,
        finished_at=row.finished_at,
        errcode=row.errcode,
        http_status=row.http_status,
        bytes_sent=row.bytes_sent,
        error=None if row.error is None else _redactor.text(row.error),
    )


def explanation(errcode: int | None, language: str = "zh") -> ExplanationOut | None:
    """What the errcode means, in Chinese or English (``en``); None for none or success."""
    if not errcode:
        return None
    told = explain(errcode)
    if language == "en":
        message, next_step = in_english(errcode)
        return ExplanationOut(message=message, next_step=next_step, needs_admin=told.needs_admin)
    return ExplanationOut(message=told.message_zh, next_step=told.next_step_zh, needs_admin=told.needs_admin)
