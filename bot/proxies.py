"""Whose request it is: the peer's address, or what a trusted proxy says in X-Forwarded-For."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

Network = IPv4Network | IPv6Network
Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
MOST_HOPS = 20


def client_address(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """The nearest address that is no trusted proxy's; the peer where it is not one, whatever it claims.

    A header that a trusted proxy passed on with nonsense in it counts up to the nonsense.
    """
    here = peer
    for said in reversed([part.strip() for part in forwarded.split(",")][-MOST_HOPS:]):
        if not _is_within(here, trusted) or _address(said) is None:
            break
        here = said
    return here


def _is_within(text: str, networks: Sequence[Network]) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


class TrustedProxies:
    """Puts the client's address where the application reads it (``request.remote_addr``)."""

    def __init__(self, app: WsgiApp, networks: Sequence[str]) -> None:
        self._app = app
        self._networks = [ipaddress.ip_network(text) for text in networks]

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        peer = environ.get("REMOTE_ADDR") or ""
        environ["REMOTE_ADDR"] = client_address(peer, environ.get("HTTP_X_FORWARDED_FOR", ""), self._networks)
        return self._app(environ, start_response)
