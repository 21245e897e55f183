"""How a resource declares its routes.

A view's signature says what it takes and gives::

    routes = Routes("客户")

    @routes.get("/contacts", "客户列表", scope="contacts.read")
    def list_contacts(call: Call, query: ContactQuery) -> ContactPage: ...

``query`` and ``body`` are checked before the view runs, path parts come by name. A GET view gets a reading
session, every other one the write transaction that commits when it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, TypeVar, get_type_hints

from sqlalchemy.orm import Session

from bot.api.errors import fail
from bot.api.types import Answer, Body, Query
from handlers.context import Corp
from scrm.access.programs import Program
from scrm.accounts.models import ApiToken
from scrm.clock import Clock
from scrm.db import Database

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Services:
    """What the composition root gives the API."""

    database: Database
    clock: Clock
    wake: Callable[[], None]
    corp: Corp

    @property
    def tz(self) -> tzinfo:
        return self.corp.tz


@dataclass(frozen=True)
class Raw:
    """An answer that is not JSON."""

    content: bytes
    mimetype: str


@dataclass
class Call:
    """One authenticated request. ``afterwards`` runs after the commit and makes the final answer, if it is set."""

    services: Services
    session: Session
    program: Program
    now: datetime
    request_id: str
    afterwards: Callable[[], Answer] | None = None

    @property
    def token(self) -> ApiToken:
        return self.program.token

    @property
    def actor(self) -> str:
        return f"token:{self.token.name}"

    @property
    def tz(self) -> tzinfo:
        return self.services.tz

    def may(self, scope: str) -> bool:
        return self.program.may(scope)

    def require(self, permission: str) -> None:
        """Raises ApiError (403) where the token acts for a person without this permission, which is no scope."""
        person = self.program.person
        if person is not None and not person.may(permission):
            raise fail(403, "forbidden", "这个令牌所代表的账号没有这个权限")

    def check_name(self, staff_id: str) -> None:
        """Raises ApiError (403) where the token acts for a person who may not write in this member's name."""
        if not self.program.speaks_for(staff_id):
            told = "这个令牌代表一位员工，只能以本人的名义写；要以同事的名义写，请用管理该同事的主管或管理员的令牌"
            raise fail(403, "not_in_their_name", told, {"staff": "不是令牌所代表的员工"})


@dataclass(frozen=True)
class Upload:
    """A file of a multipart request, already read."""

    filename: str
    content: bytes
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Route:
    """One operation: everything that runs it, documents it and tests it."""

    method: str
    path: str
    summary: str
    scope: str
    tag: str
    view: Callable[..., Any]
    status: int
    produces: tuple[str, ...]
    query: type[Query] | None = None
    body: type[Body] | None = None
    uploads: bool = False
    numbers: frozenset[str] = frozenset()
    answer: type[Answer] | None = None
    note: str = ""

    @property
    def name(self) -> str:
        return self.view.__name__

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass
class Routes:
    """The routes of one resource."""

    tag: str
    items: list[Route] = field(default_factory=list)

    def get(self, path: str, summary: str, *, scope: str, **more: Any) -> Callable[[View], View]:
        return self._add("GET", path, summary, scope=scope, **more)

    def post(self, path: str, summary: str, *, scope: str, **more: Any) -> Callable[[View], View]:
        return self._add("POST", path, summary, scope=scope, **more)

    def put(self, path: str, summary: str, *, scope: str, **more: Any) -> Callable[[View], View]:
        return self._add("PUT", path, summary, scope=scope, **more)

    def patch(self, path: str, summary: str, *, scope: str, **more: Any) -> Callable[[View], View]:
        return self._add("PATCH", path, summary, scope=scope, **more)

    def delete(self, path: str, summary: str, *, scope: str, **more: Any) -> Callable[[View], View]:
        return self._add("DELETE", path, summary, scope=scope, **more)

    def _add(
        self,
        method: str,
        path: str,
        summary: str,
        *,
        scope: str,
        status: int = 200,
        produces: tuple[str, ...] = ("application/json",),
        note: str = "",
    ) -> Callable[[View], View]:
        def declare(view: View) -> View:
            hints = get_type_hints(view)
            answer = hints.get("return")
            self.items.append(
                Route(
                    method,
                    path,
                    summary,
                    scope,
                    self.tag,
                    view,
                    status,
                    produces,
                    query=hints.get("query"),
                    body=hints.get("body"),
                    uploads=hints.get("upload") is Upload,
                    numbers=frozenset(name for name, hint in hints.items() if hint is int),
                    answer=answer if isinstance(answer, type) and issubclass(answer, Answer) else None,
                    note=note,
                )
            )
            return view

        return declare
