"""WeCom's server API for one corp: every call with a timeout, one token refresh, and an honest error.

Built on `wechatpy.work.WeChatClient`, of which we keep the endpoint wrappers and replace everything that
touches the network, for the reasons in docs/adr/0004: it retries without end, fetches tokens without lock or
timeout and ignores `API_BASE_URL` for gettoken.

Source of the rules: developer.work.weixin.qq.com path/91039 (token), 90313 (codes), 90253 (media).
"""

from __future__ import annotations

import json
import mimetypes
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import requests
from wechatpy.work import WeChatClient  # type: ignore[import-untyped, unused-ignore]

from bot.wechat import transport
from bot.wechat.errors import (
    CredentialsRefused,
    NotSent,
    OutcomeUnknown,
    Permanent,
    QuotaSpent,
    Retryable,
    TokenInvalid,
    WeChatError,
)
from bot.wechat.tokens import Fetched, Grant, TokenStore, token_key
from bot.wechat.transport import Answer, Timeout

__all__ = ["CallRecord", "MediaUpload", "Page", "Timeout", "WeComClient"]

TOKEN_LIFETIME = 7200.0  # seconds, when gettoken does not say (path/91039)
TOKEN_TRIES = 5  # tokens one call may try; it fetches at most one itself, the others are other threads'
UPLOAD_TIMEOUT = Timeout(connect=3.0, read=20.0)  # 20 MB through a slow uplink

_FILE_PART = ("filename", "bytes", "content type")
_API_PATH = re.compile(r"[A-Za-z0-9_]+(?:/[A-Za-z0-9_]+)*")


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One exchange with the platform, for metrics. `errcode` is None when none was received.

    `bytes_sent` counts headers and body handed to the socket; `outcome` is "ok" or the error's class name.
    """

    api: str
    ms: float
    errcode: int | None
    http_status: int | None
    bytes_sent: int
    outcome: str


@dataclass(frozen=True, slots=True)
class MediaUpload:
    """An uploaded file. The platform forgets it three days after `created_at`."""

    media_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its items, the cursor of the next one ("" at the end) and the whole answer."""

    items: list[Any]
    next_cursor: str
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    api: str
    params: Mapping[str, Any]
    data: bytes | None
    files: Mapping[str, tuple[str, bytes, str]] | None
    timeout: Timeout


class _CorpApi(WeChatClient):  # type: ignore[misc, unused-ignore]  # wechatpy has no type hints
    """wechatpy's endpoints for one (corp, secret) over our transport, token store and errors."""

    def __init__(
        self,
        corp_id: str,
        secret: str,
        *,
        api_base: str,
        tokens: TokenStore,
        http: requests.Session,
        on_call: Callable[[CallRecord], None],
    ) -> None:
        self._key = token_key(corp_id, secret)
        self._tokens = tokens
        self._on_call = on_call
        super().__init__(corp_id, secret, auto_retry=False)
        self._http = http
        self.API_BASE_URL = f"{api_base}/cgi-bin/"

    @property
    def access_token_key(self) -> str:
        """The key under which the token is kept; unlike wechatpy's it shows nothing of the secret."""
        return self._key

    @property
    def access_token(self) -> str:
        """A token that is believed to work."""
        return self._tokens.get(self._key, self._fetch).value

    def fetch_access_token(self) -> dict[str, Any]:
        """Replace the token now. Only wechatpy's interface asks for this; calls refresh by themselves."""
        old = self.access_token
        return {"access_token": self._tokens.get(self._key, self._fetch, failed=old).value}

    def _request(self, method: str, url_or_endpoint: str, **kwargs: Any) -> Any:
        base = kwargs.pop("api_base_url", None) or self.API_BASE_URL
        url = url_or_endpoint if url_or_endpoint.startswith("http") else f"{base}{url_or_endpoint}"
        data = kwargs.get("data")
        request = _Request(
            method=method.upper(),
            url=url,
            api=url.split("?")[0].rpartition("/cgi-bin/")[2],
            params={k: v for k, v in (kwargs.get("params") or {}).items() if v is not None},
            data=_encode(data) if data is not None else None,
            files=_replayable(kwargs.get("files")),
            timeout=kwargs.get("timeout") or Timeout(),
        )
        result = self._perform(request)
        processor = kwargs.get("result_processor")
        return processor(result) if processor else result

    def _perform(self, request: _Request) -> dict[str, Any]:
        """Send; after a refused token send again with a newer one, which this call fetches at most once."""
        grant = self._tokens.get(self._key, self._fetch)
        renewed = ""
        for _ in range(TOKEN_TRIES):
            try:
                answer = self._send(request, {**request.params, "access_token": grant.value})
            except TokenInvalid as error:
                refused = error
            else:
                self._tokens.accepted(self._key)
                return answer.data
            if grant.value == renewed:
                self._tokens.rejected(self._key, refused)
            newer = self._tokens.current(self._key)
            if newer is not None and newer != grant.value:
                grant = Grant(newer, fetched=False)  # another thread was faster
            elif not renewed:
                grant = self._tokens.get(self._key, self._fetch, failed=grant.value)
                renewed = grant.value if grant.fetched else ""
            else:
                break
        raise refused

    def _fetch(self) -> Fetched:
        """Ask gettoken. Whatever goes wrong here, the call that needed the token has not been sent."""
        request = _Request("GET", f"{self.API_BASE_URL}gettoken", "gettoken", {}, None, None, Timeout())
        failed: WeChatError
        try:
            answer = self._send(request, {"corpid": self.corp_id, "corpsecret": self.secret})
        except (NotSent, QuotaSpent, Retryable):
            raise
        except WeChatError as error:
            failed = error
        else:
            token = answer.data.get("access_token")
            if token:
                return Fetched(str(token), float(answer.data.get("expires_in") or TOKEN_LIFETIME))
            failed = OutcomeUnknown(errmsg="gettoken answered without a token", http_status=answer.status)
        kind = NotSent if isinstance(failed, OutcomeUnknown) else CredentialsRefused
        raise kind(failed.errcode, failed.errmsg, failed.hint, api="gettoken", http_status=failed.http_status)

    def _send(self, request: _Request, params: Mapping[str, Any]) -> Answer:
        """Do one exchange, check its errcode and report it."""
        started = time.perf_counter()
        errcode: int | None = None
        status: int | None = None
        outcome = "ok"
        try:
            answer = transport.exchange(
                self._http,
                request.method,
                request.url,
                api=request.api,
                timeout=request.timeout,
                params=params,
                data=request.data,
                files=request.files,
            )
            errcode, status = answer.errcode, answer.status
            answer.check(request.api)
            return answer
        except WeChatError as error:
            errcode, status, outcome = error.errcode, error.http_status, type(error).__name__
            raise
        finally:
            ms = (time.perf_counter() - started) * 1000
            self._on_call(CallRecord(request.api, ms, errcode, status, transport.bytes_sent(), outcome))


def _ignore(record: CallRecord) -> None:
    pass


class WeComClient:
    """Calls WeCom for one corp. Safe for many threads; make one per process and keep it.

    `secrets` maps "app" (self-built app) and "contact" (客户联系) to their secrets. Corps that opened customer
    contact after 2023 have no contact secret: without one, contact calls use the app's. `on_call` is told of
    every exchange, on the calling thread, and must not raise.
    """

    def __init__(
        self,
        corp_id: str,
        secrets: Mapping[str, str],
        api_base: str = "https://qyapi.weixin.qq.com",
        *,
        tokens: TokenStore | None = None,
        on_call: Callable[[CallRecord], None] = _ignore,
        pool_size: int = transport.POOL_SIZE,
    ) -> None:
        if not secrets.get("app"):
            raise ValueError("secrets: the app's secret is missing")
        base = api_base.rstrip("/")
        http = transport.open_session(base, pool_size=pool_size)
        store = TokenStore() if tokens is None else tokens
        self.corp_id = corp_id
        self._http = http
        self._tokens = store
        self._ticket_key = token_key(corp_id, secrets["app"], kind="app_ticket")
        self._apis = {
            name: _CorpApi(corp_id, secret, api_base=base, tokens=store, http=http, on_call=on_call)
            for name, secret in secrets.items()
            if secret
        }

    def __repr__(self) -> str:
        return f"WeComClient(corp_id={self.corp_id!r})"

    def sdk(self, secret: str = "contact") -> WeChatClient:
        """Return wechatpy's client for a secret, with its endpoint wrappers over our transport and errors.

        Downloads do not work through it: an answer that is no JSON raises `OutcomeUnknown`.
        """
        return self._apis.get(secret) or self._apis["app"]

    def call(
        self,
        api: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        secret: str = "contact",
        timeout: Timeout = Timeout(connect=3.0, read=5.0),  # noqa: B008  # frozen
    ) -> dict[str, Any]:
        """Call the API at the path after ``cgi-bin/`` and return its answer; errcode was 0 or absent.

        POST when there is a body, else GET. A mapping is sent as raw UTF-8 JSON (some APIs refuse escaped
        characters with 40033); bytes go out unchanged, so a repeat is byte-identical. A refused token is replaced
        once and the call sent again; nothing else is ever repeated. Raises the tree of `bot.wechat.errors`.
        """
        if not _API_PATH.fullmatch(api):
            raise ValueError(f"not an API path: {api!r}")
        client = self.sdk(secret)
        send = client.get if body is None else client.post
        answer: dict[str, Any] = send(api, params=params, data=body, timeout=timeout)
        return answer

    def upload_media(
        self,
        kind: Literal["image", "voice", "video", "file"],
        filename: str,
        data: bytes,
        *,
        secret: str = "app",
        timeout: Timeout = UPLOAD_TIMEOUT,
    ) -> MediaUpload:
        """Upload a temporary file (media/upload) and return its id, good for 3 days for all apps of the corp.

        A repeat makes a second file and harms nothing. Limits: image 10 MB, voice 2 MB, video 10 MB, file 20 MB
        (path/90253); breaking them raises `Permanent`.
        """
        content_type = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        answer = self.sdk(secret).post(
            "media/upload",
            params={"type": kind},
            files={"media": (filename, data, content_type)},
            timeout=timeout,
        )
        created = datetime.fromtimestamp(int(answer["created_at"]), UTC)  # a string of seconds
        return MediaUpload(str(answer["media_id"]), created)

    def iter_pages(
        self,
        api: str,
        body: Mapping[str, Any] | None,
        items_key: str,
        *,
        params: Mapping[str, Any] | None = None,
        secret: str = "contact",
        cursor: str = "",
    ) -> Iterator[Page]:
        """Walk a list with ``cursor``/``next_cursor`` and yield its pages, one call each, as they are asked for.

        The cursor goes into the body, or into the query when there is no body. A page may be empty and not be
        the last. Cursors are short-lived: start again rather than keep one. Raises what `call` raises, and
        `Permanent` when the platform gives the same cursor again, which would never end.
        """
        while True:
            extra = {"cursor": cursor} if cursor else {}
            if body is None:
                answer = self.call(api, params={**(params or {}), **extra}, secret=secret)
            else:
                answer = self.call(api, {**body, **extra}, params=params, secret=secret)
            following = str(answer.get("next_cursor") or "")
            yield Page(list(answer.get(items_key) or ()), following, answer)
            if not following:
                return
            if following == cursor:
                raise Permanent(errmsg="next_cursor does not move", api=api)
            cursor = following

    def member_of_code(self, code: str) -> str | None:
        """Return the userid behind a login code, None for somebody who is no member (path/91023).

        A code is good once, for five minutes; another one raises `Permanent` (40029, 42003, 42022).
        """
        answer = self.call("auth/getuserinfo", params={"code": code}, secret="app")
        userid = str(answer.get("userid") or "")
        return userid or None

    def app_ticket(self) -> str:
        """Return the app's JS-SDK ticket, kept and shared as tokens are (path/90506). It must not leave the server."""
        return self._tokens.get(self._ticket_key, self._fetch_ticket).value

    def _fetch_ticket(self) -> Fetched:
        answer = self.call("ticket/get", params={"type": "agent_config"}, secret="app")
        return Fetched(str(answer["ticket"]), float(answer.get("expires_in") or TOKEN_LIFETIME))

    def close(self) -> None:
        """Close the pooled connections. Calls after this open new ones."""
        self._http.close()


def _encode(data: Mapping[str, Any] | bytes | str) -> bytes:
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    return json.dumps(data, ensure_ascii=False).encode()


def _replayable(files: Mapping[str, Any] | None) -> Mapping[str, tuple[str, bytes, str]] | None:
    """Refuse file objects: after a token refresh they would be sent again from their end, as empty files."""
    for name, part in (files or {}).items():
        if not (isinstance(part, tuple) and len(part) == len(_FILE_PART) and isinstance(part[1], bytes)):
            raise TypeError(f"files[{name!r}] must be ({', '.join(_FILE_PART)})")
    return files
