"""The migrations make what the models say, on an empty and on a filled database, there and back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Boolean, Enum, Integer, LargeBinary, String, Table, func, inspect, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.types import JSON, TypeEngine

from migrations import runner
from scrm import seal
from scrm.db import Database
from scrm.dialects import UtcDateTime
from scrm.models import Base
from tests.databases import Place, closing_database

pytestmark = pytest.mark.every_engine

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture
def empty(place: Place, tmp_path: Path) -> Iterator[Database]:
    with closing_database(place.empty(tmp_path)) as made:
        yield made


def schema(database: Database) -> dict[str, Any]:
    """Tables, columns, keys and indexes, comparable."""
    inspector = inspect(database.engine)
    return {
        name: {
            "columns": sorted(  # an ALTER TABLE adds at the end
                (column["name"], str(column["type"]), column["nullable"])
                for column in inspector.get_columns(name)
            ),
            "key": inspector.get_pk_constraint(name)["constrained_columns"],
            "foreign": sorted(str(sorted(key.items(), key=str)) for key in inspector.get_foreign_keys(name)),
            "unique": sorted(str(item["column_names"]) for item in inspector.get_unique_constraints(name)),
            "indexes": sorted(
                str((item["name"], item["column_names"])) for item in inspector.get_indexes(name)
            ),
            "checks": sorted(str(item["sqltext"]) for item in inspector.get_check_constraints(name)),
        }
        for name in sorted(inspector.get_table_names())
        if name != "alembic_version"
    }


def value(kind: TypeEngine[Any], number: int) -> Any:
    """Something a column of this type may hold; ``number`` makes rows differ."""
    match kind:
        case UtcDateTime():
            return AT
        case Boolean():
            return True
        case Enum():
            return kind.python_type(kind.enums[number % len(kind.enums)])
        case seal.SealedJson():
            return {"n": number}
        case seal.Sealed():
            return f"sealed {number}"
        case seal.SealedBytes():
            return bytes([number])
        case JSON():
            return [number]
        case LargeBinary():
            return bytes([number])
        case Integer():
            return number
        case String():
            return str(number)
    raise AssertionError(f"no value for {kind!r}")


def fill(connection: Connection, rows: int = 3) -> dict[str, int]:
    """Some rows in every table, each column filled; how many by table."""
    for table in Base.metadata.sorted_tables:
        for number in range(1, rows + 1):
            values = {column.name: value(column.type, number) for column in table.columns}
            connection.execute(table.insert().values(values))
    return {table.name: rows for table in Base.metadata.sorted_tables}


def counts(connection: Connection) -> dict[str, int]:
    def count(table: Table) -> int:
        return connection.scalar(select(func.count()).select_from(table)) or 0

    return {table.name: count(table) for table in Base.metadata.sorted_tables}


def revisions() -> list[str]:
    """All revisions, oldest first."""
    script = ScriptDirectory.from_config(runner.alembic_config())
    return [revision.revision for revision in reversed(list(script.walk_revisions()))]


def test_there_is_one_head():
    heads = ScriptDirectory.from_config(runner.alembic_config()).get_heads()

    assert heads == [runner.head()]


def test_an_empty_database_is_at_no_revision_and_then_at_the_head(empty: Database):
    assert runner.current(empty) is None

    runner.upgrade(empty)

    assert runner.current(empty) == runner.head()


def test_models_and_migrations_say_the_same(empty: Database):
    # given
    runner.upgrade(empty)

    # when alembic compares them, types included
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)

    # then
    assert differences == []


def test_models_and_migrations_make_the_same_schema(empty: Database, place: Place, tmp_path: Path):
    # given one database made by the migrations, one by the models (CHECKs are not compared by alembic)
    runner.upgrade(empty)
    with closing_database(place.empty(tmp_path)) as modelled:
        Base.metadata.create_all(modelled.engine)
        wanted = schema(modelled)

    # when / then
    made = schema(empty)
    assert made.keys() == wanted.keys()
    for name in wanted:
        for part, of_models in wanted[name].items():
            assert (name, part, made[name][part]) == (name, part, of_models)


def test_migrating_twice_changes_nothing(empty: Database):
    runner.upgrade(empty)
    before = schema(empty)
    with empty.write_connection() as connection:
        rows = fill(connection)

    runner.upgrade(empty)

    assert schema(empty) == before
    with empty.engine.connect() as connection:
        assert counts(connection) == rows


def test_every_table_can_be_filled_and_read_back(empty: Database):
    # given
    runner.upgrade(empty)

    # when
    with empty.write_connection() as connection:
        fill(connection)

    # then what was written is what is read, in every column
    with empty.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            first = connection.execute(select(table).limit(1)).one()
            assert dict(first._mapping) == {column.name: value(column.type, 1) for column in table.columns}


def test_a_filled_database_goes_down_and_up_again(empty: Database):
    # given
    runner.upgrade(empty)
    at_head = schema(empty)
    with empty.write_connection() as connection:
        fill(connection)

    # when every revision is undone, one by one, with rows in its tables
    for revision in [*reversed(revisions()[:-1]), "base"]:
        runner.downgrade(empty, revision)
        assert runner.current(empty) == (None if revision == "base" else revision)

    # then nothing is left, and the way up works again
    assert schema(empty) == {}
    for revision in revisions():
        runner.upgrade(empty, revision)
    assert schema(empty) == at_head
    with empty.write_connection() as connection:
        fill(connection)


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty: Database):
    # given a table of ours that is there already: the migration stops in the middle
    with empty.write_connection() as connection:
        connection.exec_driver_sql("CREATE TABLE tag (id TEXT)")

    # when
    with pytest.raises(Exception, match="tag"):
        runner.upgrade(empty)

    # then; MySQL commits each CREATE TABLE by itself, so that there only the version tells how far it came
    if empty.dialect != "mysql":
        assert list(schema(empty)) == ["tag"]
    assert runner.current(empty) is None


def test_foreign_keys_are_enforced(empty: Database):
    runner.upgrade(empty)
    table = Base.metadata.tables["relation"]

    def orphan() -> None:
        with empty.write_connection() as connection:
            values = {column.name: value(column.type, 1) for column in table.columns}
            connection.execute(table.insert().values(values))

    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        orphan()


@pytest.mark.parametrize("table", ["inbox", "outbox"])
def test_a_state_nobody_knows_is_refused_by_the_database(table: str, empty: Database):
    runner.upgrade(empty)

    def update() -> None:
        with empty.write_connection() as connection:
            fill(connection)
            connection.exec_driver_sql(f"UPDATE {table} SET state = 'lost'")

    with pytest.raises(DBAPIError, match=r"(?i)check|constraint .ck_"):
        update()


def test_an_index_whose_building_broke_off_is_built_again(empty: Database):
    if empty.dialect != "postgresql":
        pytest.skip("built in place")
    # given what a CREATE INDEX CONCURRENTLY leaves that was killed
    runner.upgrade(empty, "0001")
    with empty.write_connection() as connection:
        connection.exec_driver_sql("CREATE INDEX ix_contact_name_new ON contact (id)")

    # when
    runner.upgrade(empty)

    # then
    indexes = {index["name"]: index["column_names"] for index in inspect(empty.engine).get_indexes("contact")}
    assert indexes["ix_contact_name"] == ["name"]
    assert "ix_contact_name_new" not in indexes


def test_the_limits_of_a_migration_end_with_it(empty: Database):
    # given
    ask = {
        "postgresql": "SELECT current_setting('lock_timeout') || current_setting('statement_timeout')",
        "mysql": "SELECT CONCAT(@@lock_wait_timeout, @@innodb_lock_wait_timeout)",
        "sqlite": "SELECT 0",
    }[empty.dialect]
    with empty.engine.connect() as connection:
        before = connection.exec_driver_sql(ask).scalar_one()

    # when
    runner.upgrade(empty)

    # then
    with empty.engine.connect() as connection:
        assert connection.exec_driver_sql(ask).scalar_one() == before


def test_a_migration_gives_up_on_a_table_that_is_held(empty: Database):
    if empty.dialect != "postgresql":
        pytest.skip("SQLite has one writer; MySQL's lock is the same setting, and takes whole seconds")
    # given a reader that does not end, before a step that needs the table for itself
    runner.upgrade(empty)
    with empty.engine.connect() as reader:
        reader.exec_driver_sql("SELECT count(*) FROM contact_tag")

        # when / then it says so instead of waiting, and has changed nothing
        with pytest.raises(DBAPIError, match="lock timeout"):
            runner.downgrade(empty, "base")

    assert "contact_tag" in schema(empty)
