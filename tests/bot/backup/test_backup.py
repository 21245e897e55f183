"""A backup is whole or not there; a restore never destroys, and leaves the outbox paused."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, func, inspect, make_url, select, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from bot.backup import files, sqlite, take
from bot.backup.errors import BackupFailed
from bot.backup.restore import restore
from migrations import runner
from scrm import seal
from scrm.accounts import service as accounts
from scrm.db import Database
from scrm.inbox import service as inbox
from scrm.inbox.service import Arrival
from scrm.outbox import claims, pause
from scrm.outbox import service as outbox
from scrm.outbox.models import CallState, OutboxCall
from tests.scrm.outbox.factory import mark, notice, remark
from tests.servers import fresh_database

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
SERVERS = [
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mysql", marks=pytest.mark.mysql),
]
WORD = "correct horse"


def silent(*_: Any) -> None:
    """Progress nobody watches."""


def opened(url: URL) -> Database:
    return Database(url.render_as_string(hide_password=False), pool_size=2)


def fill(database: Database) -> None:
    """An event, a call that waits and one that is on its way."""
    with database.write() as session:
        arrival = Arrival(source="t", kind="t", payload=f"<xml>{WORD}</xml>", received_at=AT)
        inbox.record(session, [arrival])
        outbox.enqueue(session, remark("under way"), now=AT)
        claims.claim_calls(session, owner="me", now=AT, limit=1)
        outbox.enqueue(session, mark("waiting"), now=AT)
        outbox.enqueue(session, notice("waiting"), now=AT)


def take_one(database: Database, folder: Path, now: datetime = AT) -> Path:
    return take.take(database, folder, now=now, on_progress=silent).path


@pytest.fixture(params=["sqlite", *SERVERS])
def spot(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """A migrated database with some rows."""
    if request.param == "sqlite":
        url = make_url(f"sqlite:///{tmp_path / 'lianke.db'}")
        _migrate(url)
        yield url
        return
    with fresh_database(request.param) as url:
        _migrate(url)
        yield url


def _migrate(url: URL) -> None:
    database = opened(url)
    runner.upgrade(database)
    fill(database)
    database.dispose()


@pytest.fixture
def empty_spot(spot: URL, tmp_path: Path) -> Iterator[URL]:
    """An empty database of the same kind."""
    if spot.get_backend_name() == "sqlite":
        yield make_url(f"sqlite:///{tmp_path / 'new' / 'lianke.db'}")
        return
    with fresh_database(spot.get_backend_name()) as url:
        yield url


def test_a_backup_comes_back_with_the_outbox_paused(spot: URL, empty_spot: URL, tmp_path: Path) -> None:
    # given
    database = opened(spot)
    path = take_one(database, tmp_path / "backup")
    database.dispose()
    assert path.stat().st_mode & 0o077 == 0

    # when
    done = restore(empty_spot, path, overwrite=False, now=LATER, on_progress=silent)

    # then the rows are there, and no call is plainly repeated
    assert done.revision == runner.head()
    assert done.aside is None
    restored = opened(empty_spot)
    with restored.write() as session:
        found = pause.find_pause(session)
        assert found is not None
        assert (found.since, found.last_event) == (LATER, 1)
        assert set(session.scalars(select(OutboxCall.state))) == {CallState.UNKNOWN}
        assert session.scalar(select(func.count()).where(OutboxCall.uncertain)) == 3
        assert claims.claim_calls(session, owner="me", now=LATER, limit=9) == []
    restored.dispose()


def test_a_filled_database_is_only_replaced_when_told(spot: URL, tmp_path: Path) -> None:
    # given a backup, and something newer in the database
    database = opened(spot)
    path = take_one(database, tmp_path / "backup")
    with database.write() as session:
        accounts.set_setting(session, "newer", 1, actor="tests", now=AT)
    database.dispose()

    # when / then it is refused
    with pytest.raises(BackupFailed, match="restore_not_empty"):
        restore(spot, path, overwrite=False, now=LATER, on_progress=silent)
    assert _setting(spot, "newer") == 1

    # and with consent the former data are put aside, where the database can do that
    if spot.get_backend_name() == "mysql":
        with pytest.raises(BackupFailed, match="restore_not_empty"):
            restore(spot, path, overwrite=True, now=LATER, on_progress=silent)
        assert _setting(spot, "newer") == 1
        return
    done = restore(spot, path, overwrite=True, now=LATER, on_progress=silent)
    assert _setting(spot, "newer") is None
    assert _newer_aside(spot, str(done.aside)) == "1"


def _setting(url: URL, key: str) -> Any:
    database = opened(url)
    with database.read() as session:
        found = accounts.get_setting(session, key)
    database.dispose()
    return found


def _newer_aside(url: URL, aside: str) -> str:
    where = make_url(f"sqlite:///{aside}") if url.get_backend_name() == "sqlite" else url
    table = "setting" if where is not url else f'"{aside.removeprefix("schema ")}".setting'
    with create_engine(where, poolclass=NullPool).connect() as connection:
        return str(connection.scalar(text(f"SELECT value FROM {table} WHERE key = 'newer'")))


def test_a_damaged_backup_is_refused_before_anything_is_touched(spot: URL, tmp_path: Path) -> None:
    database = opened(spot)
    path = take_one(database, tmp_path / "backup")
    database.dispose()
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])

    with pytest.raises(BackupFailed, match="backup_damaged"):
        restore(spot, path, overwrite=True, now=LATER, on_progress=silent)

    with create_engine(spot, poolclass=NullPool).connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM outbox")) == 3


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_that_is_in_use_is_not_restored_to(kind: str, tmp_path: Path) -> None:
    with fresh_database(kind) as url:
        _migrate(url)
        database = opened(url)
        path = take_one(database, tmp_path / "backup")

        with database.read() as session:
            session.scalar(select(1))
            with pytest.raises(BackupFailed, match="restore_running"):
                restore(url, path, overwrite=True, now=LATER, on_progress=silent)

        database.dispose()


@pytest.mark.postgresql
def test_a_load_that_fails_leaves_the_former_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a psql that dies when the data come
    with fresh_database("postgresql") as url:
        _migrate(url)
        database = opened(url)
        path = take_one(database, tmp_path / "backup")
        database.dispose()
        (tmp_path / "psql").write_text('#!/bin/sh\nhead -c 2000 | /usr/bin/psql "$@"\nexit 3\n')
        (tmp_path / "psql").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

        # when
        with pytest.raises(BackupFailed, match="backup_tool_failed"):
            restore(url, path, overwrite=True, now=LATER, on_progress=silent)

        # then all is as it was
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM outbox")) == 3
            assert [
                name for name in inspect(connection).get_schema_names() if name.startswith("before")
            ] == []


@pytest.mark.mysql
def test_a_load_that_fails_leaves_no_half_database(tmp_path: Path) -> None:
    # given a dump that breaks off its statements in the middle
    with fresh_database("mysql") as full, fresh_database("mysql") as spot:
        _migrate(full)
        database = opened(full)
        path = take_one(database, tmp_path / "backup")
        database.dispose()
        path.write_bytes(path.read_bytes().replace(b"CREATE TABLE `relation`", b"CREATE NONSENSE", 1))

        # when
        with pytest.raises(BackupFailed, match="SQL syntax"):
            restore(spot, path, overwrite=False, now=LATER, on_progress=silent)

        # then
        with create_engine(spot, poolclass=NullPool).connect() as connection:
            assert inspect(connection).get_table_names() == []


@pytest.mark.postgresql
def test_the_password_is_in_no_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a pg_dump that writes down how it was called
    (tmp_path / "pg_dump").write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/args\necho "$PGPASSWORD" > {tmp_path}/word\nexit 1\n'
    )
    (tmp_path / "pg_dump").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with fresh_database("postgresql") as url:
        database = opened(url.set(password=WORD))

        # when
        with pytest.raises(BackupFailed, match="backup_tool_failed"):
            take_one(database, tmp_path / "backup")
        database.dispose()

    # then, and no half file is left
    assert WORD not in (tmp_path / "args").read_text()
    assert (tmp_path / "word").read_text().strip() == WORD
    assert list((tmp_path / "backup").iterdir()) == []


@pytest.mark.sqlite
def test_a_backup_while_others_write_is_of_one_moment(database: Database, tmp_path: Path) -> None:
    # given two rows that are always changed together, as fast as it goes
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with database.write() as session:
                accounts.set_setting(session, "one", number, actor="tests", now=AT)
                accounts.set_setting(session, "two", number, actor="tests", now=AT)

    fill(database)
    writer = threading.Thread(target=write)
    writer.start()

    # when
    paths = [take_one(database, tmp_path / "backup", AT + timedelta(seconds=number)) for number in range(5)]
    stop.set()
    writer.join()

    # then
    for path in paths:
        with closing(sqlite3.connect(path)) as connection:
            rows = dict(connection.execute("SELECT key, value FROM setting WHERE key IN ('one', 'two')"))
        assert rows.get("one") == rows.get("two")


@pytest.mark.sqlite
def test_a_backup_that_fails_leaves_no_file(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> str:
        raise BackupFailed("backup_damaged", str(path))

    monkeypatch.setattr(sqlite, "check", broken)

    with pytest.raises(BackupFailed):
        take_one(database, tmp_path / "backup")

    assert list((tmp_path / "backup").iterdir()) == []


def test_what_a_killed_backup_left_is_cleared_away_by_the_next(database: Database, tmp_path: Path) -> None:
    # given one that was killed and one that is still being written
    folder = tmp_path / "backup"
    folder.mkdir()
    names = [f".{files.name_for('sqlite', AT - timedelta(days=day))}.partial" for day in (1, 2)]
    for name in names:
        (folder / name).write_bytes(b"half")
    (folder / f"{names[0]}-wal").write_bytes(b"half")

    with (folder / names[1]).open() as written:
        fcntl.flock(written, fcntl.LOCK_EX)

        # when
        path = take_one(database, folder)

    # then
    assert {item.name for item in folder.iterdir()} == {path.name, names[1]}


@pytest.mark.sqlite
def test_no_room_is_told_before_writing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))

    with pytest.raises(BackupFailed, match="backup_no_room"):
        take_one(database, tmp_path / "backup")

    assert list((tmp_path / "backup").iterdir()) == []


def test_the_backup_holds_no_plain_text(database: Database, tmp_path: Path) -> None:
    fill(database)

    path = take_one(database, tmp_path / "backup")

    assert WORD.encode() not in path.read_bytes()


def test_wrong_keys_are_told_and_nothing_is_changed(spot: URL, tmp_path: Path) -> None:
    # given
    database = opened(spot)
    path = take_one(database, tmp_path / "backup")
    database.dispose()
    seal.use(seal.Keyring(["another key altogether"]))

    # when
    wrong = "restore_not_empty" if spot.get_backend_name() == "mysql" else "restore_wrong_keys"
    with pytest.raises(BackupFailed, match=wrong):
        restore(spot, path, overwrite=True, now=LATER, on_progress=silent)

    # then
    with create_engine(spot, poolclass=NullPool).connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM outbox")) == 3
        assert connection.scalar(text("SELECT count(*) FROM setting")) == 1  # that a backup was taken


@pytest.mark.sqlite
def test_a_file_that_another_process_has_open_is_not_replaced(database: Database, tmp_path: Path) -> None:
    # given one that serves no embedded lock, as lianke web
    path = take_one(database, tmp_path / "backup")
    spot = make_url(f"sqlite:///{tmp_path / 'lianke.db'}")
    with database.engine.connect() as connection:
        connection.execute(text("SELECT count(*) FROM setting"))

        with pytest.raises(BackupFailed, match="restore_running"):
            restore(spot, path, overwrite=True, now=LATER, on_progress=silent)

    assert list(tmp_path.glob("*before*")) == []


@pytest.mark.sqlite
def test_a_revision_from_the_future_is_refused(database: Database, tmp_path: Path) -> None:
    path = take_one(database, tmp_path / "backup")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(BackupFailed, match="backup_other_version"):
        restore(
            make_url(f"sqlite:///{tmp_path}/new.db"), path, overwrite=False, now=LATER, on_progress=silent
        )


@pytest.mark.sqlite
def test_only_the_newest_of_our_backups_are_kept(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    paths = [take_one(database, folder, AT + timedelta(days=day)) for day in range(4)]
    (folder / "lianke-mine.db").write_text("not ours")
    (folder / files.name_for("postgresql", AT)).write_text("of another kind")

    assert files.prune(folder, keep=2, ending=".db") == paths[:2]

    kept = {path.name for path in folder.iterdir()}
    assert kept == {*(path.name for path in paths[2:]), "lianke-mine.db", files.name_for("postgresql", AT)}
