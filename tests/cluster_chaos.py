"""Chaos in a cluster: processes die at random, Redis is emptied, the database drops every connection.

``python -m tests.cluster_chaos [--engine postgresql|mariadb] [--blows 30] [--rate 10] [--seed N]``; prints what the
judge finds. A seed repeats the plan, not the machine's moods.
"""

# ruff: noqa: T201 - prints for whoever runs it
from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos import Pouring, tell
from tests.cluster_rig import ROLES, ClusterRig
from tests.databases import Server, disconnect_all
from tests.rig import Verdict, judge


class Blows:
    """What can happen to a cluster; each returns what it was."""

    def __init__(self, rig: ClusterRig, chance: random.Random) -> None:
        self._rig, self._chance = rig, chance

    def strike(self) -> str:
        """One of them, processes most of all."""
        kinds: list[Callable[[], str]] = [self._kill, self._kill, self._kill, self._empty_redis, self._cut]
        return self._chance.choice(kinds)()

    def _kill(self) -> str:
        role = self._chance.choice([*ROLES])
        self._rig.kill_role(role)
        time.sleep(self._chance.uniform(0.0, 1.0))
        self._rig.start_role(role)
        if role == "web":
            self._rig.until("the web answers", self._rig.is_up, 60)
        return f"SIGKILL {role}"

    def _empty_redis(self) -> str:
        self._rig.redis.flushdb()
        return "FLUSHDB"

    def _cut(self) -> str:
        return f"{disconnect_all(self._rig.database)} database connections ended"


def run(home: Path, server: Server, *, seed: int, blows: int, rate: float, report: bool = False) -> Verdict:
    """Strike ``blows`` times while scans pour in, drain, judge."""
    chance = random.Random(seed)
    with ClusterRig(home, database=server.empty(home)) as rig:
        rig.start_all()
        rig.make_channel()
        pouring = Pouring(rig, seed, rate)
        pouring.start()
        cluster = Blows(rig, chance)
        for number in range(blows):
            time.sleep(chance.uniform(0.2, 2.0))
            what = cluster.strike()
            if report:
                print(f"{number + 1}/{blows} {what}, {pouring.scans} scans", flush=True)
        pouring.finish()
        rig.drain(240)
        return judge(rig)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["postgresql", "mariadb"], default="postgresql")
    parser.add_argument("--blows", type=int, default=30)
    parser.add_argument("--rate", type=float, default=10.0, help="scans per second")
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    server = Server(chosen.engine)
    try:
        with tempfile.TemporaryDirectory() as home:
            verdict = run(
                Path(home), server, seed=chosen.seed, blows=chosen.blows, rate=chosen.rate, report=True
            )
    finally:
        server.close()
    return tell(verdict)


if __name__ == "__main__":
    sys.exit(main())
