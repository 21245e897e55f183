"""The two kinds of refusal: the platform's (errcode) and the sandbox's own control interface (HTTP status)."""

from __future__ import annotations

import secrets
import time
from typing import Any

# Texts as the platform writes them where known; clients must decide on errcode alone (path/90313).
ERRMSG = {
    -1: "system busy",
    40001: "invalid credential",
    40003: "invalid userid",
    40004: "invalid media type",
    40005: "invalid type param",
    40006: "invalid media size",
    40007: "invalid media_id",
    40008: "invalid message type",
    40009: "invalid image",
    40013: "invalid corpid",
    40014: "invalid access_token",
    40029: "invalid code",
    40031: "invalid userid list",
    40032: "invalid userid list size",
    40033: "invalid charset, please check the raw utf-8 body",
    40035: "invalid parameter",
    40050: "invalid chatid",
    40056: "invalid agentid",
    40058: "invalid parameter",
    40063: "empty parameter",
    40066: "invalid party list",
    40068: "invalid tagid",
    40071: "tag name existed",
    40072: "invalid tag name length",
    40096: "invalid external_userid",
    40100: "customer is being transferred",
    40126: "too many corp tags",
    40128: "customer transferred too often",
    40129: "customer is being transferred",
    40130: "handover user is the takeover user",
    40131: "handover user is not the customer's follower",
    41001: "access_token missing",
    41002: "corpid missing",
    41004: "corpsecret missing",
    41006: "media_id missing",
    41008: "oauth code missing",
    41037: "missing contact way type",
    41038: "missing contact way scene",
    41039: "invalid contact way type",
    41040: "invalid contact way scene",
    41041: "too many users in contact way",
    41042: "invalid contact way style",
    41043: "missing contact way config_id",
    41044: "invalid contact way config_id",
    41045: "contact way num exceed limit",
    41049: "missing welcome code",
    41050: "invalid welcome code",
    41051: "customer already received welcome msg or chat has started",
    41054: "user is not active",
    41064: "too many attachments",
    41065: "invalid attachment type",
    41096: "welcome msg is being distributed",
    42001: "access_token expired",
    42003: "oauth code expired",
    42022: "oauth code already used",
    44001: "empty media data",
    44004: "empty content",
    45001: "media size out of limit",
    45002: "content size out of limit",
    45008: "article size out of limit",
    45009: "api freq out of limit",
    45033: "api concurrent out of limit",
    48002: "api forbidden",
    49008: "chat is dismissed",
    50001: "redirect_uri domain mismatch",
    60003: "department not found",
    60011: "no privilege to access/modify contact/party/agent",
    60111: "userid not found",
    81013: "user & party & tag all invalid",
    81017: "too many owners, owner_filter needed",
    82001: "user & party & tag all empty",
    84061: "not external contact",
    84074: "no external contact permission",
    91040: "invalid ticket type",
    301002: "not allow operate another agent with this accesstoken",
}


class ApiError(Exception):
    """A platform call is refused; nothing it did stays. ``fields`` are added to the answer."""

    def __init__(self, errcode: int, detail: str = "", **fields: Any) -> None:
        super().__init__(errcode, detail)
        self.errcode = errcode
        self.detail = detail
        self.fields = fields


def error_text(errcode: int, detail: str = "", *, ip: str = "127.0.0.1", bad_json: bool = False) -> str:
    """The platform's errmsg: text, a hint for its support, the caller's address, a link."""
    text = ERRMSG.get(errcode, "error")
    if detail:
        text = f"{text} ({detail})"
    if bad_json:
        text = f"Warning: wrong json format. {text}"
    hint = f"{int(time.time())}{secrets.randbelow(10**15):015d}"
    return (
        f"{text}, hint: [{hint}], from ip: {ip}, "
        f"more info at https://open.work.weixin.qq.com/devtool/query?e={errcode}"
    )


class ControlError(Exception):
    """A control call is refused: HTTP status, a code for programs, a Chinese message for the person."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
