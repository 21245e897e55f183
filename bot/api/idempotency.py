"""``Idempotency-Key``: the same POST sent twice takes effect once and gets the same answer, for 7 days.

The key is claimed in a transaction of its own before the work, and the answer is saved in the very transaction of
the work, so a crash leaves either both or neither. A claim without an answer is "in flight" for two minutes; after
that its process is taken for dead and the next attempt takes the key over.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from bot.api.errors import fail
from scrm import seal
from scrm.accounts.models import IdempotencyKey
from scrm.db import Database, affected
from scrm.dialects import insert_ignore
from scrm.errors import Conflict

KEPT = timedelta(days=7)
IN_FLIGHT = timedelta(minutes=2)
_FORM = re.compile(r"[\x21-\x7e]{1,128}")
_CONTEXT = "idempotency.body"  # answers may hold phone numbers: sealed like every other copy of them


@dataclass(frozen=True)
class Stored:
    """The answer a key already has."""

    status: int
    body: str


@dataclass(frozen=True)
class Attempt:
    """A key that is ours to work under, since ``at``."""

    database: Database
    token_id: str
    key: str
    at: datetime

    def save(self, session: Session, status: int, body: str) -> None:
        """Keep the answer, in the transaction of the work. Raises Conflict when another attempt took the key over."""
        values = {"status": status, "body": seal.ring().seal(body, _CONTEXT)}
        statement = update(IdempotencyKey).where(*self._mine()).values(**values)
        if affected(session.execute(statement)) != 1:
            raise Conflict(
                "idempotency_key_in_use", "同一个 Idempotency-Key 的请求正在处理中，请稍后用相同内容重试"
            )

    def save_alone(self, status: int, body: str) -> None:
        """Keep an answer that goes with no change of ours."""
        with self.database.write() as session:
            self.save(session, status, body)

    def free(self) -> None:
        """The attempt failed on our side: the key may be used again."""
        with self.database.write() as session:
            session.execute(delete(IdempotencyKey).where(*self._mine(), IdempotencyKey.status.is_(None)))

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        return (
            IdempotencyKey.token_id == self.token_id,
            IdempotencyKey.key == self.key,
            IdempotencyKey.created_at == self.at,
        )


def request_hash(method: str, path: str, content: bytes) -> str:
    """What makes two requests the same one."""
    return hashlib.sha256(b"\0".join([method.encode(), path.encode(), content])).hexdigest()


def begin(
    database: Database, token_id: str, key: str, fingerprint: str, *, now: datetime
) -> Attempt | Stored:
    """Claim the key, or find the answer it has. Raises 422 for another request, 409 while the first one runs."""
    if _FORM.fullmatch(key) is None:
        text = "Idempotency-Key 应为 1-128 个可见的 ASCII 字符"
        raise fail(422, "idempotency_key_invalid", text, {"Idempotency-Key": text})
    with database.write() as session:
        row = {"token_id": token_id, "key": key, "request_hash": fingerprint, "created_at": now}
        if insert_ignore(session, IdempotencyKey, [row]) == 1:
            return Attempt(database, token_id, key, now)
    # A transaction of its own: MySQL's refused INSERT keeps a lock on the row, and two with one wait for each other.
    with database.write() as session:
        found = session.scalar(
            select(IdempotencyKey)
            .where(IdempotencyKey.token_id == token_id, IdempotencyKey.key == key)
            .with_for_update()
        )
        if found is None:
            raise _busy()
        return _resume(database, found, fingerprint, now=now)


def _resume(
    database: Database, found: IdempotencyKey, fingerprint: str, *, now: datetime
) -> Attempt | Stored:
    age = now - found.created_at
    if age < KEPT and found.request_hash != fingerprint:
        raise fail(
            422,
            "idempotency_key_reused",
            "这个 Idempotency-Key 已用于另一个请求，请换一个新的",
            {"Idempotency-Key": "已用于另一个请求"},
        )
    if age < KEPT and found.status is not None:
        return Stored(found.status, seal.ring().open(found.body or "", _CONTEXT))
    if age < IN_FLIGHT:
        raise _busy()
    found.request_hash, found.status, found.body, found.created_at = fingerprint, None, None, now
    return Attempt(database, found.token_id, found.key, now)


def _busy() -> Conflict:
    return Conflict("idempotency_key_in_use", "同一个 Idempotency-Key 的请求正在处理中，请稍后用相同内容重试")
