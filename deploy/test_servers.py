"""Starts PostgreSQL and MariaDB for the tests where none lets us in: throw-away servers on ports of their own.

Data lies in the folder for temporary files and survives no power cut. A server goes on running, so that the next run
finds it; ``kill`` ends it.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

SEARCH = ["/usr/lib/postgresql/*/bin", "/usr/sbin", "/usr/local/sbin"]  # where Debian keeps servers
PATIENCE = 30.0


@dataclass(frozen=True)
class Server:
    """A server of ours. ``named`` is the variable by which a person names another one; see tests/databases.py."""

    marker: str
    title: str
    named: str
    usual: str
    own: str
    start: Callable[[Path], object]

    def lets_us_in(self) -> bool:
        """Whether tests find a server, of ours or of others."""
        urls = (os.environ.get(self.named), self.usual, self.own)
        return any(can_connect(url) for url in urls if url)

    def ensure(self) -> str:
        """Start it unless there is one; answer why that was not possible, or nothing."""
        if self.lets_us_in():
            return ""
        data = Path(tempfile.gettempdir()) / f"lianke-{self.marker}-{os.getuid()}"
        try:
            self.start(data)
        except (OSError, subprocess.CalledProcessError) as error:
            return str(error)
        end = time.monotonic() + PATIENCE
        while not can_connect(self.own):
            if time.monotonic() > end:
                return f"启动后仍无法连接 · does not answer ({data})"
            time.sleep(0.2)
        return ""


def start_postgresql(data: Path, port: int = 15432, *, durable: bool = False) -> None:
    """Make a server in this folder unless it is there, and start it; it may come back after a crash."""
    user = _make_folder(data, "postgres")
    if not (data / "PG_VERSION").exists():
        initdb = [find_program("initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync"]
        _run([*user, *initdb, "--encoding=UTF8", "--locale=C.UTF-8"])
    sync = "on -c recovery_init_sync_method=syncfs" if durable else "off"
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data} -c fsync={sync}"
    _run([*user, find_program("pg_ctl"), "-D", str(data), "-l", str(data / "log"), "-o", options, "start"])


def crash_postgresql(data: Path) -> None:
    """End it as a crash does: nothing is written down, the next start recovers."""
    user = _make_folder(data, "postgres")
    _run([*user, find_program("pg_ctl"), "-D", str(data), "-m", "immediate", "stop"])


def start_mariadb(data: Path, port: int = 13306, *, durable: bool = False) -> subprocess.Popen[bytes]:
    """As ``start_postgresql``; ``kill`` is its crash."""
    user = _make_folder(data, "mysql")
    if not (data / "mysql").exists():
        made = [find_program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--skip-test-db"]
        _run([*user, *made, "--auth-root-authentication-method=normal"])
    where = [f"--datadir={data}", f"--socket={data}/socket", f"--port={port}", "--bind-address=127.0.0.1"]
    flush = f"--innodb-flush-log-at-trx-commit={int(durable)}"
    with (data / "log").open("ab") as log:
        command = [*user, find_program("mariadbd"), "--no-defaults", *where, flush]
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


SERVERS = (
    Server(
        "postgresql",
        "PostgreSQL",
        "LIANKE_TEST_POSTGRESQL",
        "postgresql+psycopg://postgres@127.0.0.1:5432/postgres",
        "postgresql+psycopg://postgres@127.0.0.1:15432/postgres",
        start_postgresql,
    ),
    Server(
        "mysql",
        "MariaDB",
        "LIANKE_TEST_MYSQL",
        "mysql+pymysql://root@127.0.0.1:3306/mysql",
        "mysql+pymysql://root@127.0.0.1:13306/mysql",
        start_mariadb,
    ),
)


def find_program(name: str) -> str:
    """Where a program is, servers included; its bare name where it is nowhere."""
    folders = [str(folder) for pattern in SEARCH for folder in Path("/").glob(pattern.lstrip("/"))]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders)) or name


def _make_folder(data: Path, user: str) -> list[str]:
    """Make the folder; how to run a program that may write there. Servers refuse to run as root."""
    data.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() != 0:
        return []
    shutil.chown(data, user)
    return ["runuser", "-u", user, "--"]


def _run(command: Sequence[str]) -> None:
    subprocess.run(
        command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120
    )


def can_connect(url: str) -> bool:
    """Whether a server answers there and lets us in."""
    engine = create_engine(url)
    try:
        engine.connect().close()
    except OperationalError:
        return False
    finally:
        engine.dispose()
    return True
