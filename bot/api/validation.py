"""Pydantic's findings in Chinese, each at the field where it was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict

from bot.api.errors import ApiError, Failure, fail

MESSAGES: Mapping[str, str] = {
    "missing": "必填",
    "extra_forbidden": "没有这个字段，请删除",
    "string_type": "应为文字",
    "string_too_short": "至少 {min_length} 个字",
    "string_too_long": "最多 {max_length} 个字",
    "string_pattern_mismatch": "格式不正确",
    "string_unicode": "含有无效字符",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "int_from_float": "应为整数",
    "int_parsing_size": "数字过大",
    "bool_type": "应为 true 或 false",
    "bool_parsing": "应为 true 或 false",
    "list_type": "应为列表",
    "dict_type": "应为对象",
    "model_type": "应为对象",
    "model_attributes_type": "应为对象",
    "too_long": "最多 {max_length} 项",
    "too_short": "至少 {min_length} 项",
    "greater_than_equal": "不能小于 {ge}",
    "less_than_equal": "不能大于 {le}",
    "greater_than": "应大于 {gt}",
    "less_than": "应小于 {lt}",
    "enum": "应为其中之一：{expected}",
    "literal_error": "应为其中之一：{expected}",
    "timezone_aware": "时间必须带时区，例如 2026-01-31T09:00:00+08:00",
    "datetime_type": "应为时间，例如 2026-01-31T09:00:00+08:00",
    "datetime_parsing": "应为时间，例如 2026-01-31T09:00:00+08:00",
    "datetime_from_date_parsing": "应为时间，例如 2026-01-31T09:00:00+08:00",
    "datetime_object_invalid": "应为时间，例如 2026-01-31T09:00:00+08:00",
    "date_type": "应为日期，例如 2026-01-31",
    "date_parsing": "应为日期，例如 2026-01-31",
    "date_from_datetime_parsing": "应为日期，例如 2026-01-31",
    "date_from_datetime_inexact": "应为日期，例如 2026-01-31",
    "moment_out_of_range": "时间应在 2000 年至 2200 年之间",
    "control_characters": "含有不可见的控制字符",
    "blank": "不能为空白",
    "boundary": "应为日期或带时区的时间，例如 2026-01-31 或 2026-01-31T09:00:00+08:00",
    "repeated": "只能出现一次",
}

Model = TypeVar("Model", bound=BaseModel)


def read_json(model: type[Model], raw: bytes) -> Model:
    """The body as ``model``. Raises 400 when it is no JSON, 422 when it says something else than expected."""
    try:
        return model.model_validate_json(raw or b"{}", strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        if details[0]["type"] == "json_invalid":
            raise fail(400, "malformed_json", "请求内容不是有效的 JSON，请检查格式后重试") from None
        raise invalid(details) from None


def read_query(model: type[Model], args: MultiDict[str, str]) -> Model:
    """The query string as ``model``. A name given twice is refused: nobody can tell which one is meant."""
    repeated = {name: MESSAGES["repeated"] for name, values in args.lists() if len(values) > 1}
    if repeated:
        raise ApiError(failure(repeated))
    try:
        return model.model_validate_strings(args.to_dict(), strict=False)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False)) from None


def invalid(details: list[ErrorDetails]) -> ApiError:
    """422 that names each field once, with its first problem."""
    fields: dict[str, str] = {}
    for detail in details:
        fields.setdefault(_where(detail), _message(detail))
    return ApiError(failure(fields))


def failure(fields: Mapping[str, str]) -> Failure:
    """422 whose message tells the first few problems."""
    told = "；".join(f"{name} {text}" if name else text for name, text in list(fields.items())[:3])
    return Failure(422, "invalid", f"请求内容有误：{told}", fields)


def _where(detail: ErrorDetails) -> str:
    return ".".join(str(step) for step in detail["loc"])[:200] or "body"


def _message(detail: ErrorDetails) -> str:
    template = MESSAGES.get(detail["type"], "格式不正确")
    context: dict[str, Any] = detail.get("ctx", {})
    try:
        return template.format_map(context).replace(" or ", "、").replace(", ", "、")
    except KeyError:
        return "格式不正确"
