"""The nginx site of ``deploy/``, run with a certificate, ports and files of a test's own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.stand import free_port

CONF = Path(__file__).resolve().parents[2] / "deploy" / "nginx" / "lianke.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
AS_ROOT = "user root root;"  # else workers could not read a test's folder
MAIN = """
{user}
daemon off;
pid {home}/nginx.pid;
error_log {home}/error.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    include {home}/lianke.conf;
}}
"""


def needs_nginx(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that nginx runs in; ``make test`` brings it."""
    there = pytest.mark.skipif(NGINX is None, reason="nginx is not installed: apt install nginx")
    return pytest.mark.nginx(there(test))


class Site:
    """``with Site(home, ports) as site``: ``site.base`` is served by nginx in front of these back ends."""

    def __init__(self, home: Path, ports: list[int]) -> None:
        self._home = home
        self.port = free_port()
        self.base = f"https://127.0.0.1:{self.port}"
        home.mkdir()
        (home / "nginx.conf").write_text(MAIN.format(home=home, user=AS_ROOT if os.getuid() == 0 else ""))
        (home / "lianke.conf").write_text(self._conf(ports))
        _make_certificate(home)

    def _conf(self, ports: list[int]) -> str:
        servers = "".join(f"server 127.0.0.1:{port} max_fails=0;\n" for port in ports)
        text = re.sub(r"(?m)^ +#?server 127.*\n", "", CONF.read_text())
        text = text.replace("upstream lianke {", f"upstream lianke {{\n{servers}")
        text = re.sub(r"listen (?:\[::\]:)\d+.*;", "", text)
        text = text.replace("listen 80;", f"listen 127.0.0.1:{free_port()};")
        text = text.replace("listen 443", f"listen 127.0.0.1:{self.port}")
        text = text.replace("/etc/letsencrypt/live/scrm.example.com", str(self._home))
        return text.replace("/var/log/nginx", str(self._home))

    def command(self, *options: str) -> list[str]:
        assert NGINX is not None
        return [NGINX, "-p", str(self._home), "-c", str(self._home / "nginx.conf"), *options]

    def __enter__(self) -> Self:
        with (self._home / "out.log").open("wb") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        self.http = requests.Session()
        self.http.verify = str(self._home / "fullchain.pem")
        self.http.trust_env = False
        end = time.monotonic() + 20
        while True:
            try:
                self.http.get(f"{self.base}/healthz", timeout=5)
                return self
            except requests.ConnectionError:
                waiting = self._process.poll() is None and time.monotonic() < end
                assert waiting, (self._home / "out.log").read_text()
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self._process.terminate()
        self._process.wait(20)


def _make_certificate(home: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    (home / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (home / "privkey.pem").write_bytes(key.private_bytes(*plain))
