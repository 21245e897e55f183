"""Keep credentials out of logs and exception texts.

The platforms force the access token into the query string, so every URL is a secret: urllib3 logs it at DEBUG
and requests puts it into its exceptions. Texts pass through `scrub` before they leave `bot/wechat`.
"""

from __future__ import annotations

import logging
import re

_SECRET_PARAMS = re.compile(
    r"(?P<name>(?:\b|(?<=%3[Ff])|(?<=%26))(?:(?:suite_|provider_|component_)?access_token|corpsecret|secret|ticket|refresh_token|code)"
    r"(?:=|%3[dD]))(?P<value>[^&\s\"'<>)\]]+)"
)


def scrub(text: str) -> str:
    """Return the text with the values of secret query parameters replaced by ``***``."""
    return _SECRET_PARAMS.sub(r"\g<name>***", text)


class _ScrubFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = scrub(record.getMessage()), None
        return True


_FILTER = _ScrubFilter("scrub")


def scrub_library_logs() -> None:
    """Scrub what the HTTP library logs about URLs. A second call changes nothing."""
    for name in ("urllib3.connectionpool", "urllib3.poolmanager", "urllib3.connection", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_FILTER)  # addFilter ignores a filter it already has
