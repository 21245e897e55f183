"""Databases on the machine's own servers, each of a name of its own, gone afterwards.

Locally a missing server skips the test; with CI set it is a failure: a check that did not run must not look like one
that passed.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

SERVERS = {
    "postgresql": make_url("postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
    "mysql": make_url("mysql+pymysql://root@127.0.0.1:3306/mysql?charset=utf8mb4"),
}
CREATE = {
    "postgresql": "CREATE DATABASE {name}",
    "mysql": "CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
}
DROP = {"postgresql": "DROP DATABASE {name} WITH (FORCE)", "mysql": "DROP DATABASE {name}"}


@contextmanager
def fresh_database(kind: str) -> Iterator[URL]:
    """An empty database on the server of this kind."""
    name = f"lianke_test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(SERVERS[kind], isolation_level="AUTOCOMMIT", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.execute(text(CREATE[kind].format(name=name)))
    except OperationalError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no {kind} server here: {error.orig}")
    try:
        yield SERVERS[kind].set(database=name)
    finally:
        with engine.connect() as connection:
            connection.execute(text(DROP[kind].format(name=name)))
        engine.dispose()
