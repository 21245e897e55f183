"""PostgreSQL: pg_dump's custom format, and its way back in one transaction."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import URL

from bot.backup import tools
from bot.backup.errors import BackupFailed

ADVICE = "请安装与服务器同版本或更新的 postgresql-client"
DUMP = ("--format=custom", "--no-owner", "--no-privileges", "--no-password", "--lock-wait-timeout=30s")
_VERSION = re.compile(r"^COPY .*alembic_version .*FROM stdin;\n(\S+)\n", re.MULTILINE)


def dump(url: URL, target: Path) -> None:
    """Write a dump of one moment; the product goes on working. Raises BackupFailed."""
    program = tools.find("pg_dump", advice=ADVICE)
    tools.run(
        [program, *DUMP, f"--file={target}"], tools.postgresql_environment(url), stdout=subprocess.DEVNULL
    )


def check(path: Path) -> str | None:
    """The migration revision of a dump that can be read to its end. Raises BackupFailed for a broken one."""
    program = tools.find("pg_restore", advice=ADVICE)
    environment = tools.postgresql_environment(URL.create("postgresql"))
    try:
        tools.run([program, "--file=/dev/null", str(path)], environment, stdout=subprocess.DEVNULL)
        table = [program, "--data-only", "--table=alembic_version", "--file=-", str(path)]
        found = _VERSION.search(tools.run(table, environment, stdout=subprocess.PIPE).decode())
    except BackupFailed as error:
        raise BackupFailed("backup_damaged", f"{path} 不是完好的备份：{error.message}") from error
    return found[1] if found else None


def restore(url: URL, path: Path, last: str) -> None:
    """Load a dump and run the statement ``last``, in one transaction: all of it, or nothing. Raises BackupFailed."""
    environment = tools.postgresql_environment(url)
    script = [tools.find("pg_restore", advice=ADVICE), "--no-owner", "--no-privileges", "--file=-", str(path)]
    psql = [
        tools.find("psql", advice=ADVICE),
        "--no-psqlrc",
        "--quiet",
        "--no-password",
        "--set=ON_ERROR_STOP=1",
    ]
    with tempfile.TemporaryFile() as reading_said, tempfile.TemporaryFile() as writing_said:
        reading = subprocess.Popen(  # noqa: S603
            script, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=reading_said
        )
        writing = subprocess.Popen(  # noqa: S603
            psql, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=writing_said
        )
        _pump(reading, writing, last)
        for program, said in ((writing, writing_said), (reading, reading_said)):
            if program.returncode != 0:
                said.seek(0)
                raise tools.failed(cast("list[str]", program.args)[0], program.returncode, said.read())


def _pump(reading: subprocess.Popen[bytes], writing: subprocess.Popen[bytes], last: str) -> None:
    """Everything from one into the other; COMMIT comes only when the first has ended well: an early end rolls back."""
    source, sink = cast("IO[bytes]", reading.stdout), cast("IO[bytes]", writing.stdin)
    try:
        sink.write(b"BEGIN;\n")
        shutil.copyfileobj(source, sink, 1024 * 1024)
        if reading.wait() == 0:
            sink.write(f"RESET search_path;\n{last};\nCOMMIT;\n".encode())
    except BrokenPipeError:  # psql has ended, and says why
        pass
    finally:
        with suppress(BrokenPipeError):
            sink.close()  # what it still holds has nowhere to go then
        source.close()
        reading.wait()
        writing.wait()


def others(connection: Connection) -> list[str]:
    """Who else of our own user is connected to this database."""
    rows = connection.execute(
        text(
            "SELECT coalesce(nullif(application_name, ''), 'pid ' || pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
        )
    )
    return [str(row[0]) for row in rows]


def set_aside(connection: Connection, schema: str) -> list[str]:
    """Move every table into a new schema, so that the place is free and nothing is lost. The tables moved.

    The triggers' functions move with them: a dump brings its own.
    """
    names = inspect(connection).get_table_names()
    functions = _functions(connection)
    connection.execute(text(f'CREATE SCHEMA "{schema}"'))
    _move(connection, "TABLE", names, f'SET SCHEMA "{schema}"')
    _move(connection, "FUNCTION", functions, f'SET SCHEMA "{schema}"')
    return names


def bring_back(connection: Connection, schema: str, names: list[str]) -> None:
    """Undo ``set_aside``."""
    home = connection.scalar(text("SELECT current_schema()"))
    functions = _functions(connection, schema)
    _move(connection, "TABLE", [f'{schema}"."{name}' for name in names], f'SET SCHEMA "{home}"')
    _move(connection, "FUNCTION", [f'{schema}"."{name}' for name in functions], f'SET SCHEMA "{home}"')
    connection.execute(text(f'DROP SCHEMA "{schema}"'))


def drop_functions(connection: Connection) -> None:
    """Drop the triggers' functions that a load brought; their tables are gone."""
    for name in _functions(connection):
        connection.execute(text(f'DROP FUNCTION "{name}"'))


def _functions(connection: Connection, schema: str | None = None) -> list[str]:
    """Our functions in a schema, the current one by default. None takes arguments."""
    query = """
        SELECT proname FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
        WHERE nspname = coalesce(:schema, current_schema()) AND proname LIKE 'lianke\\_%'
    """
    return list(connection.scalars(text(query), {"schema": schema}))


def _move(connection: Connection, kind: str, names: list[str], where: str) -> None:
    for name in names:
        connection.execute(text(f'ALTER {kind} "{name}" {where}'))
