"""(1) Callbacks accepted durably per second, as ratios to baselines, interleaved in one run; on each engine."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.load import Result, prepare, run
from benchmarks.places import Place, places
from benchmarks.processes import Process, free_port

CONTENDERS = ("noop", "wechatpy", "naive", "ours")
ON_SERVERS = ("noop", "plain", "ours")
CONNECTIONS = 64


def measure(*, rounds: int, seconds: float) -> dict[str, Any]:
    """On SQLite. Every contender runs once per round; medians over rounds are compared."""
    with tempfile.TemporaryDirectory() as home:
        place = next(places(Path(home)))
        return _measure(place, CONTENDERS, rounds=rounds, seconds=seconds)


def measure_servers(*, rounds: int, seconds: float) -> dict[str, dict[str, Any]]:
    """The same on each database server that answers, against the driver's own INSERT."""
    with tempfile.TemporaryDirectory() as home:
        return {
            place.name: _measure(place, ON_SERVERS, rounds=rounds, seconds=seconds)
            for place in places(Path(home))
            if place.name != "sqlite"
        }


def _measure(place: Place, contenders: Sequence[str], *, rounds: int, seconds: float) -> dict[str, Any]:
    results: dict[str, list[Result]] = {name: [] for name in contenders}
    with ExitStack() as stack:
        servers = {}
        for name in contenders:
            port = free_port()
            database, _ = stack.enter_context(place.database(name))
            servers[name] = stack.enter_context(
                Process("-m", "benchmarks.servers", name, str(port), database, port=port)
            )
        first = 0
        for name in contenders:  # warm up
            run(servers[name].port, prepare(300, first), seconds=1, connections=8)
            first += 300
        for _ in range(rounds):
            for name in contenders:
                count = int(seconds * 12_000)
                results[name].append(
                    run(servers[name].port, prepare(count, first), seconds=seconds, connections=CONNECTIONS)
                )
                first += count
    return {name: _summary(runs) for name, runs in results.items()}


def _summary(runs: list[Result]) -> dict[str, Any]:
    statuses: dict[str, int] = {}
    for each in runs:
        for status, count in each.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    return {
        "per_second": statistics.median(each.per_second for each in runs),
        "p50_ms": statistics.median(each.percentile(0.50) for each in runs) * 1000,
        "p99_ms": statistics.median(each.percentile(0.99) for each in runs) * 1000,
        "statuses": statuses,
    }
