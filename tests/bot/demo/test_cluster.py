"""The cluster's demo before it starts: its configuration, and servers that are not there or not ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, func, make_url, select, text
from sqlalchemy.engine import URL

from bot.cli import main
from bot.config import load_config
from bot.demo import seed
from bot.demo.cluster import servers
from bot.demo.cluster.places import ClusterPlaces, find_places
from bot.demo.places import CannotStart, Places, write_config
from migrations import runner
from scrm.contacts.service import ensure_contact
from scrm.db import Database
from scrm.inbox.models import InboxEvent
from tests.conftest import NOW
from tests.databases import Place
from tests.stand import config_for, free_port

URL_, REDIS = "postgresql+psycopg://u:p%40ss@db:5432/demo", "redis://127.0.0.1:6379/5"
SERVERS = pytest.mark.parametrize(
    "engine",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mysql),
    ],
    indirect=True,
)


@pytest.fixture
def places(tmp_path: Path) -> ClusterPlaces:
    return find_places(URL_, REDIS, {"PORT": "8111", "SANDBOX_PORT": "9111"}, tmp_path / "var")


@pytest.fixture
def absent(place: Place, tmp_path: Path) -> Iterator[URL]:
    """A database that is not there, and will not be afterwards."""
    url = make_url(place.empty(tmp_path))
    engine = create_engine(
        url.set(database="postgres" if url.get_backend_name() == "postgresql" else None),
        isolation_level="AUTOCOMMIT",
    )
    missing = url.set(database=f"{url.database}_missing")
    yield missing
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {missing.database}"))
    engine.dispose()


def test_its_configuration_is_an_ordinary_one_with_the_keys_of_the_embedded_demo(
    places: ClusterPlaces,
) -> None:
    embedded = Places(places.folder, 8000, 9100)
    write_config(embedded)
    before = embedded.config.read_text("utf-8")

    write_config(places)

    mine, theirs = (load_config(path, environ={}) for path in (places.config, embedded.config))
    assert (mine.database.url, mine.redis.url, mine.runtime.mode) == (URL_, REDIS, "cluster")
    assert (mine.app.base_url, mine.server.port) == ("http://127.0.0.1:8111", 8111)
    assert mine.app.encryption_keys == theirs.app.encryption_keys  # data may move from there
    assert mine.app.secret_key == theirs.app.secret_key
    assert embedded.config.read_text("utf-8") == before


def test_the_embedded_demo_takes_the_keys_of_the_cluster_that_was_there_first(places: ClusterPlaces) -> None:
    write_config(places)

    write_config(places.embedded)

    mine, theirs = (load_config(path, environ={}) for path in (places.config, places.embedded.config))
    assert mine.app.encryption_keys == theirs.app.encryption_keys
    assert (theirs.redis.url, theirs.runtime.mode) == ("", "embedded")
    assert theirs.database.url.startswith("sqlite:///")


def test_servers_that_are_away_are_said_with_what_to_do() -> None:
    port = free_port()

    with pytest.raises(CannotStart, match=r"Redis 没有应答.*\n.*--redis") as redis:
        servers.reach_redis(f"redis://:secret@127.0.0.1:{port}/0")
    with pytest.raises(CannotStart, match=r"连不上数据库.*\n.*--database") as database:
        servers.reach_database(make_url(f"postgresql+psycopg://u:secret@127.0.0.1:{port}/demo"))
    with pytest.raises(CannotStart, match=r"连不上数据库.*\n.*mariadb"):
        servers.reach_database(make_url(f"mysql+pymysql://u:secret@127.0.0.1:{port}/demo"))

    assert "secret" not in str(redis.value) + str(database.value)


@SERVERS
def test_a_missing_database_is_made_once(absent: URL) -> None:
    assert servers.reach_database(absent)
    assert not servers.reach_database(absent)


@SERVERS
def test_a_database_of_others_is_left_alone(place: Place, tmp_path: Path) -> None:
    url = place.empty(tmp_path)
    database = Database(url, pool_size=1)
    config = config_for(url, 8000, "http://127.0.0.1:9")
    try:
        with database.write_connection() as connection:
            connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
        with pytest.raises(CannotStart, match="已有别的程序的表"):
            servers.prepare(database, config)
        with database.write_connection() as connection:
            connection.execute(text("DROP TABLE theirs"))

        runner.upgrade(database)
        with database.write() as session:
            ensure_contact(session, "wmRealCustomer", at=NOW)
        with pytest.raises(CannotStart, match="已有别的数据"):
            servers.prepare(database, config)
    finally:
        database.dispose()


@SERVERS
def test_ids_go_on_behind_the_company(place: Place, tmp_path: Path) -> None:
    url = place.empty(tmp_path)
    database = Database(url, pool_size=2)
    config = config_for(url, 8000, "http://127.0.0.1:9")
    try:
        servers.prepare(database, config)
        assert seed.ensure_seeded(database, config, now=NOW, tz=NOW.tzinfo)
        with database.write() as session:
            before = session.scalar(select(func.max(InboxEvent.id)))
            row = InboxEvent(source="t", kind="t", dedupe_key="k", received_at=NOW, available_at=NOW)
            session.add(row)
            session.flush()
            assert row.id == before + 1
    finally:
        database.dispose()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cluster"], "集群演示需要 --database"),
        (["--cluster", "--database", URL_], "集群演示需要 --redis"),
        (["--redis", REDIS], "请加 --cluster"),
    ],
)
def test_options_that_do_not_fit_are_said_with_an_example(arguments: list[str], said: str) -> None:
    result: Any = CliRunner().invoke(main, ["demo", *arguments], env={"DEMO_DATABASE": "", "DEMO_REDIS": ""})

    assert result.exit_code == 2
    assert said in result.output
