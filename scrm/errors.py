"""What can go wrong in the domain, without any notion of HTTP.

::

    ScrmError(code, message, fields)
    ├── NotFound       the row does not exist (or the actor may not see it)
    ├── Conflict       it exists already, or changed under the caller
    ├── Refused        a rule forbids it
    │   └── Invalid    the input itself is wrong; ``fields`` says where
    └── LeaseLost      another worker owns the row now: roll back, do nothing
"""

from __future__ import annotations

from collections.abc import Mapping


class ScrmError(Exception):
    """An error with a stable ``code`` and a Chinese ``message`` that says what to do next."""

    def __init__(self, code: str, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = dict(fields or {})


class NotFound(ScrmError):
    """No such row."""


class Conflict(ScrmError):
    """The row exists already, or has changed."""


class Refused(ScrmError):
    """A rule forbids it."""


class Invalid(Refused):
    """The input is wrong; ``fields`` maps each wrong field to what is wrong with it."""


class LeaseLost(ScrmError):
    """The lease on a row went to somebody else while we worked on it."""

    def __init__(self, table: str, row_id: int | str) -> None:
        super().__init__("lease_lost", f"{table} {row_id} is leased by another worker")
