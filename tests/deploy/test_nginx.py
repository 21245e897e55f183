"""The nginx site: what it lets through is what the program takes, and answers carry each header once."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from bot.api.serve import MAX_JSON, MAX_UPLOAD
from bot.callbacks.wecom import MAX_BODY
from tests.deploy.nginx_site import CONF, Site, needs_nginx
from tests.stand import Stand

UNITS = {"k": 1024, "m": 1024**2}


def limits() -> dict[str, int]:
    """Location → body limit in bytes; the server's own under ''."""
    found, location = {}, ""
    for line in CONF.read_text().splitlines():
        opened = re.search(r"location (?:= )?(\S+) +{", line)
        location = opened[1] if opened and not line.rstrip().endswith("}") else location
        size = re.search(r"client_max_body_size (\d+)([km]);", line)
        if size:
            found[location if line.startswith(" " * 8) else ""] = int(size[1]) * UNITS[size[2]]
    return found


def test_body_limits_are_those_of_the_program() -> None:
    assert limits() == {"": MAX_JSON, "/callback/": MAX_BODY, "/api/v1/media": MAX_UPLOAD}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Stand(tmp_path) as stand, Site(tmp_path / "nginx", [stand.port]) as made:
        yield made


@needs_nginx
def test_nginx_takes_the_site(tmp_path: Path) -> None:
    site = Site(tmp_path / "nginx", [8000])
    answer = subprocess.run(site.command("-t"), capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "[warn]" not in answer.stderr


@needs_nginx
def test_through_nginx_limits_headers_and_the_log(site: Site, tmp_path: Path) -> None:
    def post(path: str, size: int) -> requests.Response:
        return site.http.post(f"{site.base}{path}?echostr=SECRETQUERY", data=b"x" * size, timeout=20)

    assert post("/callback/wecom", MAX_BODY).status_code == 403  # the program's answer to nonsense
    assert post("/callback/wecom", MAX_BODY + 1).status_code == 413
    assert post("/api/v1/contacts", MAX_JSON).status_code == 401
    assert post("/api/v1/contacts", MAX_JSON + 1).status_code == 413
    for path in ("/", "/api/v1/contacts", "/healthz"):
        headers = site.http.get(
            f"{site.base}{path}", timeout=20
        ).headers  # a doubled header would hold a comma
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Strict-Transport-Security"] == "max-age=31536000", path
    log = (tmp_path / "nginx" / "lianke.log").read_text()
    assert "POST /callback/wecom" in log
    assert "SECRETQUERY" not in log
