"""What monitoring reads."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

import bot.callbacks.asgi  # noqa: F401 - its counters are asked for
from bot.health import health
from bot.workers.limits import Gate
from scrm.db import Database
from scrm.inbox import service as inbox
from scrm.inbox.service import Arrival
from tests.stand import Stand

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture
def client(database: Database) -> FlaskClient:
    app = Flask("health")
    app.register_blueprint(health(database, Gate(), lambda: AT))
    return app.test_client()


def rows(client: FlaskClient, table: str, state: str) -> float:
    wanted = f'lianke_rows{{state="{state}",table="{table}"}} '
    line = next(line for line in client.get("/metrics").text.splitlines() if line.startswith(wanted))
    return float(line.removeprefix(wanted))


def test_a_count_falls_back_to_zero_so_that_its_alert_clears(client: FlaskClient, database: Database) -> None:
    with database.write() as session:
        inbox.record(session, [Arrival(source="t", kind="t", payload="<xml/>", received_at=AT)])
    assert rows(client, "inbox", "pending") == 1

    with database.write() as session:
        [row] = inbox.claim_events(session, owner="me", now=AT)
        inbox.mark_done(session, row, now=AT)

    assert rows(client, "inbox", "pending") == 0
    assert rows(client, "inbox", "leased") == 0


def test_metrics_are_answered_without_the_database(client: FlaskClient, database: Database) -> None:
    with database.write_connection() as connection:
        connection.exec_driver_sql("DROP TABLE job_file")  # which refers to job
        connection.exec_driver_sql("DROP TABLE job")

    answer = client.get("/metrics")

    assert answer.status_code == 200
    assert "lianke_database_up 0.0" in answer.text
    assert "lianke_callbacks_total" in answer.text


def test_ready_when_the_database_writes_and_is_at_head(client: FlaskClient) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json == {
        "status": "ok",
        "checks": {"database": "ok", "migrations": "ok", "disk": "ok"},
        "degraded": [],
    }


def test_not_ready_before_the_migrations(client: FlaskClient, database: Database) -> None:
    with database.write_connection() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json is not None
    assert "lianke migrate" in answer.json["checks"]["migrations"]


def test_an_unescaped_query_is_understood(tmp_path) -> None:
    with Stand(tmp_path) as stand:
        raw = requests.Request("GET", f"{stand.base}/api/v1/contacts").prepare()
        raw.headers["Authorization"] = f"Bearer {stand.token}"
        raw.url = f"{stand.base}/api/v1/contacts?q=李"
        answer = requests.Session().send(raw, timeout=10)

    assert answer.status_code == 200
    assert answer.json() == {"items": [], "next_cursor": None}
