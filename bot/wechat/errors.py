"""What can go wrong when we call WeChat, as one tree made from one table.

    WeChatError                  errcode, errmsg, hint, api, http_status; `explanation` for screens
    ├── PlatformError            the platform answered and did nothing: no effect, for sure
    │   ├── Retryable            the same call may succeed later: `after`, `tries`
    │   ├── Permanent            the same bytes will be refused for ever (or until an admin acts: `needs_admin`)
    │   ├── TokenInvalid         refused even after one refresh and one replay; no effect
    │   │   └── CredentialsRefused   gettoken itself was refused: wrong corp id, secret or IP; nothing was sent
    │   ├── QuotaSpent           pause this API for `after`; the try does not count as an attempt
    │   └── AlreadyDone          the platform's state already is so, or can never become so; nothing left to do.
    │                            Not always a success: 84061 means the customer left. The caller decides per API
    └── TransportError           no usable answer
        ├── NotSent              no byte of the request left us: no effect, for sure
        └── OutcomeUnknown       bytes left us and no proof came back: timeout, reset, cut body, HTTP 5xx,
                                 not JSON, errcode -1. Never repeat blindly unless the API dedupes

Codes come from `bot.wechat.errcodes`. A code that is not in the table becomes `Retryable` with
`tries = UNKNOWN_CODE_TRIES` and `known = False`, so that it can be counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from bot.wechat.errcodes import RULES, Kind, Rule
from bot.wechat.redaction import scrub

UNKNOWN_CODE_AFTER = timedelta(seconds=30)
UNKNOWN_CODE_TRIES = 3
RETRY_AFTER = timedelta(seconds=5)  # when neither the table nor the caller says otherwise
QUOTA_AFTER = timedelta(seconds=60)  # the shortest block window, path/90312

_HINT = re.compile(r"hint:\s*\[([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What to show a person: what happened, what to do next, and whether an admin must do it."""

    message_zh: str
    next_step_zh: str
    needs_admin: bool


class WeChatError(Exception):
    """A call to WeChat did not end with errcode 0. The text never contains a token or a secret."""

    def __init__(
        self,
        errcode: int | None = None,
        errmsg: str = "",
        hint: str = "",
        *,
        api: str = "",
        http_status: int | None = None,
    ) -> None:
        self.errcode = errcode
        self.errmsg = scrub(errmsg)
        self.hint = hint
        self.api = api
        self.http_status = http_status
        super().__init__(errcode, self.errmsg, hint)

    def __str__(self) -> str:
        parts = [self.api or "wechat", type(self).__name__]
        if self.errcode is not None:
            parts.append(f"errcode={self.errcode}")
        elif self.http_status is not None:
            parts.append(f"http={self.http_status}")
        return f"{' '.join(parts)}: {self.errmsg}"

    @property
    def explanation(self) -> Explanation:
        """What happened and what to do next, in Chinese."""
        if self.errcode is None:
            return _HTTP_REFUSAL
        return explain(self.errcode)

    @property
    def needs_admin(self) -> bool:
        """True if nothing but a change of settings will help."""
        return self.explanation.needs_admin


class PlatformError(WeChatError):
    """The platform refused: the call had no effect."""

    @property
    def known(self) -> bool:
        """False if the errcode is not in our table: count it, and add it."""
        return self.errcode is None or self.errcode in RULES


class Retryable(PlatformError):
    """The same call may succeed after `after`. `tries` caps the attempts in all; None leaves it to the worker."""

    after: timedelta = RETRY_AFTER
    tries: int | None = None


class Permanent(PlatformError):
    """The same bytes will be refused again. `needs_admin` tells a setting from a mistake in the content."""


class TokenInvalid(PlatformError):
    """The token was refused, also after one refresh. Trying later is safe."""


class CredentialsRefused(TokenInvalid):
    """gettoken refused corp id, secret or IP, so the call itself was never sent."""

    @property
    def explanation(self) -> Explanation:
        told = super().explanation
        return Explanation(told.message_zh, told.next_step_zh, needs_admin=True)


class QuotaSpent(PlatformError):
    """The API's quota is spent: pause it for `after`, count no attempt."""

    after: timedelta = QUOTA_AFTER


class AlreadyDone(PlatformError):
    """Nothing is left to do. Whether that is a success or a skip depends on the API, so the caller decides."""


class TransportError(WeChatError):
    """No usable answer came back."""


class NotSent(TransportError):
    """Connection refused, no such host, TLS failure, connect timeout: the platform saw no byte of the request."""

    @property
    def explanation(self) -> Explanation:
        return _NOT_SENT


class OutcomeUnknown(TransportError):
    """The request left us and its effect is not known. Read back, or ask a person; do not repeat blindly."""

    @property
    def explanation(self) -> Explanation:
        return _UNKNOWN


_HTTP_REFUSAL = Explanation(
    "企业微信拒绝了请求（HTTP 错误）", "请管理员检查 api_base 是否正确，以及网络代理设置", needs_admin=True
)
_NOT_SENT = Explanation(
    "无法连接企业微信服务器，请求未发出", "系统会自动重试；若持续出现请检查服务器网络", needs_admin=False
)
_UNKNOWN = Explanation(
    "请求已发出但没有收到明确结果", "系统会先核对再决定是否重试，请勿手动重复操作", needs_admin=False
)
_CLASSES: dict[Kind, type[WeChatError]] = {
    Kind.RETRYABLE: Retryable,
    Kind.PERMANENT: Permanent,
    Kind.TOKEN_INVALID: TokenInvalid,
    Kind.QUOTA_SPENT: QuotaSpent,
    Kind.ALREADY_DONE: AlreadyDone,
    Kind.OUTCOME_UNKNOWN: OutcomeUnknown,
}


def explain(errcode: int) -> Explanation:
    """Return what an errcode means for a person. Unknown codes get a general text with the number."""
    rule = RULES.get(errcode)
    if rule is None:
        return Explanation(
            f"企业微信返回了未收录的错误码 {errcode}",
            "系统会重试几次；若仍失败请把错误码发给技术支持",
            needs_admin=False,
        )
    return Explanation(rule.message_zh, rule.next_step_zh, rule.needs_admin)


def error_for(errcode: int, errmsg: str, *, api: str = "", http_status: int | None = 200) -> WeChatError:
    """Make the error for a non-zero errcode; the platform's hint is kept for its support desk."""
    found = _HINT.search(errmsg)
    hint = found.group(1) if found else ""
    rule = RULES.get(errcode, _UNKNOWN_CODE)
    error = _CLASSES[rule.kind](errcode, errmsg, hint, api=api, http_status=http_status)
    if isinstance(error, Retryable):
        error.after, error.tries = rule.after or RETRY_AFTER, rule.tries
    elif isinstance(error, QuotaSpent):
        error.after = rule.after or QUOTA_AFTER
    return error


_UNKNOWN_CODE = Rule(Kind.RETRYABLE, "", "", after=UNKNOWN_CODE_AFTER, tries=UNKNOWN_CODE_TRIES)
