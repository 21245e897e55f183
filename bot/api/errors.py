"""Every error of the API in one form, and the one place where domain errors meet HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from bot.api.types import Answer
from scrm.errors import Conflict, Invalid, NotFound, Refused, ScrmError

log = structlog.get_logger(__name__)

HTTP_ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "请求无法解析，请检查格式后重试"),
    401: ("unauthorized", "请在 Authorization 请求头中提供有效的令牌：Bearer lk_..."),
    403: ("forbidden", "这个令牌没有此项权限，请换用有权限的令牌"),
    404: ("not_found", "没有这个地址，请对照 /api/v1/docs 检查"),
    405: ("method_not_allowed", "该地址不支持这种请求方法，请对照 /api/v1/docs 检查"),
    413: ("too_large", "请求内容过大（JSON 上限 1 MiB，素材上限 25 MiB），请缩小后重试"),
    415: (
        "unsupported_media_type",
        "请使用 Content-Type: application/json（上传素材用 multipart/form-data）",
    ),
    500: ("internal", "服务器内部错误，请稍后重试；仍然出现时请把 request_id 发给技术支持"),
    503: ("unavailable", "数据库暂时不可用，请稍后重试"),
}


class ErrorBody(Answer):
    """What went wrong, for a program (``code``), a person (``message``) and support (``request_id``)."""

    code: str
    message: str
    request_id: str
    fields: dict[str, str]


class ErrorAnswer(Answer):
    """The form of every answer from 400 on."""

    error: ErrorBody


@dataclass(frozen=True)
class Failure:
    """An error as it will be answered."""

    status: int
    code: str
    message: str
    fields: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request_id: str) -> ErrorAnswer:
        told = ErrorBody(
            code=self.code, message=self.message, request_id=request_id, fields=dict(self.fields)
        )
        return ErrorAnswer(error=told)


class ApiError(Exception):
    """An error that only exists in HTTP: the token, the path, the body's form."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.code)
        self.failure = failure


def http_failure(status: int, *, headers: Mapping[str, str] | None = None) -> Failure:
    """The error of an HTTP status that needs no more words."""
    code, message = HTTP_ERRORS.get(status, HTTP_ERRORS[400])
    return Failure(status, code, message, headers=headers or {})


def fail(status: int, code: str, message: str, fields: Mapping[str, str] | None = None) -> ApiError:
    """An error to raise."""
    return ApiError(Failure(status, code, message, fields or {}))


def failure_of(error: Exception) -> Failure:
    """How to answer an exception; what is not foreseen is logged and answered without internals."""
    match error:
        case ApiError():
            return error.failure
        case ScrmError():
            return Failure(_status(error), error.code, error.message, error.fields)
        case HTTPException() if error.code is not None:
            return http_failure(error.code)
        case OperationalError():
            log.error("api_database_unavailable", exc_info=error)
            return http_failure(503, headers={"Retry-After": "5"})
        case _:
            log.error("api_unexpected_error", exc_info=error)
            return http_failure(500)


def _status(error: ScrmError) -> int:
    match error:
        case NotFound():
            return 404
        case Invalid():
            return 422
        case Conflict() | Refused():
            return 409
        case _:
            return 500
