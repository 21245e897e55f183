"""Why data could not be moved."""

from __future__ import annotations

from scrm.errors import ScrmError


class MoveFailed(ScrmError):
    """The source is as it was; the target stays unusable. The message ends with the code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, f"{message}（{code}）")
