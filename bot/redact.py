"""Takes secrets and phone numbers out of anything that is about to be written down.

Works on keys (``{"access_token": ...}``), on text (``?access_token=...``, ``Authorization: Bearer ...``, XML of a
callback, a mobile number in the middle of a sentence) and on values registered at start, wherever they turn up.
Every pattern is linear in the length of its text: log lines may hold what a stranger sent.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

MASK = "***"
MAX_DEPTH = 8
MIN_REMEMBERED = 8  # shorter values would blank out ordinary words

_NAMES = (
    r"(?:token|secret|password|passwd|pwd|aes_?key|secret_?key|encryption_?keys?|api_?key|private_?key"
    r"|welcome_?code|auth_?code|ticket|session|session_?id|mobiles?|phone|phone_?number|telephone)"
)
_KEY = re.compile(rf"(?:{_NAMES}|authorization|cookies?)s?$", re.IGNORECASE)

_EQUALS = r"\\?[\"']?\s*(?:[=:]|%3D)\s*\\?[\"']?"
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # Whole header values first: they have inner structure.
    (re.compile(rf"(authorization{_EQUALS})(?:bearer|basic)?\s*[^\s\"',;}}]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(rf"(cookies?{_EQUALS})[^\r\n\"'}}]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(rf"({_NAMES}{_EQUALS})[^\s\"'&,;)}}\]<>\\#]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(rf"(<\w{{0,32}}{_NAMES}>\s*(?:<!\[CDATA\[)?)[^<\]]+", re.IGNORECASE), rf"\1{MASK}"),
    # OAuth codes and webhook keys are secrets only as URL parameters.
    (re.compile(r"([?&](?:code|key)=)[^\s\"'&#]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(://[^\s:/@]{0,128}:)[^\s/@]{1,256}(?=@)"), rf"\1{MASK}"),
)
# No rule above can match a text without one of these; most log values have none, and are written thousands of times.
_HINTS = ("=", ":", "<", "%3", "bearer", "basic")
# Not after a decimal point: 0.13812345678 is a duration.
_PHONE = re.compile(r"(?<!\d)(?<!\d\.)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)")
_MIN_PHONE = 11


class Redactor:
    """Answers copies of values with every secret replaced by ``***``; never changes what it is given."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Remember the deployment's own secrets, so that they are found even without a telling name."""
        known = sorted({s for s in secrets if len(s) >= MIN_REMEMBERED}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def text(self, text: str) -> str:
        """Redact inside one text."""
        if self._known:
            text = self._known.sub(MASK, text)
        lowered = text.lower()
        if any(hint in lowered for hint in _HINTS):
            for pattern, replacement in _RULES:
                text = pattern.sub(replacement, text)
        return _PHONE.sub(MASK, text) if len(text) >= _MIN_PHONE else text

    def value(self, value: object, depth: int = 0) -> Any:
        """Redact a value of any kind. Unknown objects become their redacted repr."""
        match value:
            case None | bool() | float():
                return value
            case str():
                return self.text(value)
            case int():
                return value if self.text(str(value)) == str(value) else MASK
            case bytes() | bytearray():
                return self.text(bytes(value).decode("utf-8", "backslashreplace"))
            case _ if depth >= MAX_DEPTH:
                return "…"
            case Mapping():
                return self.mapping(value, depth + 1)
            case list() | tuple() | set() | frozenset():
                return [self.value(item, depth + 1) for item in value]
            case BaseException():
                return self.text(f"{type(value).__name__}: {value}")
            case _:
                return self.text(_safe(repr, value))

    def mapping(self, mapping: Mapping[Any, object], depth: int = 0) -> dict[str, Any]:
        """Redact a mapping: telling keys lose their value, all others are looked into."""
        return {
            self.text(str(key)): MASK
            if item is not None and is_secret_name(str(key))
            else self.value(item, depth)
            for key, item in mapping.items()
        }


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a key of this name holds a secret: access_token and X-Api-Token do, token_id and token_count do not."""
    return _KEY.search(name.replace("-", "_")) is not None


def _safe(show: Callable[[object], str], value: object) -> str:
    try:
        return show(value)
    except Exception as error:  # noqa: BLE001 - a broken __repr__ must not cost us the log line
        return f"<{type(value).__name__}: repr raised {type(error).__name__}>"
