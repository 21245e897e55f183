"""One HTTP exchange with a WeChat platform, and the honest answer to "did anything leave us?".

requests' exceptions do not tell: an SSLError may come from the handshake or from the middle of an answer. So
the connections of this session count the bytes they hand to the socket after it is open. Zero bytes and a
failure is `NotSent`; any byte and a failure is `OutcomeUnknown`. A pooled connection that the platform closed
in the meantime takes our bytes before it fails, hence `OutcomeUnknown`.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast
from urllib.parse import urlencode

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from bot.wechat.errors import (
    NotSent,
    OutcomeUnknown,
    Permanent,
    QuotaSpent,
    TransportError,
    WeChatError,
    error_for,
)
from bot.wechat.redaction import scrub, scrub_library_logs

POOL_SIZE = 32  # worker threads that may talk to one host at once without opening throw-away connections
MAX_ANSWER_BYTES = 32 * 1024 * 1024  # above the largest page WeCom documents; protects our memory
_CHUNK = 64 * 1024
_PERHAPS = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY)  # 4xx that leave it open: treated like 5xx


@dataclass(frozen=True, slots=True)
class Timeout:
    """Limits of one exchange, in seconds: `connect`, `read` between two packets, `total` for reading the body."""

    connect: float = 3.0
    read: float = 5.0
    total: float | None = None

    @property
    def deadline(self) -> float:
        """Seconds after which a body that still drips in is given up."""
        return self.connect + 2 * self.read if self.total is None else self.total

    @property
    def longest(self) -> float:
        """The longest an exchange can take, for sizing leases: the deadline and one more silent read."""
        return self.deadline + self.read


class _Wire(threading.local):
    """Bytes handed to a socket by this thread since the exchange began."""

    sent = 0


_wire = _Wire()


class _CountingConnection(HTTPConnection):
    _opening = False

    def connect(self) -> None:
        self._opening = True  # a proxy's CONNECT line is no part of the request
        try:
            super().connect()
        finally:
            self._opening = False

    def send(self, data: Any) -> None:
        if self.sock is None and not self._opening:
            self.connect()  # fails here, before the count, when nobody listens
        if not self._opening:
            _wire.sent += len(data)
        super().send(data)


class _CountingTLSConnection(_CountingConnection, HTTPSConnection):
    pass


class _CountingPool(HTTPConnectionPool):
    ConnectionCls = _CountingConnection


class _CountingTLSPool(HTTPSConnectionPool):
    ConnectionCls = _CountingTLSConnection


class _CountingAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _CountingPool, "https": _CountingTLSPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _CountingPool, "https": _CountingTLSPool}
        return manager


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer with a JSON object in it, whatever its errcode says."""

    status: int
    data: dict[str, Any]
    bytes_sent: int

    @property
    def errcode(self) -> int:
        """The errcode; a few old APIs leave it out on success, so absent counts as 0."""
        return int(self.data.get("errcode") or 0)

    def check(self, api: str) -> dict[str, Any]:
        """Return the data if errcode is 0, else raise the errcode's error. Data next to an error is not trusted."""
        if self.errcode != 0:
            raise error_for(self.errcode, str(self.data.get("errmsg", "")), api=api, http_status=self.status)
        return self.data


def open_session(api_base: str, *, pool_size: int = POOL_SIZE) -> requests.Session:
    """Return a session for many threads: pooled, no retries, no cookies, proxies read from the environment once."""
    scrub_library_logs()
    session = requests.Session()
    adapter = _CountingAdapter(pool_connections=4, pool_maxsize=pool_size, max_retries=0, pool_block=False)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    session.proxies.update(requests.utils.get_environ_proxies(api_base))
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    session.trust_env = False  # else every call reads ~/.netrc and the proxy variables again
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def exchange(
    session: requests.Session,
    method: str,
    url: str,
    *,
    api: str,
    timeout: Timeout,
    params: Mapping[str, Any] | None = None,
    data: bytes | None = None,
    files: Mapping[str, tuple[str, bytes, str]] | None = None,
) -> Answer:
    """Do one exchange and return its JSON object.

    Raises `NotSent`, `OutcomeUnknown` (also for 5xx and bodies that are no JSON object), and for other HTTP
    statuses a `PlatformError` (404 is an unknown path: `Permanent`). The errcode is left to `Answer.check`.
    Never raises with a URL in the text or an exception with a URL behind it.
    """
    _wire.sent = 0
    started = time.monotonic()
    failed: Exception | None = None
    status, body = 0, b""
    try:
        request = _prepare(session, method, url, dict(params or {}), data, files)
        with session.get_adapter(url).send(
            request,
            stream=True,
            timeout=(timeout.connect, timeout.read),
            verify=cast("bool | str", session.verify),
            proxies=session.proxies,
        ) as response:
            status = response.status_code
            body = _read(response, started + timeout.deadline)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        failed = error
    if failed is not None:  # raised out here, so that no exception with the URL in it hangs behind ours
        raise _transport_error(failed, api=api, status=status or None)
    return Answer(status, _decode(status, body, api=api), _wire.sent)


def _prepare(
    session: requests.Session,
    method: str,
    url: str,
    params: dict[str, Any],
    data: bytes | None,
    files: Mapping[str, tuple[str, bytes, str]] | None,
) -> requests.PreparedRequest:
    """Make the request by hand: requests' own way, for which all is said in ``open_session``, doubles a call's cost."""
    if files is not None:
        return session.prepare_request(requests.Request(method, url, params=params, files=files))
    request = requests.PreparedRequest()
    request.method, request.body = method, data
    request.url = f"{url}?{urlencode(params)}" if params else url
    request.headers = CaseInsensitiveDict(cast("Mapping[str, str]", session.headers))
    if data is not None:
        request.headers["Content-Type"] = "application/json"
        request.headers["Content-Length"] = str(len(data))
    return request


def bytes_sent() -> int:
    """Return how many bytes this thread's last exchange handed to the socket; 0 means surely no effect."""
    return _wire.sent


def _read(response: requests.Response, deadline: float) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise OSError("answer too large")
        if time.monotonic() > deadline:
            raise TimeoutError("answer still incomplete at the deadline")
    return b"".join(chunks)


def _transport_error(failed: Exception, *, api: str, status: int | None) -> TransportError:
    kind = OutcomeUnknown if _wire.sent else NotSent
    return kind(errmsg=scrub(f"{type(failed).__name__}: {failed}"), api=api, http_status=status)


def _decode(status: int, body: bytes, *, api: str) -> dict[str, Any]:
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        raise _status_error(status, api)
    try:
        data = json.loads(body)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise OutcomeUnknown(
            errmsg=f"answer of {len(body)} bytes is no JSON object", api=api, http_status=status
        )
    return data


def _status_error(status: int, api: str) -> WeChatError:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PERHAPS:
        return OutcomeUnknown(errmsg="server error", api=api, http_status=status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return QuotaSpent(errmsg="too many requests", api=api, http_status=status)
    if status == HTTPStatus.NOT_FOUND:
        return Permanent(errmsg="no such path", api=api, http_status=status)
    return Permanent(errmsg="refused by HTTP status: check api_base and proxies", api=api, http_status=status)
