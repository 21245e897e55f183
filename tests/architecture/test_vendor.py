"""What others wrote is shipped as they wrote it, with their licence beside it."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "bot/web/static/vendor"
FILES = tomllib.loads((VENDOR / "MANIFEST.toml").read_text("utf-8"))["file"]
KEYS = {"name", "package", "version", "source", "path", "sha256", "licence", "licence_text"}


@pytest.mark.parametrize("entry", FILES, ids=lambda entry: str(entry["name"]))
def test_each_file_is_what_the_manifest_says(entry: dict[str, str]):
    assert entry.keys() == KEYS
    assert hashlib.sha256((VENDOR / entry["name"]).read_bytes()).hexdigest() == entry["sha256"]
    assert entry["version"] in entry["source"]
    assert len((VENDOR / entry["licence_text"]).read_text("utf-8")) > 500
    row = f"| `{entry['name']}` | {entry['package']} {entry['version']} | {entry['licence']} |"
    assert row in (ROOT / "docs/third-party.md").read_text("utf-8")


def test_nothing_is_vendored_without_an_entry():
    named = {entry[key] for entry in FILES for key in ("name", "licence_text")} | {"MANIFEST.toml"}

    assert {path.name for path in VENDOR.iterdir()} == named
