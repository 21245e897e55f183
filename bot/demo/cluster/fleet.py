"""The cluster's processes: started in order, started again when they die, ended in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.config import Config
from bot.demo.child import environment, last_words
from bot.demo.cluster.places import ClusterPlaces
from bot.demo.places import CannotStart
from bot.workers.broker import make_celery

REST = ("inbound", "outgoing", "background")
REST_OPTIONS = tuple(part for queue in REST for part in ("--queue", queue))
WEB = "web"
# name → its command line behind ``lianke --config …``, in the order of the start
ROLES: Mapping[str, Sequence[str]] = {
    "welcome": ("worker", "--queue", "welcome"),
    "worker-1": ("worker", *REST_OPTIONS),
    "worker-2": ("worker", *REST_OPTIONS),
    "scheduler-1": ("scheduler",),
    "scheduler-2": ("scheduler",),
    WEB: ("web",),
}
WORKERS = [name for name, line in ROLES.items() if line[0] == "worker"]
START_S = 300.0  # a machine that is very busy; some seconds on one that is not
STOP_S = 30.0  # 25 s for the work under way, 5 s to exit
LOOK_EVERY_S = 0.2
SETTLED_S = 30.0  # who lived so long has not failed to start
REST_S, LONGEST_REST_S = 1.0, 30.0


@dataclass
class Part:
    """One process and how often it fell."""

    name: str
    process: subprocess.Popen[bytes]
    started: float
    falls: int = 0
    again_at: float | None = None


@dataclass
class Fleet:
    """``start_workers``, ``start_web``, ``watch`` until interrupted, at last ``stop``. ``tell`` speaks to a person."""

    places: ClusterPlaces
    config: Config
    tell: Callable[[str], None]
    parts: dict[str, Part] = field(default_factory=dict)

    def start_workers(self) -> None:
        """Everything but the web runs and hears messages. Raises CannotStart."""
        for name in ROLES:
            if name != WEB:
                self._start(name)
        celery = make_celery(self.config)
        end = time.monotonic() + START_S
        while len(celery.control.ping(timeout=1.0, limit=len(WORKERS))) < len(WORKERS):
            self._require_alive(end)

    def start_web(self, is_ready: Callable[[], bool]) -> None:
        """The web answers. Raises CannotStart."""
        self._start(WEB)
        end = time.monotonic() + START_S
        while not is_ready():
            self._require_alive(end)
            time.sleep(LOOK_EVERY_S)

    def _start(self, name: str) -> None:
        arguments = [str(os.getpid()), "--config", str(self.places.config), *ROLES[name]]
        with self.places.log_of(name).open("ab") as log:
            # A group of its own: Ctrl-C reaches us alone, and we end them in order.
            process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "bot.demo.cluster.part", *arguments],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        falls = self.parts[name].falls if name in self.parts else 0
        self.parts[name] = Part(name, process, time.monotonic(), falls)

    def _require_alive(self, end: float) -> None:
        for part in self.parts.values():
            if part.process.poll() is not None:
                log = self.places.log_of(part.name)
                raise CannotStart(f"{part.name} 没有启动成功：{last_words(log)}\n完整记录见 {log}")
        if time.monotonic() > end:
            raise CannotStart(f"进程在 {START_S:.0f} 秒内没有就绪，记录见 {self.places.home}/*.log")

    def watch(self) -> None:
        """Start again, for ever, what dies; who dies at once rests longer each time."""
        while True:
            for part in list(self.parts.values()):
                self._look_after(part)
            time.sleep(LOOK_EVERY_S)

    def _look_after(self, part: Part) -> None:
        code, now = part.process.poll(), time.monotonic()
        if code is None:
            if now - part.started > SETTLED_S:
                part.falls = 0
            return
        if part.again_at is None:
            rest = min(REST_S * 2**part.falls, LONGEST_REST_S)
            part.falls, part.again_at = part.falls + 1, now + rest
            self.tell(f"{part.name}（pid {part.process.pid}）意外结束：{_how(code)}，{rest:.0f} 秒后重新启动")
        elif now >= part.again_at:
            self._start(part.name)
            self.tell(f"{part.name} 已重新启动（pid {self.parts[part.name].process.pid}）")

    def stop(self) -> None:
        """End the web, so that nothing new comes, then the others; what is under way ends first."""
        self._end([WEB])
        self._end([name for name in self.parts if name != WEB])

    def _end(self, names: Iterable[str]) -> None:
        running = [self.parts[name].process for name in names if name in self.parts]
        for process in running:
            process.send_signal(signal.SIGTERM)
        end = time.monotonic() + STOP_S
        for process in running:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def kill(self) -> None:
        """End everything at once: rows and leases see to the rest at the next start."""
        for part in self.parts.values():
            part.process.kill()
            part.process.wait()


def _how(code: int) -> str:
    return f"信号 {signal.Signals(-code).name}" if code < 0 else f"退出码 {code}"
