"""Platform endpoints by path: one decorator registers a handler, so new endpoints are only new files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.errors import ApiError
from bot.sandbox.settings import SandboxSettings
from bot.sandbox.state import State

# An escape of a non-ASCII character: an odd number of backslashes, then u and a code point above 007F.
ESCAPED_UNICODE = re.compile(rb"(?<!\\)(?:\\\\)*\\u(?!00[0-7])[0-9a-fA-F]{4}")
APP, CONTACT = "app", "contact"  # kinds of secret


@dataclass(frozen=True)
class Upload:
    """The file part of a multipart body."""

    filename: str
    content_type: str
    data: bytes


@dataclass(frozen=True)
class RawAnswer:
    """An answer that is not JSON (media/get)."""

    data: bytes
    content_type: str
    filename: str


@dataclass
class Call:
    """One platform call: what was sent, and where to work on it. Handlers run inside a transaction."""

    state: State
    settings: SandboxSettings
    api: str
    query: Mapping[str, str]
    body: dict[str, Any] = field(default_factory=dict)
    upload: Upload | None = None
    secret: str = ""  # kind of the secret behind the token: "app" or "contact"
    effect: bool = True  # a handler sets it to False when an accepted call changed nothing
    note: str = ""  # for /sandbox/calls
    now: float = 0.0
    bad_json: bool = False
    busy: bool = False  # too many calls of this API were running when it arrived

    def _typed(self, name: str, kind: type, default: Any) -> Any:
        value = self.body.get(name)
        if value is None:
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ApiError(40058, f"Warning: wrong json format. field {name}")
        return value

    def text(self, name: str, default: str = "", *, longest: int | None = None, errcode: int = 40058) -> str:
        """A string field; ``longest`` is in characters. Wrong type or too long → ``errcode``."""
        value: str = self._typed(name, str, default)
        if longest is not None and len(value) > longest:
            raise ApiError(errcode, f"{name} is longer than {longest}")
        return value

    def need(self, name: str, errcode: int = 40063) -> str:
        """A string field that must not be empty."""
        value = self.text(name)
        if not value:
            raise ApiError(errcode, name)
        return value

    def param(self, name: str, errcode: int = 40063) -> str:
        """A query parameter that must not be empty."""
        value = self.query.get(name, "")
        if not value:
            raise ApiError(errcode, name)
        return value

    def number(self, name: str, default: int = 0) -> int:
        value: int = self._typed(name, int, default)
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        return bool(self._typed(name, bool, default))

    def items(self, name: str, kind: type = str) -> list[Any]:
        """A list field whose entries are all of ``kind``; absent means empty."""
        value: list[Any] = self._typed(name, list, [])
        if any(not isinstance(item, kind) for item in value):
            raise ApiError(40058, f"Warning: wrong json format. field {name}")
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        value: dict[str, Any] = self._typed(name, dict, {})
        return value


Handler = Callable[[Call], "dict[str, Any] | RawAnswer"]


@dataclass(frozen=True)
class Endpoint:
    """How one API is checked before its handler runs. ``empty`` are the fields an error answer still carries."""

    path: str
    handler: Handler
    method: str
    write: bool
    raw_utf8: bool
    auth: bool
    secrets: tuple[str, ...]
    empty: Mapping[str, Any]


class Registry:
    """The endpoints of one platform."""

    def __init__(self) -> None:
        self._endpoints: dict[str, Endpoint] = {}

    def endpoint(
        self,
        path: str,
        *,
        method: str = "POST",
        write: bool = False,
        raw_utf8: bool = False,
        auth: bool = True,
        secrets: tuple[str, ...] = (APP, CONTACT),
        empty: Mapping[str, Any] | None = None,
    ) -> Callable[[Handler], Handler]:
        r"""Register a handler under the path after ``cgi-bin/``.

        ``write``: accepted calls go into the ledger. ``raw_utf8``: bodies with \uXXXX escapes answer 40033.
        ``secrets``: tokens of other secrets answer 48002.
        """

        def register(handler: Handler) -> Handler:
            self._endpoints[path] = Endpoint(
                path, handler, method, write, raw_utf8, auth, secrets, empty or {}
            )
            return handler

        return register

    def find(self, path: str) -> Endpoint | None:
        return self._endpoints.get(path)

    def paths(self) -> list[str]:
        return sorted(self._endpoints)


WECOM = Registry()
endpoint = WECOM.endpoint
