"""How a control route is declared, what it is given, and how its refusals are answered."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.sandbox.callbacks import Callbacks
from bot.sandbox.errors import ControlError
from bot.sandbox.events import Event
from bot.sandbox.gateway import json_response
from bot.sandbox.limits import Limits
from bot.sandbox.product import Product
from bot.sandbox.settings import SandboxSettings
from bot.sandbox.state import State

logger = logging.getLogger(__name__)


@dataclass
class Box:
    """One running sandbox."""

    state: State
    settings: SandboxSettings
    callbacks: Callbacks
    limits: Limits
    product: Product

    def queue(self, event: Event, args: Args) -> int:
        """Write an event down in the open transaction; ``"lost": true`` in the call means it is never sent."""
        return self.callbacks.queue(event, lost=args.flag("lost"))

    async def send(self, seqs: list[int], args: Args) -> int | None:
        """Send queued events in order. Answers the last one's status, 0 if not accepted.

        ``"mode": "async"`` does not wait and answers None; ``"delay_ms"`` holds each back first.
        """
        delay_s = args.number("delay_ms") / 1000
        if args.text("mode") == "async":
            for seq in seqs:
                self.callbacks.send(seq, delay_s=delay_s)
            return None
        status = 0
        for seq in seqs:
            (result,) = await asyncio.gather(
                self.callbacks.send(seq, delay_s=delay_s), return_exceptions=True
            )
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result
            status = result if isinstance(result, int) else 0  # cancelled by a reset
        return status


@dataclass(frozen=True)
class Args:
    """What a control call carries."""

    body: dict[str, Any] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)

    def _typed(self, name: str, kind: type, default: Any, word: str) -> Any:
        value = self.body.get(name)
        if value is None:
            return default
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise ControlError(400, "bad_field", f"{name} 必须是{word}")
        return value

    def text(self, name: str, default: str = "") -> str:
        value: str = self._typed(name, str, default, "字符串")
        return value

    def need(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise ControlError(400, "missing_field", f"缺少 {name}")
        return value

    def number(self, name: str, default: float = 0) -> Any:
        return self._typed(name, (int, float), default, "数字")  # type: ignore[arg-type]

    def flag(self, name: str, *, default: bool = False) -> bool:
        return bool(self._typed(name, bool, default, "布尔值"))

    def items(self, name: str) -> list[Any]:
        value: list[Any] = self._typed(name, list, [], "数组")
        return value

    def after(self) -> int:
        """The ``after`` query parameter: a sequence number, 0 by default."""
        return self.integer("after", 0)

    def integer(self, name: str, default: int) -> int:
        text = self.query.get(name, "")
        if not text:
            return default
        try:
            return int(text)
        except ValueError:
            raise ControlError(400, "bad_field", f"{name} 必须是整数") from None


ControlHandler = Callable[[Box, Args], Awaitable["dict[str, Any] | web.Response"]]
ROUTES: list[tuple[str, str, ControlHandler]] = []


def control(method: str, path: str) -> Callable[[ControlHandler], ControlHandler]:
    """Register a handler for ``/sandbox`` + path."""

    def register(handler: ControlHandler) -> ControlHandler:
        ROUTES.append((method, path, handler))
        return handler

    return register


async def read_args(request: web.Request) -> Args:
    """What a request carries. Raises 400 when its body is no JSON object."""
    raw = await request.read() if request.can_read_body else b""
    body: Any = {}
    if raw.strip():
        try:
            body = json.loads(raw)
        except ValueError:
            raise ControlError(400, "bad_json", "请求体不是合法的 JSON") from None
    if not isinstance(body, dict):
        raise ControlError(400, "bad_json", "请求体必须是 JSON 对象")
    return Args(body, dict(request.query), dict(request.match_info))


def refused(error: ControlError) -> web.Response:
    """The error answer."""
    response = json_response({"error": {"code": error.code, "message": error.message}})
    response.set_status(error.status)
    return response


def add_routes(app: web.Application, box: Box) -> None:
    """Mount every registered control route, and 404 in JSON for the rest of /sandbox."""

    def serve(handler: ControlHandler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                result = await handler(box, await read_args(request))
            except ControlError as error:
                return refused(error)
            return result if isinstance(result, web.Response) else json_response(result)

        return answer

    for method, path, handler in ROUTES:
        app.router.add_route(method, f"/sandbox{path}", serve(handler))

    async def unknown(request: web.Request) -> web.StreamResponse:
        return refused(ControlError(404, "not_found", f"沙箱没有这个接口：{request.method} {request.path}"))

    app.router.add_route("*", "/sandbox/{rest:.*}", unknown)
