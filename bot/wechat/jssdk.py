"""The signature with which a page of ours may call the JS-SDK (path/90506, 94313)."""

from __future__ import annotations

import hashlib


def signature(ticket: str, nonce: str, timestamp: int, url: str) -> str:
    """Sign a page's full address without its fragment, as it stands in the address bar."""
    text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
