"""A cluster of real processes on PostgreSQL or MariaDB and Redis; whatever is in it can be killed, every way to it cut.

sandbox -> callbacks -> round robin -> web-1, web-2
every process -> database_net -> the database, -> redis_net -> a Redis of our own, -> platform_net -> sandbox
"""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from sqlalchemy.engine import make_url

from tests.deploy.proxy import RoundRobin
from tests.fault_proxy import FaultProxy
from tests.forked import Forked, kill_session
from tests.private_servers import PrivateRedis
from tests.rig import Rig, Through
from tests.stand import free_port

MORE = """
[redis]
url = "redis://127.0.0.1:{redis}/0"
[runtime]
mode = "cluster"
"""
ROLES: Mapping[str, Sequence[str]] = {
    "web-1": ("web",),
    "web-2": ("web",),
    "welcome-1": ("worker", "--queue", "welcome"),
    "welcome-2": ("worker", "--queue", "welcome"),
    "rest-1": ("worker", "--queue", "inbound", "--queue", "outgoing", "--queue", "background"),
    "rest-2": ("worker", "--queue", "inbound", "--queue", "outgoing", "--queue", "background"),
    "scheduler-1": ("scheduler",),
    "scheduler-2": ("scheduler",),
}
START_SECONDS = 300  # of processes that import much, many at a time, on a machine that others use
WEBS = [role for role, line in ROLES.items() if line[0] == "web"]
WORKERS = [role for role, line in ROLES.items() if line[0] == "worker"]


class ClusterRig(Rig):
    """``with ClusterRig(home, database=url) as rig``, then ``rig.start_all()``. The judge reads ``url`` directly."""

    def __init__(self, home: Path, *, database: str) -> None:
        self.processes: dict[str, Forked | subprocess.Popen[bytes]] = {}
        self._starts: Counter[str] = Counter()
        self._ports = {role: free_port() for role in WEBS}
        self._servers = ExitStack()
        sandbox_port, url = free_port(), make_url(database)
        self.redis = PrivateRedis()
        self.balancer = RoundRobin(list(self._ports.values()))
        self.callbacks = FaultProxy(self.balancer.port)
        self.platform_net = FaultProxy(sandbox_port)
        self.redis_net = FaultProxy(self.redis.port)
        self.database_net = FaultProxy(url.port or 0, url.host or "")
        self.nets = {
            "callbacks": self.callbacks,
            "platform": self.platform_net,
            "redis": self.redis_net,
            "database": self.database_net,
        }
        through = url.set(host="127.0.0.1", port=self.database_net.port)
        super().__init__(
            home,
            database=database,
            more=MORE.format(redis=self.redis_net.port),
            sandbox_port=sandbox_port,
            through=Through(
                base=f"http://127.0.0.1:{self.balancer.port}",
                callback=f"http://127.0.0.1:{self.callbacks.port}",
                database=through.render_as_string(hide_password=False),
                sandbox=f"http://127.0.0.1:{self.platform_net.port}",
            ),
        )

    def __enter__(self) -> Self:
        for server in (self.redis, self.balancer, *self.nets.values()):
            self._servers.enter_context(server)
        return super().__enter__()

    def start_all(self, roles: Sequence[str] = tuple(ROLES)) -> None:
        """Start these roles and wait until the webs answer, the workers listen and a scheduler leads."""
        for role in roles:
            self.start_role(role)
        for role in roles:
            self.until_working(role)
        self.until("a scheduler leads", self.leaders, START_SECONDS)

    def start_role(self, role: str) -> None:
        self._starts[role] += 1
        env = {"LIANKE_SERVER__PORT": str(self._ports[role])} if role in WEBS else None
        command = ("-m", "bot", "--config", str(self.config_path), *ROLES[role])
        self.processes[role] = self._spawn(role, *command, env=env)

    def supervise(self) -> list[str]:
        """Start again what ended by itself, as systemd and Kubernetes do; what that was."""
        ended = [
            f"{role} ({child.poll()})" for role, child in self.processes.items() if child.poll() is not None
        ]
        for role in [one.split(" ")[0] for one in ended]:
            del self.processes[role]
            self.start_role(role)
        return ended

    def until_working(self, role: str) -> None:
        """Wait until a process that was just started works: then the next one may die."""
        if role in WEBS:
            healthz = f"http://127.0.0.1:{self._ports[role]}/healthz"
            self.until(f"{role} answers", lambda: self._answers(healthz), START_SECONDS)
        elif role in WORKERS:
            ready = self._starts[role]
            self.until(f"{role} is ready", lambda: self._log(role).count("ready.") == ready, START_SECONDS)

    def readiness(self, role: str = WEBS[0]) -> dict[str, object]:
        """What a web says in /readyz, ready or not."""
        found: dict[str, object] = self._http.get(
            f"http://127.0.0.1:{self._ports[role]}/readyz", timeout=30
        ).json()
        return found

    def _log(self, role: str) -> str:
        return (self.home / f"{role}.log").read_text(errors="replace")

    def kill_role(self, role: str) -> int:
        """SIGKILL, as a machine dies; the exit code, which is another where it had ended by itself."""
        return self._signal(role, signal.SIGKILL)

    def stop_role(self, role: str) -> int:
        """SIGTERM; the exit code."""
        return self._signal(role, signal.SIGTERM)

    def _signal(self, role: str, number: signal.Signals) -> int:
        child = self.processes.pop(role)
        if child.poll() is None:
            kill_session(child) if number == signal.SIGKILL else child.send_signal(number)
        return child.wait(40)

    def heal(self) -> None:
        """The network is well again."""
        for net in self.nets.values():
            net.heal()

    def leaders(self) -> int:
        """How many times a scheduler was elected so far."""
        logs = [self.home / f"{role}.log" for role in ROLES if role.startswith("scheduler")]
        return sum(log.read_text().count("leader_elected") for log in logs if log.exists())

    def tail(self) -> str:
        """The last words of each process."""
        started = [role for role in ROLES if (self.home / f"{role}.log").exists()]
        lines = {role: self._log(role).splitlines()[-5:] for role in started}
        return "\n".join("\n".join([f"== {role}", *(line[:300] for line in lines[role])]) for role in lines)

    def __exit__(self, *error: object) -> None:
        for role in list(self.processes):
            self.kill_role(role)
        super().__exit__(*error)
        self._servers.__exit__(*error)  # type: ignore[arg-type]
