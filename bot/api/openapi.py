"""The OpenAPI 3.1 document, made from the routes: what is documented is what runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from bot.api.errors import HTTP_ERRORS, ErrorAnswer
from bot.api.routes import Route
from bot.api.types import NoBody

TITLE, VERSION = "联客 REST API", "1.0.0"
DESCRIPTION = """\
所有请求都带 `Authorization: Bearer lk_...`。
列表按游标翻页：把 `next_cursor` 原样放进下一次请求的 `cursor`，为 null 时到底。
每个 POST 都可以带 `Idempotency-Key`：7 天内重复发送同一请求只生效一次，并得到同一个回答。
时间一律为 RFC 3339 的 UTC 时间；金额以分为单位（`_fen`）。
出错时回答 `{"error": {"code", "message", "request_id", "fields"}}`。"""
_PART = re.compile(r"<(\w+)>")
NUMBER: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
ID: dict[str, Any] = {"type": "string", "pattern": "^[0-9A-Z]{26}$"}
SPECIFIC = {404: "没有这一项，或没有这个地址", 409: "与现状冲突，见 message", 422: "内容有误，见 fields"}
_COMPONENT = "#/components/schemas/{model}"
_HEADERS = {"X-Request-Id": {"description": "请求编号，报障时请提供", "schema": {"type": "string"}}}


def build(routes: Sequence[Route], *, prefix: str) -> dict[str, Any]:
    """The document for these routes, mounted at ``prefix``."""
    models = _models(routes)
    references, definitions = models_json_schema(
        models, ref_template=_COMPONENT, schema_generator=GenerateJsonSchema
    )
    schemas = {(model, mode): schema for (model, mode), schema in references.items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(_path(route), {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": prefix}],
        "security": [{"token": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "lk_..."}},
        },
    }


def _models(routes: Sequence[Route]) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(ErrorAnswer, "serialization"): None}
    for route in routes:
        if route.query is not None:
            models[route.query, "validation"] = None
        if route.body is not None:
            models[route.body, "validation"] = None
        if route.answer is not None:
            models[route.answer, "serialization"] = None
    models[NoBody, "validation"] = None
    return list(models)


def _path(route: Route) -> str:
    return _PART.sub(r"{\1}", route.path)


def _operation(route: Route, schemas: dict[Any, Any]) -> dict[str, Any]:
    notes = [route.note] if route.note else []
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "description": "\n\n".join([*notes, f"需要权限 `{route.scope}`。"]),
        "tags": [route.tag],
        "parameters": _parameters(route),
        "responses": _responses(route, schemas),
    }
    body = _request_body(route, schemas)
    if body is not None:
        operation["requestBody"] = body
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in _PART.findall(route.path):
        schema = NUMBER if name in route.numbers else ID
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    if route.query is not None:
        schema = route.query.model_json_schema(ref_template=_COMPONENT)
        required = schema.get("required", [])
        for name, shape in schema["properties"].items():
            inner = _inline(shape, schema.get("$defs", {}))
            told = {"description": inner.pop("description")} if "description" in inner else {}
            found.append({"name": name, "in": "query", "required": name in required, "schema": inner, **told})
    if route.method == "POST":
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "7 天内重复发送同一请求只生效一次",
                "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
            }
        )
    return found


def _inline(shape: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A query parameter's schema without references, and without null: an absent parameter is absent."""
    shape = {key: value for key, value in shape.items() if key != "title"}
    if "$ref" in shape:
        name = shape.pop("$ref").rsplit("/", 1)[1]
        shape = {**{k: v for k, v in definitions[name].items() if k not in ("title", "description")}, **shape}
    options = [option for option in shape.get("anyOf", []) if option.get("type") != "null"]
    if len(options) == 1:
        rest = {key: value for key, value in shape.items() if key not in ("anyOf", "default")}
        return {**_inline(options[0], definitions), **rest}
    return shape


def _request_body(route: Route, schemas: dict[Any, Any]) -> dict[str, Any] | None:
    if not route.writes:
        return None
    if route.uploads:
        file = {"type": "string", "contentMediaType": "application/octet-stream"}
        kind = {"type": "string", "enum": ["image", "video", "file"]}
        shape = {
            "type": "object",
            "properties": {"file": file, "kind": kind},
            "required": ["file"],
            "additionalProperties": False,
        }
        return {"required": True, "content": {"multipart/form-data": {"schema": shape}}}
    if route.body is None:
        return None
    schema = schemas[route.body, "validation"]
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _responses(route: Route, schemas: dict[Any, Any]) -> dict[str, Any]:
    if route.answer is not None:
        schema = schemas[route.answer, "serialization"]
        content = {"application/json": {"schema": schema}}
    else:
        content = {mimetype: {} for mimetype in route.produces}
    good: dict[str, Any] = {"description": "成功", "headers": _HEADERS}
    if route.status != 204:  # noqa: PLR2004 - no content
        good["content"] = content
    failures = {str(status): _failure(status, schemas) for status in _failures(route)}
    return {str(route.status): good, **failures}


def _failures(route: Route) -> list[int]:
    found = [401, 403, 422, 500, 503]
    if "<" in route.path or route.writes:
        found.append(404)
    if route.writes:
        found += [400, 409, 413, 415]
    elif route.answer is None:
        found.append(409)  # a picture that is not there yet
    return sorted(found)


def _failure(status: int, schemas: dict[Any, Any]) -> dict[str, Any]:
    description = SPECIFIC.get(status) or HTTP_ERRORS[status][1]
    schema = schemas[ErrorAnswer, "serialization"]
    return {
        "description": description,
        "headers": _HEADERS,
        "content": {"application/json": {"schema": schema}},
    }
