"""Logins on their way through WeCom: a ``state`` is random, good once, for ten minutes, in the browser that began it.

What is under way is kept in a signed cookie of that browser, so that a beginning costs no row; that a state was used
is kept in the database, so that it holds in every process.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from flask import Response, request
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy.orm import Session

from bot.web.site import Site
from scrm.accounts.models import IdempotencyKey
from scrm.dialects import insert_ignore

LASTS = timedelta(minutes=10)
MOST = 4  # a browser that opens many tabs at once; the oldest beginnings are forgotten
LONGEST_NEXT = 512
STATE_BYTES = 16
_USED = "oauth"  # whose keys these are among the idempotency keys


class Door(StrEnum):
    """Where somebody wants to enter."""

    CONSOLE = "console"
    SIDEBAR = "sidebar"


@dataclass(frozen=True)
class Begun:
    """A login under way."""

    state: str
    door: str
    is_client: bool
    next: str
    until: int


class OAuthStates:
    """Begins logins and recognises them when they come back."""

    def __init__(self, site: Site, secret: str) -> None:
        self._site = site
        self._serializer = URLSafeSerializer(
            secret,
            salt="lianke.oauth.v1",
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )

    @property
    def _cookie(self) -> str:
        return "__Host-lianke-oauth" if self._site.is_secure else "lianke_oauth"

    def begin(self, response: Response, door: Door, target: str, *, is_client: bool, state: str) -> None:
        """Let this browser come back with ``state``, to go on at ``target``."""
        until = int((self._site.clock() + LASTS).timestamp())
        begun = Begun(state, door, is_client, target[:LONGEST_NEXT], until)
        self._keep(response, [*self._under_way(), begun][-MOST:])

    def find(self, state: str) -> Begun | None:
        """The login that this browser began with this state; None for any other, and after ten minutes."""
        said = state.encode("utf-8", "surrogatepass")
        ours = (one for one in self._under_way() if secrets.compare_digest(one.state.encode(), said))
        return next(ours, None)

    def forget(self, response: Response, begun: Begun) -> None:
        """The login is over, well or not."""
        self._keep(response, [other for other in self._under_way() if other != begun])

    def _under_way(self) -> list[Begun]:
        now = int(self._site.clock().timestamp())
        try:
            kept = [Begun(*row) for row in self._serializer.loads(request.cookies.get(self._cookie, ""))]
        except (BadData, TypeError, ValueError):
            return []
        return [begun for begun in kept if begun.until > now]

    def _keep(self, response: Response, begun: list[Begun]) -> None:
        response.set_cookie(
            self._cookie,
            str(self._serializer.dumps([astuple(one) for one in begun])),
            max_age=int(LASTS.total_seconds()),
            secure=self._site.is_secure,
            httponly=True,
            samesite="Lax",  # WeCom sends the browser back from another site, by a link
            path="/",
        )


def new_state() -> str:
    """A state nobody can guess, of the characters WeCom allows."""
    return secrets.token_hex(STATE_BYTES)


def use(session: Session, state: str, *, now: datetime) -> bool:
    """Use a state's one chance, in every process at once. Whether it was there."""
    row = {"token_id": _USED, "key": f"state:{state}", "request_hash": "", "created_at": now}
    return insert_ignore(session, IdempotencyKey, [row]) == 1
