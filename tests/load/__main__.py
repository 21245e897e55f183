"""``python -m tests.load --engine … --kind steady|burst|soak``: docs/load.md tells what is done and judged.

Prints plain lines; exits with 1 where the ledgers differ.
"""

# ruff: noqa: T201 - prints for whoever runs it
from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.databases import Files, Place, Server
from tests.load import runs
from tests.load.compare import show
from tests.load.rig import LoadRig
from tests.load.soak import soak

ALL = [(kind, engine) for engine in ("postgresql", "mariadb") for kind in ("steady", "burst", "soak")]
ALL.append(("soak", "sqlite"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["postgresql", "mariadb", "sqlite"], default="postgresql")
    parser.add_argument("--kind", choices=["steady", "burst", "soak"], default="steady")
    parser.add_argument(
        "--all", action="store_true", help="every kind on PostgreSQL and MariaDB, and the day on SQLite"
    )
    parser.add_argument("--rate", type=float, default=200.0, help="steady: callbacks a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="steady: for how long")
    parser.add_argument("--count", type=int, default=5000, help="burst: scans at once")
    parser.add_argument("--hours", type=float, default=24.0, help="soak: how long")
    parser.add_argument("--begins", default="00:00", help="soak: the local time it begins at")
    parser.add_argument("--events", type=int, default=4000, help="soak: callbacks in that time")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    LoadRig.is_forked = False
    plan = ALL if chosen.all else [(chosen.kind, chosen.engine)]
    failed = 0
    for chosen.kind, chosen.engine in plan:
        with tempfile.TemporaryDirectory() as home:
            failed += run(chosen, Path(home))
    return min(failed, 1)


def run(chosen: argparse.Namespace, home: Path) -> int:
    """One run; 1 where promises were broken, else 0."""
    print(f"== {chosen.kind} on {chosen.engine}, seed {chosen.seed}, {runs.stamp()}", flush=True)

    def tell(line: str) -> None:
        print(f"   {runs.stamp()} {line}", flush=True)

    server = place(chosen.engine)
    try:
        if chosen.kind == "soak":
            loaded = soak(
                home,
                server,
                hours=chosen.hours,
                begins=chosen.begins,
                count=chosen.events,
                seed=chosen.seed,
                tell=tell,
            )
        elif chosen.kind == "steady":
            loaded = runs.steady(
                home, server, rate=chosen.rate, seconds=chosen.seconds, seed=chosen.seed, tell=tell
            )
        else:
            loaded = runs.burst(home, server, count=chosen.count, seed=chosen.seed, tell=tell)
    finally:
        server.close()
    for name, value in loaded.figures.items():
        print(f"{name}: {value}")
    print(show(loaded.found))
    print("KEPT" if not loaded.found.wrong else "BROKEN", flush=True)
    return 1 if loaded.found.wrong else 0


def place(engine: str) -> Place:
    """Where the databases of an engine are."""
    return Files(Path()) if engine == "sqlite" else Server(engine)


if __name__ == "__main__":
    sys.exit(main())
