"""Pictures that WeCom gives by link, such as a channel's code: fetched from its own hosts, and kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
import structlog

from bot.wechat.codes import read_code
from bot.wechat.transport import open_session

log = structlog.get_logger(__name__)

HOSTS = ("qpic.cn", "work.weixin.qq.com")  # and what lies below them
TIMEOUT = (2.0, 5.0)
LARGEST = 2 * 1024 * 1024
MOST_KEPT = 200
_SIGNS = (b"\x89PNG", b"\xff\xd8\xff")


@dataclass(frozen=True)
class Picture:
    """A picture as it came. ``says``: the link of the code on it, where it was read for certain."""

    content: bytes
    says: str | None


class Pictures:
    """Fetches pictures from WeCom's hosts only; of ``api_base``'s too where that is the sandbox's double."""

    def __init__(self, api_base: str, *, is_double: bool) -> None:
        self._api_base = api_base
        self._own = urlsplit(api_base).netloc if is_double else None
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Picture] = OrderedDict()

    def get(self, url: str) -> Picture | None:
        """The picture, read once; None for a foreign host and for anything that is none or does not come."""
        if not self._may(url):
            return None
        with self._lock:
            if url in self._kept:
                self._kept.move_to_end(url)
                return self._kept[url]
        content = self._fetch(url)
        if content is None:
            return None
        picture = Picture(content, read_code(content))
        with self._lock:
            self._kept[url] = picture
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return picture

    def _may(self, url: str) -> bool:
        parts = urlsplit(url)
        if self._own is not None:
            return parts.netloc == self._own
        host = parts.hostname or ""
        return parts.scheme in ("https", "http") and any(
            host == one or host.endswith(f".{one}") for one in HOSTS
        )

    def _fetch(self, url: str) -> bytes | None:
        try:
            with open_session(self._api_base, pool_size=2) as session:
                answer = session.get(url, timeout=TIMEOUT, stream=True, allow_redirects=False)
                content = answer.raw.read(LARGEST + 1, decode_content=True)
        except (requests.RequestException, OSError) as error:
            log.warning("picture_not_fetched", error=type(error).__name__)
            return None
        is_picture = answer.status_code == requests.codes.ok and content.startswith(_SIGNS)
        return content if is_picture and len(content) <= LARGEST else None
