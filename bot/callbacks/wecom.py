"""WeCom's callback: verify, decrypt, type. No business rule, no database, no framework.

Everything malformed gets the same answer, so that a caller learns nothing from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import parse_qsl

from prometheus_client import Gauge

from bot.wechat.crypto import CallbackCrypto, Rejected
from handlers.events import envelope
from handlers.xml import BadXml, parse
from scrm.inbox.service import FRESH, Arrival

MAX_BODY = 65_536
SOURCE = "wecom"
MAX_TIMESTAMP, MAX_PARAMETER = 12, 128  # characters
_PARAMETERS = {"msg_signature", "timestamp", "nonce"}
_ENCRYPT = re.compile(rb"<Encrypt>\s*(?:<!\[CDATA\[([A-Za-z0-9+/=]+)\]\]>|([A-Za-z0-9+/=]+))\s*</Encrypt>")
_USUAL = re.compile(rb"msg_signature=([0-9a-f]{40})&timestamp=([0-9]{1,12})&nonce=([0-9A-Za-z]{1,64})")
_ECHO = re.compile(rb"[0-9A-Za-z_-]{1,64}")

OFFSET = Gauge(
    "lianke_callback_clock_offset_seconds", "Our clock minus the timestamp of the last true callback"
)


class Signed(NamedTuple):
    """The parameters of a signed request, each present exactly once."""

    signature: str
    timestamp: int
    raw_timestamp: str
    nonce: str
    echo: str | None


class WecomReceiver:
    """Checks callbacks against one or two key pairs (two while they are rotated). Thread-safe."""

    def __init__(self, pairs: Sequence[CallbackCrypto], clock: Callable[[], datetime]) -> None:
        self._pairs = tuple(pairs)
        self._clock = clock

    def receive(self, query: bytes, body: bytes, *, request_id: str | None = None) -> Arrival:
        """The event a POST carries, quarantined when its timestamp is off. Raises Rejected."""
        signed = _signed(query)
        message = self._open(signed, _encrypted(body))
        try:
            fields = parse(message)
            text = message.decode()
        except (BadXml, UnicodeDecodeError) as error:
            raise Rejected("no XML inside") from error
        kind = envelope(fields)
        now = self._clock()
        OFFSET.set(now.timestamp() - signed.timestamp)
        return Arrival(
            source=SOURCE,
            kind=kind.kind,
            payload=text,
            received_at=now,
            lane=kind.lane,
            priority=kind.priority,
            sent_at=kind.at,
            quarantined=not _fresh(signed.timestamp, now),
            request_id=request_id,
        )

    def echo(self, query: bytes) -> bytes:
        """The plaintext WeCom asks back when the callback is set up. Raises Rejected.

        GET and POST sign the same strings, so a captured POST could be asked back here: only echo strings leave.
        """
        signed = _signed(query, echo=True)
        if signed.echo is None or not _fresh(signed.timestamp, self._clock()):
            raise Rejected("stale")
        message = self._open(signed, signed.echo)
        if not _ECHO.fullmatch(message):
            raise Rejected("not an echo string")
        return message

    def _open(self, signed: Signed, encrypted: str) -> bytes:
        for pair in self._pairs:
            if pair.verify(signed.signature, signed.raw_timestamp, signed.nonce, encrypted):
                return pair.decrypt(encrypted)
        raise Rejected("signature")


def _fresh(timestamp: int, now: datetime) -> bool:
    return abs(now.timestamp() - timestamp) <= FRESH.total_seconds()


def _signed(query: bytes, *, echo: bool = False) -> Signed:
    usual = None if echo else _USUAL.fullmatch(query)  # as the platform writes it: a tenth of the work
    if usual is not None:
        signature, timestamp, nonce = usual[1].decode(), usual[2].decode(), usual[3].decode()
        return Signed(signature, int(timestamp), timestamp, nonce, None)
    return _signed_anyhow(query, echo=echo)


def _signed_anyhow(query: bytes, *, echo: bool) -> Signed:
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=16, errors="strict")
    except ValueError as error:
        raise Rejected("query") from error
    wanted = _PARAMETERS | {"echostr"} if echo else _PARAMETERS
    found: Mapping[str, str] = dict(pairs)
    names = [name for name, _ in pairs if name in wanted]
    if len(names) != len(wanted) or len(set(names)) != len(wanted):
        raise Rejected("parameters missing or repeated")
    timestamp = found["timestamp"]
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= MAX_TIMESTAMP):
        raise Rejected("timestamp")
    if max(len(found["nonce"]), len(found["msg_signature"])) > MAX_PARAMETER:
        raise Rejected("parameter too long")
    return Signed(
        found["msg_signature"], int(timestamp), timestamp, found["nonce"], found["echostr"] if echo else None
    )


def _encrypted(body: bytes) -> str:
    """The one ``<Encrypt>`` of the outer document, found without parsing it: nothing is parsed unverified."""
    if body.count(b"<Encrypt") != 1 or b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise Rejected("no single Encrypt element")
    match = _ENCRYPT.search(body)
    if match is None:
        raise Rejected("no Encrypt element")
    return (match[1] or match[2]).decode()
