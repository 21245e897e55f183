"""/trace: everything between a scan and its last effect, in order, for the sandbox's page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.api.routes import Call, Routes
from bot.api.types import Answer, Line, Page, Query
from bot.redact import Redactor
from bot.wechat.errors import explain
from scrm.contacts.models import Contact
from scrm.contacts.service import find_by_external_userid
from scrm.inbox.models import EventState, InboxEvent
from scrm.outbox.models import CallState, OutboxAttempt, OutboxCall
from scrm.timeline.models import TimelineEntry
from scrm.timeline.rules import title

routes = Routes("链路")
MOST = 200  # rows of each kind, the newest
_redactor = Redactor()


class Step(StrEnum):
    """What happened, in the order it goes through the program."""

    RECEIVED = "received"
    QUARANTINED = "quarantined"
    HANDLED = "handled"
    IGNORED = "ignored"
    DEAD = "dead"
    CHANGED = "changed"
    ENQUEUED = "enqueued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    SKIPPED = "skipped"


ORDER = {step: number for number, step in enumerate(Step)}  # among things of the same instant


class TraceItem(Answer):
    """One step."""

    at: datetime
    step: Step
    title: str
    detail: str | None
    event_id: int | None
    call_id: int | None
    state: str | None = Field(description="该事件或调用现在的状态")
    ms_since_start: int


class TracePage(Page[TraceItem]):
    """All steps, oldest first."""


class TraceQuery(Query):
    """Whose trace."""

    external_userid: Annotated[Line, Field(max_length=64)] = Field(description="企业微信的 external_userid")


@dataclass(frozen=True)
class Found:
    """A step before it is shown."""

    at: datetime
    step: Step
    title: str
    detail: str | None = None
    event_id: int | None = None
    call_id: int | None = None
    state: str | None = None


EVENTS = {
    "add_external_contact": "客户添加员工",
    "add_half_external_contact": "客户添加员工（待通过）",
    "edit_external_contact": "员工修改客户信息",
    "del_external_contact": "员工删除客户",
    "del_follow_user": "客户删除员工",
    "transfer_fail": "客户转接失败",
}
CALLS = {
    "SendWelcome": "发送欢迎语",
    "FetchContact": "读取客户资料",
    "MarkTags": "打标签",
    "SetRemark": "修改备注",
    "NotifyStaff": "通知员工",
}
OUTCOMES = {
    CallState.SENT: "成功",
    CallState.FAILED: "失败",
    CallState.UNKNOWN: "结果未知",
    CallState.EXPIRED: "已过期，不再发送",
    CallState.SKIPPED: "无需发送",
}


@routes.get("/trace", "一位客户从扫码到最后一个动作的全过程", scope="events.read")
def get_trace(call: Call, query: TraceQuery) -> TracePage:
    """Every step, oldest first; empty for somebody we never heard of."""
    contact = find_by_external_userid(call.session, query.external_userid)
    calls = _calls(call.session, contact)
    events = _events(call.session, query.external_userid, calls)
    found = [step for event in events for step in steps_of_event(event)]
    found += [step for entry in _entries(call.session, contact) for step in steps_of_entry(entry)]
    attempts = attempts_of(call.session, calls)
    found += [step for row in calls for step in steps_of_call(row, attempts.get(row.id, []))]
    found.sort(key=lambda step: (step.at, ORDER[step.step], step.call_id or 0, step.event_id or 0))
    start = found[0].at if found else call.now
    return TracePage(items=[_item(step, start) for step in found])


def _item(step: Found, start: datetime) -> TraceItem:
    return TraceItem(
        at=step.at,
        step=step.step,
        title=step.title,
        detail=step.detail,
        event_id=step.event_id,
        call_id=step.call_id,
        state=step.state,
        ms_since_start=int((step.at - start).total_seconds() * 1000),
    )


def _events(session: Session, external_userid: str, calls: Sequence[OutboxCall]) -> list[InboxEvent]:
    """The contact's callbacks, and the answers to its calls: by lane, which is indexed."""
    lanes = {f"contact:{external_userid}"[:80], *(row.lane for row in calls if row.lane)}
    ids = [row.id for row in calls]
    query = (
        select(InboxEvent)
        .where(InboxEvent.lane.in_(lanes))
        .where(or_(InboxEvent.caused_by_call.is_(None), InboxEvent.caused_by_call.in_(ids)))
        .order_by(InboxEvent.id.desc())
        .limit(MOST)
    )
    return list(session.scalars(query))


def _calls(session: Session, contact: Contact | None) -> list[OutboxCall]:
    if contact is None:
        return []
    query = select(OutboxCall).where(OutboxCall.contact_id == contact.id).order_by(OutboxCall.id.desc())
    return list(session.scalars(query.limit(MOST)))


def attempts_of(session: Session, calls: Sequence[OutboxCall]) -> dict[int, list[OutboxAttempt]]:
    """The attempts at these calls, by call, in order."""
    found: dict[int, list[OutboxAttempt]] = {}
    query = select(OutboxAttempt).where(OutboxAttempt.outbox_id.in_([row.id for row in calls]))
    for attempt in session.scalars(query.order_by(OutboxAttempt.n)) if calls else ():
        found.setdefault(attempt.outbox_id, []).append(attempt)
    return found


def _entries(session: Session, contact: Contact | None) -> list[TimelineEntry]:
    if contact is None:
        return []
    query = select(TimelineEntry).where(TimelineEntry.contact_id == contact.id)
    order = query.order_by(TimelineEntry.at.desc(), TimelineEntry.id.desc())
    return list(session.scalars(order.limit(MOST)))


def steps_of_event(event: InboxEvent) -> Iterable[Found]:
    """An event's coming in and its end."""
    name = _event_name(event)
    state = event.state.value
    held = event.state is EventState.QUARANTINED
    step = Step.QUARANTINED if held else Step.RECEIVED
    yield Found(event.received_at, step, f"收到：{name}", event.kind, event_id=event.id, state=state)
    done = {EventState.DONE: Step.HANDLED, EventState.IGNORED: Step.IGNORED, EventState.DEAD: Step.DEAD}
    if event.done_at is not None and event.state in done:
        told = {Step.HANDLED: "已处理", Step.IGNORED: "无需处理", Step.DEAD: "处理失败"}[done[event.state]]
        error = (
            None
            if event.error is None
            else _redactor.text(event.error.splitlines()[-1] if event.error else "")
        )
        yield Found(
            event.done_at, done[event.state], f"{told}：{name}", error, event_id=event.id, state=state
        )


def _event_name(event: InboxEvent) -> str:
    if event.kind.startswith("answer."):
        return f"{event.kind.removeprefix('answer.')} 的返回结果"
    return EVENTS.get(event.kind.rsplit(".", 1)[-1], event.kind)


def steps_of_entry(entry: TimelineEntry, locale: str = "zh_CN") -> Iterable[Found]:
    """What changed in the domain; outcomes of calls are told by the calls themselves."""
    if "call_id" not in entry.detail:
        yield Found(entry.at, Step.CHANGED, title(entry.kind, entry.detail, locale), entry.kind)


def steps_of_call(row: OutboxCall, attempts: Sequence[OutboxAttempt]) -> Iterable[Found]:
    """A call from the moment it was owed to its outcome."""
    name, state = CALLS.get(row.command_kind, row.api), row.state.value
    cause = row.caused_by
    yield Found(row.created_at, Step.ENQUEUED, f"待办：{name}", row.api, cause, row.id, state)
    for attempt in attempts:
        number = f"第 {attempt.n} 次" if attempt.n > 1 else None
        yield Found(attempt.started_at, Step.SENDING, f"正在{name}", number, cause, row.id, state)
    ended = row.done_at or (attempts[-1].finished_at if attempts and row.state is CallState.UNKNOWN else None)
    if ended is not None and row.state in OUTCOMES:
        outcome = Step(row.state.value)
        yield Found(ended, outcome, f"{name}：{OUTCOMES[row.state]}", _reason(row), cause, row.id, state)


def _reason(row: OutboxCall) -> str | None:
    if row.errcode:
        return f"{explain(row.errcode).message_zh}（{row.errcode}）"
    return None if row.reason is None else _redactor.text(row.reason)
