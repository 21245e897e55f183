"""(1) Callbacks accepted durably per second, as ratios to three baselines, interleaved in one run."""

from __future__ import annotations

import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.load import Result, prepare, run
from benchmarks.processes import Process, free_port

CONTENDERS = ("noop", "wechatpy", "naive", "ours")
CONNECTIONS = 64


def measure(*, rounds: int, seconds: float) -> dict[str, Any]:
    """Every contender runs once per round; medians over rounds are compared."""
    results: dict[str, list[Result]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        servers = {}
        for name in CONTENDERS:
            port = free_port()
            database = f"sqlite:///{Path(home) / f'{name}.db'}"
            servers[name] = stack.enter_context(
                Process("-m", "benchmarks.servers", name, str(port), database, port=port)
            )
        first = 0
        for name in CONTENDERS:  # warm up
            run(servers[name].port, prepare(300, first), seconds=1, connections=8)
            first += 300
        for _ in range(rounds):
            for name in CONTENDERS:
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
