"""A cluster of real processes on PostgreSQL or MariaDB and Redis, each of which can be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from redis import Redis

from tests.rig import Rig

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
REDIS_URL = os.environ.get("LIANKE_TEST_REDIS", f"redis://127.0.0.1:6379/{9 + int(WORKER) % 6}")
MORE = """
[redis]
url = "{redis}"
[runtime]
mode = "cluster"
"""
ROLES: Mapping[str, Sequence[str]] = {
    "web": ("web",),
    "welcome-1": ("worker", "--queue", "welcome"),
    "welcome-2": ("worker", "--queue", "welcome"),
    "rest-1": ("worker", "--queue", "inbound", "--queue", "outgoing", "--queue", "background"),
    "rest-2": ("worker", "--queue", "inbound", "--queue", "outgoing", "--queue", "background"),
    "scheduler-1": ("scheduler",),
    "scheduler-2": ("scheduler",),
}
WORKERS = [role for role, line in ROLES.items() if line[0] == "worker"]


class ClusterRig(Rig):
    """``with ClusterRig(home, database=url) as rig``, then ``rig.start_all()``."""

    def __init__(self, home: Path, *, database: str) -> None:
        super().__init__(home, database=database, more=MORE.format(redis=REDIS_URL))
        self.redis = Redis.from_url(REDIS_URL)
        self.redis.flushdb()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._starts: Counter[str] = Counter()

    def start_all(self) -> None:
        """Start every role and wait until the web answers and a scheduler leads."""
        for role in ROLES:
            self.start_role(role)
        for role in ROLES:
            self.until_working(role)
        self.until("a scheduler leads", self.leaders, 60)

    def start_role(self, role: str) -> None:
        self._starts[role] += 1
        self.processes[role] = self._spawn(role, "-m", "bot", "--config", str(self.config_path), *ROLES[role])

    def until_working(self, role: str) -> None:
        """Wait until a process that was just started works: then the next one may die."""
        if role == "web":
            self.until("the web answers", self.is_up, 60)
        elif role in WORKERS:
            self.until(f"{role} is ready", lambda: self._log(role).count("ready.") == self._starts[role], 60)

    def _log(self, role: str) -> str:
        return (self.home / f"{role}.log").read_text(errors="replace")

    def kill_role(self, role: str) -> None:
        """SIGKILL, as a machine dies."""
        self._signal(role, signal.SIGKILL)

    def stop_role(self, role: str) -> int:
        """SIGTERM; the exit code."""
        return self._signal(role, signal.SIGTERM)

    def _signal(self, role: str, number: signal.Signals) -> int:
        child = self.processes.pop(role)
        os.killpg(child.pid, number)
        return child.wait(40)

    def leaders(self) -> int:
        """How many times a scheduler was elected so far."""
        logs = [self.home / f"{role}.log" for role in ROLES if role.startswith("scheduler")]
        return sum(log.read_text().count("leader_elected") for log in logs if log.exists())

    def tail(self) -> str:
        """The last words of each process."""
        return "\n".join(
            f"== {role}\n"
            + "\n".join((self.home / f"{role}.log").read_text(errors="replace").splitlines()[-8:])
            for role in ROLES
            if (self.home / f"{role}.log").exists()
        )

    def __exit__(self, *error: object) -> None:
        for role in list(self.processes):
            self.kill_role(role)
        self.redis.close()
        super().__exit__(*error)
