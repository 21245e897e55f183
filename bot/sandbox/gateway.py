"""From an HTTP request to a platform endpoint and back.

Order of checks as probed on the real platform (semantics.md §2): path exists (else 404 with an empty body),
token present (41001), token valid (40014/42001), right (48002), rate (45009/45033), JSON, parameters.
An armed fault comes before all of them but the first.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from urllib.parse import quote

from aiohttp import BodyPartReader, web

from bot.sandbox import tokens
from bot.sandbox.errors import ApiError, error_text
from bot.sandbox.faults import Fault, take_fault
from bot.sandbox.ledger import record_call, record_effect
from bot.sandbox.limits import Limits
from bot.sandbox.registry import CONTACT, ESCAPED_UNICODE, Call, Endpoint, RawAnswer, Registry, Upload
from bot.sandbox.settings import SandboxSettings
from bot.sandbox.state import State, dump


class Gateway:
    """Serves the endpoints of one registry under ``…/cgi-bin/``."""

    def __init__(self, state: State, settings: SandboxSettings, registry: Registry, limits: Limits) -> None:
        self.state = state
        self.settings = settings
        self.registry = registry
        self.limits = limits

    async def handle(self, request: web.Request) -> web.StreamResponse:
        endpoint = self.registry.find(request.match_info["api"])
        if endpoint is None:
            return web.Response(status=404)
        started = time.perf_counter()
        self.limits.enter(endpoint.path)
        try:
            return await self._serve(request, endpoint, started)
        finally:
            self.limits.leave(endpoint.path)

    async def _serve(self, request: web.Request, endpoint: Endpoint, started: float) -> web.StreamResponse:
        raw, upload = await read_body(request)
        fault = take_fault(self.state, endpoint.path)
        if fault is not None and fault.mode != "cut":
            return await self._suffer(request, endpoint, fault, raw, started)
        busy = endpoint.write and self.limits.is_busy(endpoint.path)
        if self.settings.latency_ms:
            await asyncio.sleep(self.settings.latency_ms / 1000)
        call = Call(
            self.state,
            self.settings,
            endpoint.path,
            request.query,
            upload=upload,
            now=self.state.now(),
            busy=busy,
        )
        response = self._run(endpoint, call, raw, request, started, cut=fault is not None)
        if fault is not None:
            await asyncio.sleep(fault.delay_ms / 1000)
            return drop(request)
        return response

    async def _suffer(
        self, request: web.Request, endpoint: Endpoint, fault: Fault, raw: bytes, started: float
    ) -> web.StreamResponse:
        """Answer as the fault says, without any effect."""
        await asyncio.sleep(fault.delay_ms / 1000)
        note = f"fault:{fault.mode}"
        if fault.mode == "timeout":
            self._log(endpoint, raw, None, 0, note, started)
            return drop(request)
        if fault.mode == "http":
            self._log(endpoint, raw, None, fault.status, note, started)
            return web.Response(status=fault.status, text="sandbox fault")
        self._log(endpoint, raw, fault.errcode, 200, note, started)
        body = {"errcode": fault.errcode, "errmsg": error_text(fault.errcode), **endpoint.empty}
        return json_response(body)

    def _run(
        self, endpoint: Endpoint, call: Call, raw: bytes, request: web.Request, started: float, *, cut: bool
    ) -> web.StreamResponse:
        """Check and run the call in one transaction with its ledger line and its line among the calls."""
        note = "fault:cut" if cut else ""
        try:
            with self.state.transaction():
                answer = self._work(endpoint, call, raw)
                note = " ".join(filter(None, (note, call.note)))
                self._log(endpoint, b"", 0, 0 if cut else 200, note, started)
        except ApiError as error:
            text = error_text(error.errcode, error.detail, ip=request.remote or "", bad_json=call.bad_json)
            body = {"errcode": error.errcode, "errmsg": text, **endpoint.empty, **error.fields}
            self._log(endpoint, raw, error.errcode, 0 if cut else 200, note, started)
            return json_response(body)
        if isinstance(answer, RawAnswer):
            return raw_response(answer, request.http_range)
        return json_response(answer)

    def _work(self, endpoint: Endpoint, call: Call, raw: bytes) -> dict[str, Any] | RawAnswer:
        if endpoint.auth:
            call.secret = tokens.check_token(self.state, call.query.get("access_token", ""), call.now)
            check_right(endpoint, call)
        self.limits.check_rate(endpoint.path, call.now)
        if call.busy:
            raise ApiError(45033)
        if endpoint.method == "POST" and call.upload is None:
            read_json(endpoint, call, raw)
        answer = endpoint.handler(call)
        if isinstance(answer, RawAnswer):
            return answer
        answer = {"errcode": 0, "errmsg": "ok", **answer}
        if endpoint.write and call.effect:
            record_effect(self.state, call.now, endpoint.path, call.body, answer)
        return answer

    def _log(
        self, endpoint: Endpoint, raw: bytes, errcode: int | None, status: int, note: str, started: float
    ) -> None:
        record_call(
            self.state,
            at=self.state.now(),
            api=endpoint.path,
            errcode=errcode,
            status=status,
            ms=(time.perf_counter() - started) * 1000,
            note=note,
            body=raw.decode("utf-8", "replace"),
        )


def check_right(endpoint: Endpoint, call: Call) -> None:
    """Raises 48002 when the token's secret may not call this API."""
    if call.secret not in endpoint.secrets:
        raise ApiError(48002)
    contacts = endpoint.path.startswith("externalcontact/")
    if contacts and call.secret != CONTACT and not call.settings.app_may_call_contacts:
        raise ApiError(48002)


def read_json(endpoint: Endpoint, call: Call, raw: bytes) -> None:
    """Fill ``call.body``. A body that is no JSON object counts as empty; the parameters then miss."""
    if endpoint.raw_utf8 and ESCAPED_UNICODE.search(raw):
        raise ApiError(40033)
    if not raw:
        return
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if isinstance(body, dict):
        call.body = body
    else:
        call.bad_json = True


async def read_body(request: web.Request) -> tuple[bytes, Upload | None]:
    """The raw body, or the part named ``media`` of a multipart one."""
    if not request.content_type.startswith("multipart/"):
        return await request.read(), None
    upload = Upload("", "", b"")
    reader = await request.multipart()
    async for part in reader:
        if isinstance(part, BodyPartReader) and part.name == "media":
            content_type = part.headers.get("Content-Type", "").split(";")[0] or "application/octet-stream"
            upload = Upload(part.filename or "", content_type, bytes(await part.read(decode=False)))
    return b"", upload


def json_response(body: dict[str, Any]) -> web.Response:
    """A JSON answer as the platform sends one."""
    return web.Response(body=dump(body).encode(), content_type="application/json", charset="utf-8")


def raw_response(answer: RawAnswer, wanted: slice) -> web.Response:
    """A file as an answer, or the part of it that a Range header wants (206)."""
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(answer.filename)}"}
    start, end, _ = wanted.indices(len(answer.data))
    if wanted.start is None and wanted.stop is None:
        return web.Response(body=answer.data, content_type=answer.content_type, headers=headers)
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(answer.data)}"
    return web.Response(
        status=206, body=answer.data[start:end], content_type=answer.content_type, headers=headers
    )


def drop(request: web.Request) -> web.Response:
    """Reset the connection: the client gets no byte of an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
