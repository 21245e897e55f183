"""Asking the product what it did, on behalf of the page: its API token stays in this process.

Where the product is and the token come from the settings or the environment; else from a JSON file that ``make demo``
writes (``base_url``, ``api_token``), read again when it changes: the demo makes its token after the sandbox started.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.sandbox.settings import SandboxSettings

logger = logging.getLogger(__name__)
TIMEOUT = aiohttp.ClientTimeout(total=4.0, connect=1.0)
LARGEST_PICTURE = 10 * 1024 * 1024
DEMO_INFO = "demo.json"
TOKEN_VARIABLE = (
    "SANDBOX_PRODUCT_TOKEN"  # read here too: not every way to start a sandbox has an option for it
)


class Reach(StrEnum):
    """How asking the product went; the page has a sentence for each."""

    OK = "ok"
    AWAY = "away"  # nobody listens, or no answer in time
    REFUSED = "refused"  # 401 or 403: the token is wrong, expired or too weak
    BROKEN = "broken"  # any other answer
    UNKNOWN = "unknown"  # we were given no address or no token


@dataclass(frozen=True)
class Told:
    """What came of asking: ``body`` is there when ``reach`` is OK."""

    reach: Reach
    status: int = 0
    body: Any = None


class Product:
    """The product's REST API, read only."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._info: tuple[int, dict[str, str]] = (0, {})

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def url(self) -> str:
        """Scheme, host and port of the product, or nothing."""
        chosen = self._settings.product_url or self._read_info().get("base_url", "")
        if not chosen and self._settings.callback_url:
            parts = urlsplit(self._settings.callback_url)
            chosen = f"{parts.scheme}://{parts.netloc}"
        return chosen.rstrip("/")

    @property
    def _token(self) -> str:
        told = self._settings.product_token or os.environ.get(TOKEN_VARIABLE, "")
        return told or self._read_info().get("api_token", "")

    def _read_info(self) -> dict[str, str]:
        path = self._info_path()
        try:
            changed = path.stat().st_mtime_ns if path else 0
            if path and changed != self._info[0]:
                found = json.loads(path.read_text("utf-8"))
                texts = {key: value for key, value in dict(found).items() if isinstance(value, str)}
                self._info = (changed, texts)
        except (OSError, ValueError, TypeError):
            return {}
        return self._info[1]

    def _info_path(self) -> Path | None:
        if self._settings.product_info:
            return Path(self._settings.product_info)
        if self._settings.database in ("", ":memory:"):
            return None
        return Path(self._settings.database).with_name(DEMO_INFO)

    async def picture(self, address: str) -> tuple[bytes, str] | None:
        """A picture at the product's own address, as WeChat would fetch it for a card; None for anything else."""
        if not self.url or not address.startswith(f"{self.url}/"):
            return None
        try:
            async with self._connect().get(address, allow_redirects=False) as answer:
                kind = answer.content_type
                if answer.status != 200 or kind not in ("image/png", "image/jpeg"):  # noqa: PLR2004
                    return None
                return await answer.content.read(LARGEST_PICTURE), kind
        except (TimeoutError, aiohttp.ClientError):
            return None

    def _connect(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=True)
        return self._session

    async def read(self, path: str, **query: str) -> Told:
        """GET ``/api/v1`` + path. Never raises: the page tells people what ``reach`` means."""
        url, token = self.url, self._token
        if not url or not token:
            return Told(Reach.UNKNOWN)
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with self._connect().get(
                f"{url}/api/v1{path}", params=query, headers=headers, allow_redirects=False
            ) as answer:
                if answer.status in (401, 403):
                    return Told(Reach.REFUSED, answer.status)
                if answer.status != 200:  # noqa: PLR2004 - the one good status
                    return Told(Reach.BROKEN, answer.status)
                return Told(Reach.OK, answer.status, await answer.json())
        except (TimeoutError, aiohttp.ClientConnectionError):
            return Told(Reach.AWAY)
        except (aiohttp.ClientError, ValueError) as problem:
            logger.warning("product answered oddly url=%s %s: %s", url, type(problem).__name__, problem)
            return Told(Reach.BROKEN)
