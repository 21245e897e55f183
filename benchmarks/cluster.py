"""(5) Events per second by one and by two ``lianke worker`` processes on PostgreSQL, and what each part costs.

Prepared adds lie in the inbox and become due at one moment, when all workers are up. The time is from that moment to
the last event done, by the database's own rows. Processor time is read from /proc: workers, this database's backends,
Redis. On a machine with few cores they share them: cost per event is what a reader can carry over to a larger one.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text, update

from benchmarks import events
from benchmarks.config import product_config
from benchmarks.places import Place, places
from benchmarks.processes import Process, free_port
from benchmarks.stage import as_toml
from bot.app import build
from migrations import runner
from scrm.db import Database
from scrm.inbox.models import EventState, InboxEvent

MORE = '\n[redis]\nurl = "redis://127.0.0.1:{port}/0"\n[runtime]\nmode = "cluster"\n'
LEAD = timedelta(seconds=3)
PATIENCE = 600.0


@contextmanager
def _redis(home: str) -> Iterator[tuple[int, int]]:
    """A server of our own: its port and process id."""
    port = free_port()
    program = shutil.which("redis-server") or "redis-server"
    options = ["--port", str(port), "--save", "", "--appendonly", "no", "--dir", home]
    child = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        yield port, child.pid
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(15)


def _cpu(pids: Sequence[int]) -> float:
    """Processor seconds of processes and of their children that ended."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:  # a connection that was closed
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / os.sysconf("SC_CLK_TCK")


def _backends(database: Database) -> list[int]:
    with database.engine.connect() as connection:
        query = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        return list(connection.scalars(query))


def measure(*, count: int, workers: Sequence[int] = (1, 2)) -> dict[str, Any]:
    """For each number of workers: events per second, and processor time per event by part."""
    with tempfile.TemporaryDirectory() as home:
        place = next((each for each in places(Path(home)) if each.name == "postgresql"), None)
        if place is None:
            raise RuntimeError("no PostgreSQL answers: LIANKE_BENCH_POSTGRESQL names one")
        load = os.getloadavg()[0]
        runs = {str(number): _run(place, home, count, number) for number in workers}
    first, last = runs[str(workers[0])], runs[str(workers[-1])]
    return {
        "cores": os.cpu_count(),
        "events": count,
        "load_average": [load, os.getloadavg()[0]],
        "workers": runs,
        "ratio_more_workers": last["per_second"] / first["per_second"],
    }


def _run(place: Place, home: str, count: int, workers: int) -> dict[str, Any]:
    with ExitStack() as stack:
        url, _ = stack.enter_context(place.database(f"cluster_{workers}"))
        port, redis = stack.enter_context(_redis(home))
        config = product_config(url, free_port())
        product = build(config)
        stack.callback(product.database.dispose)
        runner.upgrade(product.database)
        events.fill(product, count)
        _make_due(product.database, datetime.now(UTC) + timedelta(days=1))
        path = Path(home) / "config.toml"
        path.write_text(as_toml(config) + MORE.format(port=port))
        pids = [stack.enter_context(_worker(path)).child.pid for _ in range(workers)]
        start = datetime.now(UTC) + LEAD
        _make_due(product.database, start)
        backends = _backends(product.database)
        before = [_cpu(part) for part in (pids, backends, [redis])]
        seconds = _wait(product.database, count, start)
        spent = [
            _cpu(part) - at_first for part, at_first in zip((pids, backends, [redis]), before, strict=True)
        ]
    return {
        "per_second": count / seconds,
        "seconds": seconds,
        "cpu_ms_per_event": {
            name: each / count * 1000
            for name, each in zip(("workers", "postgresql", "redis"), spent, strict=True)
        },
        "cores_used": sum(spent) / seconds,
    }


def _worker(path: Path) -> Process:
    port = free_port()
    line = ("worker", "--queue", "inbound", "--metrics-port", str(port))
    return Process("-m", "bot", "--config", str(path), *line, port=port, path="/metrics")


def _make_due(database: Database, at: datetime) -> None:
    with database.write() as session:
        session.execute(
            update(InboxEvent).values(available_at=at).execution_options(synchronize_session=False)
        )


def _wait(database: Database, count: int, start: datetime) -> float:
    """Seconds from ``start`` until the last event was done."""
    done = select(func.count(), func.max(InboxEvent.done_at)).where(InboxEvent.state == EventState.DONE)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with database.read() as session:
            number, last = session.execute(done).one()
        if number == count:
            return float((last - start).total_seconds())
        time.sleep(0.5)
    raise RuntimeError(f"not done within {PATIENCE} s")
