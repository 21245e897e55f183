"""A grown installation arrives whole on another database, also after a kill; what differs is found."""

from __future__ import annotations

import fcntl
import shutil
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, func, inspect, make_url, select, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from bot.cli import main
from bot.config import load_config
from bot.demo import seed
from bot.demo.places import EXAMPLE
from bot.moving.errors import MoveFailed
from bot.moving.move import identity, move
from bot.moving.target import MOVING, PROGRESS
from migrations import runner
from scrm import seal
from scrm.accounts import service as accounts
from scrm.db import Database
from scrm.inbox import service as inbox
from scrm.inbox.models import InboxEvent
from scrm.inbox.service import Arrival
from scrm.outbox import service as outbox
from scrm.outbox.commands import FetchDepartments
from scrm.outbox.models import OutboxCall
from scrm.timeline.models import TimelineEntry
from tests.forked import Forked
from tests.servers import fresh_database

AT = datetime(2026, 11, 23, 7, 30, 1, 23, tzinfo=UTC)
ODD = {"z": None, "a": [1.5, True, "表情😀", {"ü": "\u0001"}]}
KINDS = [
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mysql", marks=pytest.mark.mysql),
]
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def demo_file(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's company, with values that databases like to change."""
    path = tmp_path_factory.mktemp("moving") / "demo.db"
    shutil.copy(migrated_file, path)
    database = Database(f"sqlite:///{path}")
    seed.ensure_seeded(database, load_config(EXAMPLE, environ={}), now=AT, tz=ZoneInfo("Asia/Shanghai"))
    with database.write() as session:
        accounts.set_setting(session, "odd", ODD, actor="tests", now=AT)
        accounts.set_setting(session, "null", None, actor="tests", now=AT)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return path


@pytest.fixture(scope="module")
def staff_file(demo_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The company without its customers: small, for what does not depend on how much there is."""
    path = Path(shutil.copy(demo_file, tmp_path_factory.mktemp("staff") / "demo.db"))
    database = Database(f"sqlite:///{path}")
    seed.empty(database, now=AT)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return path


@pytest.fixture
def small(staff_file: Path, tmp_path: Path) -> URL:
    return make_url(f"sqlite:///{shutil.copy(staff_file, tmp_path / 'lianke.db')}")


@pytest.fixture
def source(demo_file: Path, tmp_path: Path) -> URL:
    return make_url(f"sqlite:///{shutil.copy(demo_file, tmp_path / 'lianke.db')}")


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[URL]:
    with fresh_database(request.param) as url:
        yield url


@pytest.fixture
def other_file(tmp_path: Path) -> URL:
    return make_url(f"sqlite:///{tmp_path / 'other' / 'lianke.db'}")


def silent(*_: Any) -> None:
    """Progress nobody watches."""


def lianke(source: URL, target: URL) -> Result:
    urls = [url.render_as_string(hide_password=False) for url in (source, target)]
    return CliRunner().invoke(main, ["migrate-data", "--from", urls[0], "--to", urls[1]])


def revision(url: URL) -> str:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return str(connection.scalar(text("SELECT version_num FROM alembic_version")))


class Stopped(Exception):
    """The process ends here."""


def interrupt(source: URL, target: URL, at: str) -> None:
    """A move that dies when it comes to this table."""

    def die(name: str, *_: int) -> None:
        if name == at:
            raise Stopped

    with pytest.raises(Stopped):
        move(source, target, on_progress=die)


def test_everything_arrives_and_comes_back(source: URL, server: URL, other_file: URL) -> None:
    # when it goes to the server
    there = lianke(source, server)

    # then all tables are the same there, and the program works with them: texts open, ids go on
    assert there.exit_code == 0, there.output + repr(there.exception)
    assert "timeline_entry" in there.output
    assert revision(server) == runner.head()
    database = Database(server.render_as_string(hide_password=False), pool_size=2)
    assert not inspect(database.engine).has_table(PROGRESS.name)
    _works(database)
    database.dispose()

    # and when it comes back from there, with what was added, it is still the same
    back = move(server, other_file, on_progress=silent)
    assert back.same
    returned = Database(str(other_file))
    with returned.read() as session:
        assert accounts.get_setting(session, "odd") == ODD
        assert session.scalar(select(func.count()).select_from(TimelineEntry)) > 1000
    returned.dispose()


def _works(database: Database) -> None:
    with database.write() as session:
        assert accounts.get_setting(session, "odd") == ODD
        assert accounts.get_setting(session, "null", "absent") is None
        assert session.scalar(select(InboxEvent.payload).where(InboxEvent.payload.is_not(None)).limit(1))
        last = session.scalar(select(func.max(OutboxCall.id)))
        assert outbox.enqueue(session, FetchDepartments(unique="after the move"), now=AT)
        assert session.scalar(select(func.max(OutboxCall.id))) == last + 1


def test_sealed_texts_are_copied_unopened(small: URL, other_file: URL, keyring: seal.Keyring) -> None:
    # given an event whose payload is sealed
    database = Database(str(small))
    with database.write() as session:
        inbox.record(session, [Arrival(source="t", kind="t", payload="<sealed/>", received_at=AT)])
    database.dispose()

    # when who moves it has no key for it
    seal.use(seal.Keyring(["a key that opens nothing of this"]))
    moved = move(small, other_file, on_progress=silent)

    # then it is there, and opens with its own
    seal.use(keyring)
    assert moved.same
    target = Database(str(other_file))
    with target.read() as session:
        assert "<sealed/>" in session.scalars(select(InboxEvent.payload))
    target.dispose()


def test_a_killed_move_goes_on_where_it_was(source: URL, server: URL, tmp_path: Path) -> None:
    # given a process that is killed in the middle of the largest table
    urls = [url.render_as_string(hide_password=False) for url in (source, server)]
    command = ["-m", "bot", "migrate-data", "--from", urls[0], "--to", urls[1]]
    child = Forked(command, tmp_path / "killed.log")
    engine = create_engine(server, poolclass=NullPool)
    copied = _wait_for_rows(engine, child)
    child.send_signal(signal.SIGKILL)
    assert child.wait(30) == -signal.SIGKILL
    assert copied > 0
    assert revision(server) == MOVING  # no program starts on it

    # when
    again = lianke(source, server)

    # then
    assert again.exit_code == 0, again.output
    assert "接着上次" in again.output
    assert revision(server) == runner.head()


def _wait_for_rows(engine: Any, child: Forked) -> int:
    """Until the timeline has some rows there; how many."""
    end = time.monotonic() + 60
    while time.monotonic() < end and child.poll() is None:
        with engine.connect() as connection:
            if inspect(connection).has_table(PROGRESS.name):
                count = connection.scalar(text("SELECT count(*) FROM timeline_entry"))
                if count:
                    return int(count)
        time.sleep(0.02)
    raise AssertionError(f"nothing was copied, the process ended with {child.poll()}")


def test_a_row_that_changed_on_the_way_is_found(small: URL, other_file: URL) -> None:
    # given a move that stopped before it compared, and somebody who wrote to the target
    interrupt(small, other_file, "核对")
    target = Database(str(other_file))
    with target.write_connection() as connection:
        connection.execute(text("UPDATE staff SET name = name || '!' WHERE id = (SELECT min(id) FROM staff)"))
    target.dispose()

    # when
    result = lianke(small, other_file)

    # then it is told, and no program takes the target for whole
    assert result.exit_code == 1
    assert "move_mismatch" in result.output
    [line] = [line for line in result.output.splitlines() if "不一致" in line and line.startswith("staff ")]
    assert line.split()[1] == line.split()[2] == "12"
    assert revision(other_file) == MOVING


def test_rows_written_to_the_source_after_a_kill_are_found(small: URL, other_file: URL) -> None:
    interrupt(small, other_file, "timeline_entry")
    database = Database(str(small))
    with database.write() as session:
        accounts.set_setting(session, "odd", "changed", actor="tests", now=AT)
    database.dispose()

    moved = move(small, other_file, on_progress=silent)

    assert [item.table for item in moved.tables if not item.same] == ["setting"]


def test_a_target_with_data_is_refused_and_left_alone(small: URL, demo_file: Path, tmp_path: Path) -> None:
    target = make_url(f"sqlite:///{shutil.copy(demo_file, tmp_path / 'full.db')}")

    with pytest.raises(MoveFailed, match="move_target_not_empty"):
        move(small, target, on_progress=silent)

    assert revision(target) == runner.head()


def test_an_interrupted_move_of_another_source_is_refused(
    small: URL, other_file: URL, tmp_path: Path
) -> None:
    interrupt(small, other_file, "timeline_entry")
    another = make_url(f"sqlite:///{shutil.copy(Path(str(small.database)), tmp_path / 'another.db')}")

    with pytest.raises(MoveFailed, match="move_other_source"):
        move(another, other_file, on_progress=silent)


def test_a_source_that_is_served_is_refused(small: URL, other_file: URL) -> None:
    with Path(f"{small.database}.serve").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(MoveFailed, match="move_source_busy"):
            move(small, other_file, on_progress=silent)

    assert not Path(str(other_file.database)).exists()


def test_nobody_writes_to_the_source_meanwhile(small: URL, other_file: URL) -> None:
    refused = []

    def write(name: str, *_: int) -> None:
        if name == "contact" and not refused:
            engine = create_engine(small, connect_args={"timeout": 0.1}, poolclass=NullPool)
            with pytest.raises(Exception, match="locked"), engine.begin() as connection:
                connection.execute(text("DELETE FROM setting"))
            refused.append(name)

    assert move(small, other_file, on_progress=write).same
    assert refused


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_in_use_is_no_source(kind: str, other_file: URL) -> None:
    with fresh_database(kind) as url:
        database = Database(url.render_as_string(hide_password=False), pool_size=1)
        runner.upgrade(database)

        with database.read() as session:
            session.connection()
            with pytest.raises(MoveFailed, match="move_source_busy"):
                move(url, other_file, on_progress=silent)

        database.dispose()


def test_a_missing_source_is_not_made(tmp_path: Path, other_file: URL) -> None:
    absent = make_url(f"sqlite:///{tmp_path / 'absent.db'}")

    with pytest.raises(MoveFailed, match="move_no_source"):
        move(absent, other_file, on_progress=silent)

    assert list(tmp_path.iterdir()) == []


def test_the_same_database_is_refused(small: URL) -> None:
    with pytest.raises(MoveFailed, match="move_same"):
        move(small, small, on_progress=silent)


def test_a_database_is_named_without_its_password() -> None:
    one, two = (make_url(f"postgresql+psycopg://u:{word}@h/db") for word in ("secret", "other"))

    assert identity(one) == identity(two)
    assert "secret" not in identity(one)
