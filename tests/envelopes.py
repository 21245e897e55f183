"""Callbacks as the platform sends them: encrypted, wrapped, signed. The knobs are for what it never sends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

from bot.wechat.crypto import CallbackCrypto

CORP = "ww1a2b3c4d5e6f7a8b"
TOKEN = "scrm_sim_token"
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # the instant of tests/conftest.py


def crypto(*, token: str = TOKEN, key: str = KEY, receive_id: str = CORP) -> CallbackCrypto:
    return CallbackCrypto(token, key, receive_id)


def event_xml(change: str = "add_external_contact", **fields: object) -> str:
    """A ``change_external_contact`` of one customer; fields replace or extend."""
    values: dict[str, object] = {
        "ToUserName": CORP,
        "FromUserName": "sys",
        "CreateTime": int(NOW.timestamp()),
        "MsgType": "event",
        "Event": "change_external_contact",
        "ChangeType": change,
        "UserID": "zhangsan",
        "ExternalUserID": "wmSIM0000000000000000000000001",
        **fields,
    }
    inner = "".join(
        f"<{tag}>{value}</{tag}>" if isinstance(value, int) else f"<{tag}><![CDATA[{value}]]></{tag}>"
        for tag, value in values.items()
    )
    return f"<xml>{inner}</xml>"


@dataclass(frozen=True)
class Post:
    """One signed request: ``query`` and ``body`` as they go over the wire."""

    parameters: list[tuple[str, str]]
    encrypted: str
    body: bytes
    message: bytes = field(default=b"", repr=False)

    @property
    def query(self) -> bytes:
        return urlencode(self.parameters).encode()

    def with_parameters(self, *parameters: tuple[str, str]) -> bytes:
        return urlencode(list(parameters)).encode()

    def echo_query(self) -> bytes:
        """The same signed strings, sent as a GET."""
        return urlencode([*self.parameters, ("echostr", self.encrypted)]).encode()


def wrap(encrypted: str, *, to: str = CORP) -> bytes:
    return (
        f"<xml><ToUserName><![CDATA[{to}]]></ToUserName><AgentID><![CDATA[1000002]]></AgentID>"
        f"<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    ).encode()


def post(
    message: str | bytes | None = None,
    *,
    pair: CallbackCrypto | None = None,
    at: datetime = NOW,
    nonce: str = "7788990011",
    encrypted: str | None = None,
    to: str = CORP,
) -> Post:
    """A genuine request; ``encrypted`` replaces the ciphertext and is signed all the same."""
    pair = pair or crypto()
    plain = event_xml() if message is None else message
    data = plain.encode() if isinstance(plain, str) else plain
    sealed = pair.encrypt(data) if encrypted is None else encrypted
    timestamp = str(int(at.timestamp()))
    parameters = [
        ("msg_signature", pair.sign(timestamp, nonce, sealed)),
        ("timestamp", timestamp),
        ("nonce", nonce),
    ]
    return Post(parameters, sealed, wrap(sealed, to=to), data)
