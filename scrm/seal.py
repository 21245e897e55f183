"""Encryption at rest: raw payloads, phone numbers and commands are AES-256-GCM sealed.

A sealed text is ``<key id>.<base64(nonce + ciphertext)>``. The first key of the ring seals, every key opens,
so keys rotate by putting a new one in front. The column's name is bound in as additional data: a
ciphertext copied into another column does not open.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import LargeBinary, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from scrm.dialects import long_binary, long_text

NONCE = 12
MIN_KEY = 16  # characters


class SealBroken(Exception):
    """The text was sealed with a key that is not on the ring, or was tampered with."""


class Keyring:
    """The keys of ``[app] encryption_keys``; any text of 16 characters or more serves as a key."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or any(len(key) < MIN_KEY for key in keys):
            raise ValueError("encryption_keys needs at least one key of 16 or more characters")
        derived = [hashlib.sha256(key.encode()).digest() for key in keys]
        self._ciphers = {hashlib.sha256(key).hexdigest()[:8]: AESGCM(key) for key in derived}
        self._current = next(iter(self._ciphers))
        self._index_key = hashlib.sha256(b"blind-index" + derived[-1]).digest()

    def seal(self, text: str, context: str) -> str:
        return f"{self._current}.{base64.b64encode(self._encrypt(text.encode(), context)).decode()}"

    def open(self, sealed: str, context: str) -> str:
        key_id, _, data = sealed.partition(".")
        return self._decrypt(key_id, base64.b64decode(data), context).decode()

    def seal_bytes(self, content: bytes, context: str) -> bytes:
        """As ``seal``, without the cost of a text: ``<key id>.<nonce + ciphertext>``."""
        return self._current.encode() + b"." + self._encrypt(content, context)

    def open_bytes(self, sealed: bytes, context: str) -> bytes:
        key_id, _, raw = sealed.partition(b".")
        return self._decrypt(key_id.decode(errors="replace"), raw, context)

    def _encrypt(self, content: bytes, context: str) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self._ciphers[self._current].encrypt(nonce, content, context.encode())

    def _decrypt(self, key_id: str, raw: bytes, context: str) -> bytes:
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealBroken(f"no key {key_id} on the ring")
        try:
            return cipher.decrypt(raw[:NONCE], raw[NONCE:], context.encode())
        except InvalidTag as error:
            raise SealBroken("authentication failed") from error

    def blind_index(self, value: str) -> str:
        """A keyed hash to look a sealed value up by; made with the oldest key, so it survives rotation."""
        return hmac.new(self._index_key, value.encode(), hashlib.sha256).hexdigest()


_ring: Keyring | None = None


def use(ring: Keyring) -> None:
    """Install the process's keyring; the composition root calls it once, before the first query."""
    global _ring  # noqa: PLW0603 - column types have no other way to reach configuration
    _ring = ring


def ring() -> Keyring:
    """The installed keyring; RuntimeError before ``use``."""
    if _ring is None:
        raise RuntimeError("no keyring installed: call seal.use() first")
    return _ring


class Sealed(TypeDecorator[str]):
    """A text column that is encrypted in the database."""

    impl = Text
    cache_ok = True

    def __init__(self, context: str) -> None:
        super().__init__()
        self.context = context

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(long_text(dialect))

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        return None if value is None else ring().seal(value, self.context)

    def process_result_value(self, value: str | None, _dialect: Dialect) -> str | None:
        return None if value is None else ring().open(value, self.context)


class SealedJson(Sealed):
    """A JSON value, encrypted in the database."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        text = None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return super().process_bind_param(text, dialect)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        text = super().process_result_value(value, dialect)
        return None if text is None else json.loads(text)


class SealedBytes(TypeDecorator[bytes]):
    """A file, or a piece of one, that is encrypted in the database."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, context: str) -> None:
        super().__init__()
        self.context = context

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(long_binary(dialect))

    def process_bind_param(self, value: bytes | None, _dialect: Dialect) -> bytes | None:
        return None if value is None else ring().seal_bytes(value, self.context)

    def process_result_value(self, value: bytes | None, _dialect: Dialect) -> bytes | None:
        return None if value is None else ring().open_bytes(bytes(value), self.context)
