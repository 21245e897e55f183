"""From a Flask request to a view and back: who asks, what they may, what they said, one transaction, one answer."""

from __future__ import annotations

import hashlib
import re
from contextlib import closing, suppress
from typing import Any

import structlog
from flask import Response, request
from sqlalchemy.exc import SQLAlchemyError

from bot.api import idempotency
from bot.api.errors import ApiError, Failure, fail, failure_of, http_failure
from bot.api.routes import Call, Raw, Route, Services, Upload
from bot.api.types import Answer, NoBody
from bot.api.validation import read_json, read_query
from bot.logs import bound
from scrm.access.programs import Program, find_program
from scrm.accounts import tokens
from scrm.errors import ScrmError
from scrm.ids import new_id

log = structlog.get_logger(__name__)

MAX_JSON = 1024 * 1024
MAX_UPLOAD = 25 * 1024 * 1024
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,40}")
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_MAX_ID = 2**63 - 1
_BEARER = re.compile(r"Bearer ([!-~]{1,200})", re.IGNORECASE)


def request_id() -> str:
    """The caller's X-Request-Id if it is usable, else a new one."""
    given = request.headers.get("X-Request-Id", "")
    return given if _REQUEST_ID.fullmatch(given) else new_id()


def run_route(services: Services, route: Route, parts: dict[str, str]) -> Response:
    """Run one request of a route. Never raises."""
    rid = request_id()
    with bound(request_id=rid):
        try:
            return _finish(_run(services, route, parts, rid), rid)
        except Exception as error:  # noqa: BLE001 - the edge: everything becomes the uniform error
            return refuse(failure_of(error), rid)


def refuse(failure: Failure, rid: str) -> Response:
    """Answer with an error in the uniform form."""
    response = _json(failure.body(rid).model_dump_json(), failure.status)
    response.headers.update(failure.headers)
    return _finish(response, rid)


def _finish(response: Response, rid: str) -> Response:
    response.headers["X-Request-Id"] = rid
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _json(text: str, status: int) -> Response:
    return Response(text, status, mimetype="application/json")


def _run(services: Services, route: Route, parts: dict[str, str], rid: str) -> Response:
    program = _authenticate(services)
    if not program.may(route.scope):
        message = f"这个令牌没有 {route.scope} 权限，请换用有此权限的令牌"
        raise ApiError(Failure(403, "forbidden", message))
    arguments, fingerprint = _arguments(route)
    arguments.update(_parts(route, parts))
    key = request.headers.get("Idempotency-Key") if route.method == "POST" else None
    if key is None:
        return _attempt(services, route, program, arguments, rid, None)
    stamp = idempotency.request_hash(request.method, request.full_path, fingerprint)
    begun = idempotency.begin(services.database, program.token.id, key, stamp, now=services.clock())
    if isinstance(begun, idempotency.Stored):
        response = _json(begun.body, begun.status)
        response.headers["Idempotency-Replayed"] = "true"
        return response
    return _guarded(services, route, program, arguments, rid, begun)


def _authenticate(services: Services) -> Program:
    given = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    now = services.clock()
    program = None
    if given is not None:
        with services.database.read() as session:
            program = find_program(session, given[1], now=now)
    if program is None:
        raise ApiError(http_failure(401, headers={"WWW-Authenticate": 'Bearer realm="lianke"'}))
    token = program.token
    if tokens.is_use_due(token, now=now):
        try:
            with services.database.write() as session:
                tokens.mark_used(session, token.id, now=now)
        except SQLAlchemyError:
            log.warning(
                "api_token_use_not_recorded", exc_info=True
            )  # reading must work on a read-only database
    return program


def _parts(route: Route, parts: dict[str, str]) -> dict[str, Any]:
    """The path's parts as the view wants them. A number that can be no id of ours finds nothing."""
    found: dict[str, Any] = dict(parts)
    for name in route.numbers & parts.keys():
        if _NUMBER.fullmatch(parts[name]) is None or int(parts[name]) > _MAX_ID:
            raise ApiError(http_failure(404))
        found[name] = int(parts[name])
    return found


def _arguments(route: Route) -> tuple[dict[str, Any], bytes]:
    """What the view is given beside the path, checked, and the bytes that make the request this one."""
    arguments: dict[str, Any] = {}
    if route.query is not None:
        arguments["query"] = read_query(route.query, request.args)
    elif request.args:
        unknown = dict.fromkeys(list(request.args)[:20], "没有这个参数，请删除")
        raise fail(422, "invalid", "该地址不接受查询参数", unknown)
    if not route.writes:
        return arguments, b""
    if route.uploads:
        arguments["upload"] = _upload()
        upload = arguments["upload"]
        return arguments, f"{upload.filename}\0{hashlib.sha256(upload.content).hexdigest()}".encode()
    raw = _body(route)
    body = read_json(route.body or NoBody, raw)
    if route.body is not None:
        arguments["body"] = body
    return arguments, raw


def _body(route: Route) -> bytes:
    _check_size(MAX_JSON)
    raw = request.get_data(cache=False)
    if len(raw) > MAX_JSON:
        raise ApiError(http_failure(413))
    if (raw or route.body is not None) and request.mimetype != "application/json":
        raise ApiError(http_failure(415))
    return raw


def _upload() -> Upload:
    if request.mimetype != "multipart/form-data":
        raise ApiError(http_failure(415))
    _check_size(MAX_UPLOAD)
    file = request.files.get("file")
    if file is None or not file.filename:
        raise fail(422, "invalid", "请在表单字段 file 中提供素材文件", {"file": "必填"})
    if len(request.files.getlist("file")) > 1 or set(request.files) != {"file"}:
        raise fail(422, "invalid", "一次只能上传一个文件，放在表单字段 file 中", {"file": "只能有一个"})
    fields = {name or "": value for name, value in request.form.items()}  # a part may come without a name
    with closing(file):
        return Upload(file.filename, file.read(), fields)


def _check_size(limit: int) -> None:
    request.max_content_length = limit + 1  # werkzeug cuts a body of unknown length there, without a word
    if (request.content_length or 0) > limit:
        raise ApiError(http_failure(413))


def _guarded(
    services: Services,
    route: Route,
    program: Program,
    arguments: dict[str, Any],
    rid: str,
    attempt: idempotency.Attempt,
) -> Response:
    """Run under an idempotency key: a refusal of ours is an answer like any other, a failure frees the key."""
    try:
        return _attempt(services, route, program, arguments, rid, attempt)
    except Exception as error:
        refused = isinstance(error, ScrmError | ApiError)
        failure = failure_of(error) if refused else http_failure(500)
        if failure.code == "idempotency_key_in_use":
            raise
        with suppress(SQLAlchemyError):  # then the key stays in flight for a while and frees itself
            if failure.status < 500:  # noqa: PLR2004 - HTTP's own border
                attempt.save_alone(failure.status, failure.body(rid).model_dump_json())
            else:
                attempt.free()
        raise


def _attempt(
    services: Services,
    route: Route,
    program: Program,
    arguments: dict[str, Any],
    rid: str,
    attempt: idempotency.Attempt | None,
) -> Response:
    if not route.writes:
        with services.database.read() as session:
            program.limit(session)
            answer = route.view(Call(services, session, program, services.clock(), rid), **arguments)
            return _answer(route, answer)
    with services.database.write() as session:
        program.limit(session)
        call = Call(services, session, program, services.clock(), rid)
        answer = route.view(call, **arguments)
        response = _answer(route, answer)
        if attempt is not None:
            attempt.save(session, response.status_code, response.get_data(as_text=True))
    services.wake()
    if call.afterwards is not None:
        response = _answer(route, call.afterwards())
        if attempt is not None:
            attempt.save_alone(response.status_code, response.get_data(as_text=True))
    return response


def _answer(route: Route, answer: Answer | Raw | None) -> Response:
    match answer:
        case None:
            return Response(status=204)
        case Raw():
            return Response(answer.content, route.status, mimetype=answer.mimetype)
        case _:
            return _json(answer.model_dump_json(), route.status)
