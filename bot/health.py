"""``/healthz``, ``/readyz`` and ``/metrics``.

healthz: the process answers. readyz: it can do its work (the database accepts a write, migrations are at head, the
disk has room); a platform or Redis that is away only degrades, so that callbacks keep coming. metrics: Prometheus.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from sqlalchemy import delete
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.metrics.database import measure
from bot.metrics.gate import GateCollector
from bot.workers.limits import Circuit, Gate
from bot.workers.messages import Messages
from migrations import runner
from scrm.accounts.models import Setting
from scrm.db import Database
from scrm.outbox.pause import is_paused

MIN_FREE_BYTES = 100 * 1024 * 1024
PROBE = "readyz_probe"


def health(
    database: Database, gate: Gate, clock: Callable[[], datetime], messages: Messages | None = None
) -> Blueprint:
    """The three endpoints; no authentication, no secrets in them."""
    blueprint = Blueprint("health", __name__)
    gates = CollectorRegistry()
    gates.register(GateCollector(gate))

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @blueprint.get("/readyz")
    def readyz() -> tuple[Response, int]:
        checks = {
            "database": _can_write(database),
            "migrations": _at_head(database),
            "disk": _has_room(database),
        }
        degraded = [
            f"{state.api}: {state.circuit.value if state.circuit is not Circuit.CLOSED else 'paused'}"
            for state in gate.snapshot()
            if state.degraded
        ] + _held_back(database, messages)
        ready = all(problem is None for problem in checks.values())
        body: dict[str, Any] = {
            "status": "not_ready" if not ready else "degraded" if degraded else "ok",
            "checks": {name: problem or "ok" for name, problem in checks.items()},
            "degraded": degraded,
        }
        return jsonify(body), 200 if ready else 503

    @blueprint.get("/metrics")
    def metrics() -> Response:
        measure(database, clock())
        told = generate_latest(REGISTRY) + generate_latest(gates)
        return Response(told, content_type=CONTENT_TYPE_LATEST)

    return blueprint


def _can_write(database: Database) -> str | None:
    try:
        with database.write_connection() as connection:
            connection.execute(delete(Setting).where(Setting.key == PROBE))
    except SQLAlchemyError as error:
        return f"数据库不可写：{type(error).__name__}"
    return None


def _at_head(database: Database) -> str | None:
    try:
        current, head = runner.current(database), runner.head()
    except SQLAlchemyError as error:
        return f"数据库不可读：{type(error).__name__}"
    return None if current == head else f"数据库结构是 {current}，程序需要 {head}：请运行 lianke migrate"


def _has_room(database: Database) -> str | None:
    if database.dialect != "sqlite":
        return None
    path = Path(make_url(str(database.engine.url)).database or ".")
    free = shutil.disk_usage(path.parent).free
    return None if free >= MIN_FREE_BYTES else f"磁盘只剩 {free // 1024 // 1024} MB，请清理"


def _held_back(database: Database, messages: Messages | None) -> list[str]:
    """That the outbox is paused, where that can be read, and that a cluster's Redis is away."""
    away = ["redis: away"] if messages is not None and messages.is_away() else []
    try:
        with database.read() as session:
            return away + (["outbox: paused"] if is_paused(session) else [])
    except SQLAlchemyError:
        return away
