"""Pages that keep up: each knows the version it shows and where to ask whether there is a newer one.

The answer is 204 where nothing changed, else the new version and how many things happened. ``live.js`` asks, fetches
the page's own address again and puts the parts marked ``data-live`` in place (adr/0017).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, jsonify, make_response
from sqlalchemy.orm import Session

from scrm.reports.changes import Version

LONGEST_VERSION = 60
EVERY_SECONDS = 3


@dataclass(frozen=True)
class Live:
    """What a page tells its script: where to ask, and what it shows; ``topic`` names what is counted."""

    url: str
    version: str
    topic: str
    every: int = EVERY_SECONDS


def told(version: Version) -> str:
    """A version in an address."""
    return f"{version[0]}.{version[1]}"


def newest_of(text: str) -> int:
    """The newest id a page knows; 0 for anything we never said."""
    head = text[:LONGEST_VERSION].partition(".")[0]
    return int(head) if head.isascii() and head.isdigit() and len(head) < 19 else 0  # noqa: PLR2004 - 64 bits


def answer(
    session: Session, since: str, version: Version, count: Callable[[Session, int], int] | None
) -> Response:
    """204 for the version the page shows; else the new one, and how many things happened since."""
    if since == told(version):
        return make_response("", 204)
    happened = count(session, newest_of(since)) if count and since else 0
    return make_response(jsonify(version=told(version), count=happened))
