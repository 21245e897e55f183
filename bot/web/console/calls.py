"""``/console/calls``: what we owed WeCom, what became of each, and trying one again."""

from __future__ import annotations

import json
from functools import partial

from flask import Response, request

from bot.api.calls import explanation
from bot.redact import Redactor
from bot.web.bidi import plain
from bot.web.console import changes, logs
from bot.web.console.door import Console, Visit, see_other
from bot.web.console.events import short
from bot.web.console.way import way_of_call
from scrm.errors import Conflict, NotFound
from scrm.outbox import queries, service
from scrm.outbox.models import CallState, OutboxCall

_redactor = Redactor()


def register(console: Console) -> None:
    """Put the pages at ``/console/calls``."""

    @console.get("/calls", "calls.read")
    def call_log(visit: Visit) -> Response:
        number = logs.wanted_number("q")
        if number is not None:
            return see_other(visit.url("call_page", call_id=number))
        return _list(visit)

    @console.get("/calls/<int:call_id>", "calls.read")
    def call_page(visit: Visit, call_id: int) -> Response:
        return _page(visit, call_id)

    @console.post("/calls/<int:call_id>/retry", "calls.retry")
    def retry_call_page(visit: Visit, call_id: int) -> Response:
        try:
            with visit.write() as session:
                service.retry(session, call_id, now=visit.now)
                visit.record(session, "call:retried", "call", str(call_id))
        except Conflict:
            return _page(visit, call_id, problem="call_not_now")
        visit.site.wake()
        return see_other(visit.url("call_page", call_id=call_id, done=1))


def _list(visit: Visit) -> Response:
    live = changes.watch(visit, "calls")
    api, state, before = logs.wanted("api"), logs.wanted_state(CallState), logs.wanted_number("before")
    with visit.read() as session:
        stuck = queries.count_stuck(session)
        rows = queries.list_calls(session, before=before, limit=logs.PAGE + 1, api=api or None, state=state)
    return visit.page(
        "console/calls.html",
        live=None if before else live,
        rows=rows[: logs.PAGE],
        more=rows[logs.PAGE - 1].id if len(rows) > logs.PAGE else None,
        before=before,
        api=api,
        state=state.value if state else None,
        states=[one.value for one in CallState],
        stuck={one.value: stuck.get(one.value, 0) for one in (CallState.FAILED, CallState.UNKNOWN)},
        moment=visit.calendar.moment,
        short=short,
        explanation=partial(explanation, language=visit.t.language),
        reason=partial(logs.reason, visit),
        named=partial(logs.named, visit, "api"),
    )


def _page(visit: Visit, call_id: int, *, problem: str = "") -> Response:
    live = changes.watch(visit, "call", call_id)
    with visit.read() as session:
        row = session.get(OutboxCall, call_id)
        if row is None:
            raise NotFound("call_not_found", f"没有编号为 {call_id} 的调用")
        lines = way_of_call(visit, session, row)
    waits = row.state is CallState.UNKNOWN and row.available_at is None
    is_stuck = row.state is CallState.FAILED or waits
    in_time = row.expires_at is None or row.expires_at > visit.now
    command = json.dumps(_redactor.value(row.command), ensure_ascii=False, indent=2)
    return visit.page(
        "console/call.html",
        409 if problem else 200,
        live=live,
        row=row,
        at=visit.calendar.moment(row.created_at),
        why=visit.t.find(f"outbox_{row.state.value}_why"),
        told=explanation(row.errcode, visit.t.language),
        reason=logs.reason(visit, short(row.reason)),
        api=logs.named(visit, "api", row.api),
        command=plain(command),
        way=lines,
        can_retry=is_stuck and in_time and visit.may("calls.retry"),
        is_done=request.args.get("done") == "1",
        problem=problem and visit.t(problem),
    )
