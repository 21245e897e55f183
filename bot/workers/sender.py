"""Makes one owed call and says what came of it. Never touches the state machine: that is ``scrm.outbox``'s."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from bot.wechat.errors import (
    AlreadyDone,
    NotSent,
    OutcomeUnknown,
    QuotaSpent,
    Retryable,
    TokenInvalid,
    WeChatError,
)
from bot.wechat.transport import Timeout
from bot.workers.limits import Admission, Gate, Reason
from scrm.outbox import service as outbox
from scrm.outbox.commands import (
    WELCOME_CODE_TTL,
    WELCOME_DEADLINE,
    Command,
    DeleteCorpTags,
    SendWelcome,
    from_json,
)
from scrm.outbox.models import OutboxCall, Recovery
from scrm.outbox.service import Outcome, Verdict

log = structlog.get_logger(__name__)

GIVE_UP_AFTER = timedelta(hours=24)  # a platform that stays unreachable this long fails the call
PATIENCE = 2.0  # seconds a sender waits for a place before it gives the call back
WELCOME_RETRY = timedelta(seconds=1)
CODE_DEAD_AFTER = WELCOME_CODE_TTL - WELCOME_DEADLINE + timedelta(seconds=2)  # counted from our deadline
CODE_DEAD = 41050  # errcode: the welcome code is unknown or older than 20 s (path/90313)


class Client(Protocol):
    """The part of ``bot.wechat.wecom.WeComClient`` that senders use."""

    def call(
        self,
        api: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        secret: str = "contact",
        timeout: Timeout = ...,
    ) -> dict[str, Any]: ...

    def upload_media(self, kind: Any, filename: str, data: bytes) -> Any: ...


@dataclass(frozen=True)
class Attempt:
    """What one attempt came to; ``profile`` is an externalcontact/get answer read on the way."""

    outcome: Outcome
    profile: dict[str, Any] | None = None


class Gated:
    """Calls through the gate: waits a little for a place, reports each result back."""

    def __init__(self, client: Client, gate: Gate, clock: Callable[[], datetime]) -> None:
        self.client = client
        self.gate = gate
        self.clock = clock

    def admitted(self, api: str, priority: int, patience: float = PATIENCE) -> Admission:
        """Ask the gate, waiting up to ``patience`` seconds while it is only crowded."""
        end = time.monotonic() + patience
        while True:
            admission = self.gate.admit(api, priority, self.clock())
            crowded = admission.reason is Reason.CONCURRENCY and time.monotonic() < end
            if admission.granted or not crowded:
                return admission
            time.sleep(0.02)

    def run(self, api: str, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Make an admitted call. Raises what the client raises."""
        try:
            answer = call()
        except WeChatError as error:
            self.gate.done(api, error)
            raise
        except BaseException:
            self.gate.release(api)
            raise
        self.gate.done(api, None)
        return answer


class Sender:
    """Turns a claimed row into a call. One per process; safe for many threads."""

    def __init__(self, gated: Gated, special: Mapping[type[Command], Callable[..., Attempt]]) -> None:
        self._gated = gated
        self._special = special  # commands that are more than one call

    def attempt(self, row: OutboxCall) -> Attempt:
        """Make the call if it is still wanted and allowed. Never raises for what the platform does."""
        late = too_late(row, self._gated.clock())
        if late is not None:
            return Attempt(late)
        command = from_json(row.command_kind, row.command)
        special = self._special.get(type(command))
        admission = self._gated.admitted(row.api, row.priority)
        if not admission.granted:
            return Attempt(paused(admission))
        try:
            if special is not None:
                return special(row, command)
            answer = self._gated.run(row.api, lambda: self._call(row, command))
        except WeChatError as error:
            return Attempt(verdict_of(row, command, error, self._gated.clock()))
        return Attempt(sent(answer))

    def _call(self, row: OutboxCall, command: Command) -> dict[str, Any]:
        client, secret = self._gated.client, command.secret
        if command.method == "GET":
            return client.call(row.api, params=command.request(), secret=secret)
        body = row.request if row.request is not None else outbox.request_text(command)
        return client.call(row.api, body.encode(), secret=secret)


def too_late(row: OutboxCall, now: datetime) -> Outcome | None:
    """What becomes of a call that would be late; None where it may be made.

    A welcome that may have gone out is asked about once its code is surely dead: the platform then says whether
    the code was used, and can greet nobody any more. A repeat that the platform would no longer take for the same
    call is left to a person.
    """
    if (
        row.uncertain
        and row.recovery is Recovery.WINDOW
        and (not row.repeat_until or now >= row.repeat_until)
    ):
        return Outcome(Verdict.UNKNOWN, reason="前一次结果未知，平台已不再去重，请人工核对后决定是否重发")
    if row.expires_at is None or now < row.expires_at:
        return None
    if not row.uncertain:
        return Outcome(Verdict.EXPIRED, reason="超过有效期，未发送")
    ask_at = row.expires_at + CODE_DEAD_AFTER
    if now < ask_at:
        return Outcome(Verdict.PAUSED, reason="前一次结果未知，凭证失效后核对", retry_at=ask_at)
    return None


def sent(answer: dict[str, Any], reason: str | None = None) -> Outcome:
    """The platform said yes."""
    return Outcome(Verdict.SENT, errcode=0, http_status=200, bytes_sent=True, answer=answer, reason=reason)


def paused(admission: Admission) -> Outcome:
    """The gate said not now; no byte was sent."""
    return Outcome(
        Verdict.PAUSED,
        reason=f"限流：{admission.reason.value}",
        retry_at=admission.retry_at,
        bytes_sent=False,
    )


def verdict_of(row: OutboxCall, command: Command, error: WeChatError, now: datetime) -> Outcome:
    """What an error of the client means for the row."""
    reason = error.explanation.message_zh
    base = Outcome(
        Verdict.REFUSED,
        errcode=error.errcode,
        http_status=error.http_status,
        bytes_sent=not isinstance(error, NotSent),
        reason=f"{reason}（{error.errcode}）" if error.errcode is not None else reason,
    )
    match error:
        case NotSent():
            return _unreachable(row, base, now)
        case OutcomeUnknown() if command.is_read:
            return replace(base, verdict=Verdict.LATER)
        case OutcomeUnknown():
            return replace(base, verdict=Verdict.UNKNOWN)
        case QuotaSpent():
            return replace(base, verdict=Verdict.PAUSED, retry_at=now + error.after)
        case TokenInvalid():
            return replace(base, verdict=Verdict.LATER)
        case Retryable() if error.tries is None or row.attempts < error.tries:
            wait = min(error.after, WELCOME_RETRY) if row.expires_at else error.after
            return replace(base, verdict=Verdict.LATER, retry_at=now + wait)
        case AlreadyDone():
            return _already(row, command, base)
        case _ if error.errcode == CODE_DEAD and isinstance(command, SendWelcome):
            return replace(base, verdict=Verdict.EXPIRED)
    return base


def _unreachable(row: OutboxCall, base: Outcome, now: datetime) -> Outcome:
    """Nothing was sent: wait without counting the attempt, ever longer, for a day at most."""
    age = now - row.created_at
    if age > GIVE_UP_AFTER:
        return base
    wait = min(max(age / 4, timedelta(seconds=0.5)), timedelta(minutes=5))
    if row.expires_at is not None:
        wait = WELCOME_RETRY
    return replace(base, verdict=Verdict.PAUSED, retry_at=now + wait)


def _already(row: OutboxCall, command: Command, base: Outcome) -> Outcome:
    """The platform's state already is what we want, or can never become it."""
    if isinstance(command, DeleteCorpTags):
        return replace(base, verdict=Verdict.SENT, reason="平台上已不存在，视为完成")
    if isinstance(command, SendWelcome) and row.uncertain:
        return replace(base, verdict=Verdict.SENT, reason="presumed_sent：前一次结果未知，平台答复已发过")
    return base
