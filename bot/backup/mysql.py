"""MySQL and MariaDB: the server's own dump program.

Neither rolls back a CREATE TABLE. So the revision is dumped, and loaded, last: a database whose restore was cut off has
no revision, and no process works on it.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from bot.backup import tools
from bot.backup.errors import BackupFailed

ADVICE = "请安装 mariadb-client（或 mysql-client），或在数据库服务器上自行备份，见 docs/operations.md"
DUMP = ("--single-transaction", "--quick", "--hex-blob", "--no-tablespaces", "--skip-comments")
REVISION = "alembic_version"
MARK = b"-- lianke: everything above, then the revision "
END = b"-- lianke: complete\n"
_MARK = re.compile(re.escape(MARK) + rb"(\w+)\n")


def dump(url: URL, target: Path, revision: str | None) -> None:
    """Write a dump of one moment, the revision last; the product goes on working. Raises BackupFailed."""
    program = tools.find("mariadb-dump", "mysqldump", advice=ADVICE)
    base = [program, *tools.mysql_arguments(url), *DUMP]
    environment, name = tools.mysql_environment(url), str(url.database)
    with target.open("wb") as file:
        tools.run([*base, f"--ignore-table={name}.{REVISION}", name], environment, stdout=file)
        file.write(MARK + f"{revision}\n".encode())
        file.flush()
        tools.run([*base, name, REVISION], environment, stdout=file)
        file.write(END)


def check(path: Path) -> str | None:
    """The migration revision of a dump that was written to its end. Raises BackupFailed for a broken one."""
    found = None
    with path.open("rb") as file:
        line = b""
        for line in file:
            found = _MARK.fullmatch(line) or found
    if found is None or line != END:
        raise BackupFailed("backup_damaged", f"{path} 不完整，或不是 lianke backup 写的")
    return found[1].decode()


def restore(url: URL, path: Path, last: str) -> None:
    """Load a dump; the statement ``last`` runs before the revision makes the database usable. Raises BackupFailed."""
    program = tools.find("mariadb", "mysql", advice=ADVICE)
    arguments = [program, *tools.mysql_arguments(url), "--batch", str(url.database)]
    with path.open("rb") as file, tempfile.TemporaryFile() as said:
        loading = subprocess.Popen(  # noqa: S603
            arguments,
            env=tools.mysql_environment(url),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        with suppress(BrokenPipeError), loading:  # it has ended then, and says why
            _feed(file, cast("IO[bytes]", loading.stdin), last)
        if loading.returncode != 0:
            said.seek(0)
            raise tools.failed(program, loading.returncode, said.read())


def _feed(file: IO[bytes], sink: IO[bytes], last: str) -> None:
    """The dump, line by line, with the statement where the revision begins."""
    for line in file:
        if _MARK.fullmatch(line):
            sink.write(f"{last};\n".encode())
        sink.write(line)
    sink.close()


def others(connection: Connection) -> list[str]:
    """Who else of our own user is connected to this database."""
    rows = connection.execute(
        text(
            "SELECT concat('id ', id) FROM information_schema.processlist WHERE db = database()"
            " AND user = substring_index(current_user(), '@', 1) AND id <> connection_id()"
        )
    )
    return [str(row[0]) for row in rows]
