"""Processes of the product, forked by a server that has imported it: all is real but the seconds of importing.

Those who prove the very start, from ``python -m bot`` on, start it so: tests of the command line, of the demo and of
upgrades, and the long forms of chaos and load.
"""

from __future__ import annotations

import functools
import gc
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

# What the processes import, but for that which reads a configuration when it is imported (bot.celery_app).
PRELOADED = (
    *("bot.cli", "bot.commands.serve", "bot.commands.web", "bot.commands.worker", "bot.commands.scheduler"),
    *("bot.runtime", "bot.station", "bot.scheduler.leader", "bot.workers.broker", "celery.bin.worker"),
    *("bot.commands.backup", "bot.commands.restore", "bot.commands.outbox", "bot.sandbox.server"),
    *("psycopg", "pymysql", "tests.crashing", "tests.forked"),
)


class Forked:
    """``python ARGUMENTS`` (``-m``, a module of ours, its own), as ``subprocess.Popen`` offers it; leads a session."""

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.args = list(arguments)
        told = (self.args, log, {**os.environ, **(env or {})}, prepare)
        self._process = _context().Process(target=_run, args=told, daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """The exit code, as Popen tells it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it is there. Raises TimeoutExpired."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """To it alone. Does nothing when it is gone."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def kill_session(process: Forked | subprocess.Popen[bytes]) -> None:
    """SIGKILL to the process and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # forked a moment ago, and not yet the leader of its session
        process.send_signal(signal.SIGKILL)


@functools.cache
def _context() -> ForkServerContext:
    """The server; it ends with this process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def _run(arguments: list[str], log: Path, env: dict[str, str], prepare: Callable[[], Any] | None) -> None:
    os.setsid()
    with log.open("ab", buffering=0) as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    os.environ.clear()
    os.environ.update(env)
    if prepare is not None:
        prepare()
    _, module, *rest = arguments
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if "multiprocessing.forkserver" in " ".join(sys.orig_argv):  # this is the server, which imports it last
    gc.freeze()  # so that its children need not walk what it has imported
