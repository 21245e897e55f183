"""Chaos in a cluster: processes, servers, networks and the platform fail at random while customers come and live on.

``python -m tests.cluster_chaos [--engine postgresql|mariadb] [--blows 30] [--rate 5] [--seed N]``; prints what the
judge finds. A seed repeats the plan, not the machine's moods. ``--keep`` leaves logs and the sandbox's ledger behind.
"""

# ruff: noqa: T201 - prints for whoever runs it
from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos import tell
from tests.cluster_rig import ROLES, ClusterRig
from tests.databases import disconnect_all
from tests.fault_proxy import FaultProxy
from tests.judge import NOTICE, TAG, WAY, WELCOME, Verdict, judge
from tests.lives import Lives
from tests.private_servers import PrivateDatabase, PrivateMariadb, PrivatePostgresql, make_empty

ENGINES: dict[str, Callable[[], PrivateDatabase]] = {
    "postgresql": PrivatePostgresql,
    "mariadb": PrivateMariadb,
}
APIS = (WELCOME, TAG, NOTICE, WAY, "externalcontact/get", "gettoken", "*")
FAULTS = (
    {"mode": "timeout", "delay_ms": 300},
    {"mode": "timeout", "delay_ms": 6_000},  # we wait 5 s
    {"mode": "http", "status": 502},
    {"mode": "http", "status": 504, "delay_ms": 2_000},
    {"mode": "errcode", "errcode": -1},
    {"mode": "errcode", "errcode": 45033},
    {"mode": "errcode", "errcode": 40001},
    {"mode": "errcode", "errcode": 42001},
    {"mode": "cut", "delay_ms": 0},
    {"mode": "cut", "delay_ms": 1_000},
)
DRAIN_SECONDS = 900  # of a machine that others use, too


class Blows:
    """What can happen to a cluster; each returns what it was, when it is over."""

    def __init__(self, rig: ClusterRig, server: PrivateDatabase, chance: random.Random) -> None:
        self._rig, self._server, self._chance = rig, server, chance
        self._kinds: list[Callable[[], str]] = [
            *(self._kill,) * 4,
            *(self._network,) * 5,
            *(self._platform,) * 3,
            *(self._crash_database,) * 2,
            *(self._kill_redis,) * 2,
            self._empty_redis,
            self._end_sessions,
        ]

    def plan(self, number: int) -> list[Callable[[], str]]:
        """So many blows: each kind once in a round, in an order of chance."""
        rounds = -(-number // len(self._kinds))
        planned = [self._chance.sample(self._kinds, len(self._kinds)) for _ in range(rounds)]
        return [kind for kinds in planned for kind in kinds][:number]

    def _kill(self) -> str:
        role = self._chance.choice([*ROLES])
        self._rig.kill_role(role)
        time.sleep(self._chance.choice((0.0, 0.5, 3.0)))
        self._rig.start_role(role)
        return f"SIGKILL {role}"

    def _meanwhile(self, seconds: float) -> str:
        """Let the fault last; now and then somebody dies in its midst."""
        time.sleep(seconds / 2)
        also = f", and {self._kill()}" if self._chance.random() < 0.3 else ""
        time.sleep(seconds / 2)
        return f" for {seconds:.1f} s{also}"

    def _network(self) -> str:
        name, net = self._chance.choice([*self._rig.nets.items()])
        what = self._chance.choice(
            [self._cut, self._reset, self._refuse, self._hold, self._delay, self._cut_after]
        )
        told = what(net)
        net.heal()
        return f"network to {name}: {told}"

    def _cut(self, net: FaultProxy) -> str:
        return f"{net.cut()} connections cut"

    def _reset(self, net: FaultProxy) -> str:
        return f"{net.cut(reset=True)} connections reset"

    def _refuse(self, net: FaultProxy) -> str:
        net.refuse()
        return "refused" + self._meanwhile(self._chance.uniform(0.5, 6.0))

    def _hold(self, net: FaultProxy) -> str:
        net.hold()
        told = "black hole" + self._meanwhile(self._chance.uniform(0.5, 9.0))
        if self._chance.random() < 0.5:
            net.cut(reset=True)
            told += ", then reset"
        return told

    def _delay(self, net: FaultProxy) -> str:
        delay = self._chance.uniform(0.05, 0.8)
        net.delay(delay)
        return f"delay of {delay:.2f} s" + self._meanwhile(self._chance.uniform(1.0, 5.0))

    def _cut_after(self, net: FaultProxy) -> str:
        size, times = self._chance.choice((0, 1, 40, 300, 3_000)), self._chance.randint(1, 12)
        net.cut_after(size, times)
        return f"{times} answers cut after {size} bytes" + self._meanwhile(self._chance.uniform(1.0, 4.0))

    def _platform(self) -> str:
        api, times = self._chance.choice(APIS), self._chance.randint(1, 6)
        fault = self._chance.choice(FAULTS)
        self._rig.post("/faults", {"api": api, "times": times, **fault})
        return f"platform: {times} × {api} {fault}"

    def _crash_database(self) -> str:
        self._server.crash()
        told = self._meanwhile(self._chance.uniform(0.0, 5.0))
        self._server.start()
        return f"database crashed, away{told}"

    def _kill_redis(self) -> str:
        self._rig.redis.kill()
        told = self._meanwhile(self._chance.uniform(2.0, 8.0))
        self._rig.redis.start()
        return f"Redis SIGKILL, away{told}, back empty"

    def _empty_redis(self) -> str:
        self._rig.redis.client.flushall()
        return "FLUSHALL"

    def _end_sessions(self) -> str:
        return f"{disconnect_all(self._rig.database)} database sessions ended by the server"


def run(
    home: Path, server: PrivateDatabase, *, seed: int, blows: int, rate: float, report: bool = False
) -> Verdict:
    """Strike ``blows`` times while customers come, drain, judge."""
    chance = random.Random(seed)
    with ClusterRig(home, database=make_empty(server)) as rig:
        rig.start_all()
        rig.make_channel()
        lives = Lives(rig, seed, rate, channels=True)
        lives.start()
        began = time.monotonic()
        for number, strike in enumerate(Blows(rig, server, chance).plan(blows)):
            time.sleep(chance.uniform(0.2, 2.5))
            what = strike()
            ended = rig.supervise()
            if report:
                passed = time.monotonic() - began
                also = f"; started again: {', '.join(ended)}" if ended else ""
                print(
                    f"{number + 1}/{blows} {passed:.0f} s, {lives.scans} customers: {what}{also}", flush=True
                )
        rig.heal()
        lives.finish()
        rig.supervise()
        rig.drain(DRAIN_SECONDS)
        return judge(rig)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=[*ENGINES], default="postgresql")
    parser.add_argument("--blows", type=int, default=40)
    parser.add_argument("--rate", type=float, default=5.0, help="new customers per second")
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    parser.add_argument("--keep", action="store_true", help="leave the logs and the sandbox's ledger behind")
    chosen = parser.parse_args()
    ClusterRig.is_forked = False
    print(
        f"chaos, a cluster on {chosen.engine}: --seed {chosen.seed} --blows {chosen.blows} --rate {chosen.rate}",
        flush=True,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server of ours is left behind
    home = Path(tempfile.mkdtemp(prefix="lianke-chaos-"))
    try:
        with ENGINES[chosen.engine]() as server:
            verdict = run(home, server, seed=chosen.seed, blows=chosen.blows, rate=chosen.rate, report=True)
    finally:
        if chosen.keep:
            print(f"kept: {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)
    return tell(verdict)


if __name__ == "__main__":
    sys.exit(main())
