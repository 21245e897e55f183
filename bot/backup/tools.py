"""The programs that come with a database server. Passwords go through the environment, never through arguments."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from sqlalchemy.engine import URL

from bot.backup.errors import BackupFailed

LAST_WORDS = 300  # characters of what a program said before it failed
_SSL = ("sslmode", "sslrootcert", "sslcert", "sslkey")


def find(*names: str, advice: str) -> str:
    """The path of the first program that is installed. Raises BackupFailed."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise BackupFailed("backup_tool_missing", f"找不到程序 {names[0]}：{advice}")


def postgresql_environment(url: URL) -> dict[str, str]:
    """How libpq's programs find the server."""
    told = {
        "PGHOST": url.host,
        "PGPORT": str(url.port) if url.port else None,
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        "PGCONNECT_TIMEOUT": "10",
        **{f"PG{name.upper()}": str(url.query[name]) for name in _SSL if name in url.query},
    }
    return {**os.environ, **{name: value for name, value in told.items() if value}}


def mysql_environment(url: URL) -> dict[str, str]:
    """The password alone: the programs read nothing else from the environment."""
    return {**os.environ, **({"MYSQL_PWD": url.password} if url.password else {})}


def mysql_arguments(url: URL) -> list[str]:
    """How MariaDB's and MySQL's programs find the server."""
    options = {"host": url.host, "port": url.port, "user": url.username}
    found = [f"--{name}={value}" for name, value in options.items() if value]
    return [*found, "--default-character-set=utf8mb4"]


def run(arguments: Sequence[str], environment: Mapping[str, str], *, stdout: IO[bytes] | int) -> bytes:
    """Run a program to its end; what it printed, where that is asked for. Raises BackupFailed with its last words."""
    ended = subprocess.run(  # noqa: S603 - no shell, and a program found on PATH
        list(arguments),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )
    if ended.returncode != 0:
        raise failed(arguments[0], ended.returncode, ended.stderr)
    return ended.stdout or b""


def failed(program: str, code: int, said: bytes) -> BackupFailed:
    """The error for a program that ended with a code, in its own words."""
    words = said.decode("utf-8", "replace").strip()[-LAST_WORDS:]
    return BackupFailed(
        "backup_tool_failed", f"{Path(program).name} 失败（退出码 {code}）：{words or '没有说明'}"
    )
