"""A command line in a folder of its own: config.toml beside a migrated database."""

from __future__ import annotations

import logging
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.cli import main
from scrm import seal
from scrm.db import Database

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
CONFIG = """
[app]
base_url = "{base_url}"
secret_key = "ssssssssssssssssssssssssssssssssssssssss"
encryption_keys = ["{key}"]
[server]
port = {port}
[database]
url = "sqlite:///{path}"
[wecom]
corp_id = "ww1a2b3c4d5e6f7a8b"
agent_id = 1000002
secret = "{secret}"
contact_secret = "{contact_secret}"
token = "LiankeSandboxToken"
encoding_aes_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
api_base = "{api_base}"
"""


class Cli:
    """``cli("token", "list")`` runs a command line; ``configure(port=...)`` rewrites its config.toml."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.path = home / "lianke.db"
        self.config = home / "config.toml"
        self.configure()

    def configure(self, **changes: object) -> None:
        values: dict[str, object] = {
            "base_url": "http://127.0.0.1:1",
            "port": 8000,
            "path": self.path,
            "key": KEY,
            "secret": "sandbox-app-secret",
            "contact_secret": "sandbox-contact-secret",
            "api_base": "http://127.0.0.1:1/qyapi",
            **changes,
        }
        self.config.write_text(CONFIG.format(**values))

    def __call__(self, *arguments: object, answer: str | None = None) -> Result:
        line = ["--config", str(self.config), *map(str, arguments)]
        return CliRunner().invoke(main, line, input=answer)

    def ok(self, *arguments: object, answer: str | None = None) -> str:
        """What the command said on stdout; it must end with 0."""
        result = self(*arguments, answer=answer)
        assert result.exit_code == 0, (result.exit_code, result.output, result.exception)
        return result.stdout


@pytest.fixture
def cli(tmp_path: Path, migrated_file: Path, quiet_logs: None) -> Cli:
    made = Cli(tmp_path)
    shutil.copy(migrated_file, made.path)
    seal.use(seal.Keyring([KEY]))
    return made


@pytest.fixture
def cli_database(cli: Cli) -> Iterator[Database]:
    """The database that the command line works on."""
    made = Database(f"sqlite:///{cli.path}")
    yield made
    made.dispose()


@pytest.fixture
def quiet_logs(keyring: seal.Keyring) -> Iterator[None]:
    """Commands take over logging and the keyring: give both back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    hooks = sys.excepthook, threading.excepthook
    yield
    root.handlers[:], root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(capture=False)
    seal.use(keyring)
