"""Whose address is believed."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from bot.proxies import TrustedProxies, client_address

PROXIES = [ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # a stranger's claim
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),  # what the caller claimed before
        ("127.0.0.1", "198.51.100.1, 10.1.1.1", "198.51.100.1"),  # two proxies
        ("127.0.0.1", "10.1.1.1", "10.1.1.1"),  # somebody inside
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1, nonsense, 10.1.1.1", "10.1.1.1"),
        ("::ffff:127.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("", "198.51.100.1", ""),
    ],
)
def test_only_a_trusted_proxy_says_who_asks(peer: str, forwarded: str, client: str):
    assert client_address(peer, forwarded, PROXIES) == client


def test_without_trusted_proxies_the_header_means_nothing():
    seen = []
    app = TrustedProxies(lambda environ, _start: seen.append(environ["REMOTE_ADDR"]) or [], [])

    app({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "198.51.100.1"}, lambda *_: None)

    assert seen == ["127.0.0.1"]
