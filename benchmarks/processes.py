"""Starting and stopping the processes that are measured."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from types import TracebackType
from typing import Self
from urllib.request import urlopen

START_S = 180  # importing takes seconds where nothing else runs


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A child in its own session; listening when entered, gone when left."""

    def __init__(
        self, *arguments: str, port: int, path: str = "", environ: dict[str, str] | None = None
    ) -> None:
        self._arguments = [sys.executable, *arguments]
        self._environ = {**os.environ, **(environ or {})}
        self.port = port
        self._path = path

    def __enter__(self) -> Self:
        self.child = subprocess.Popen(
            self._arguments,
            env=self._environ,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.child.poll() is not None:
                raise RuntimeError(f"{self._arguments} ended with {self.child.returncode}")
            if self._listens():
                return self
            time.sleep(0.1)
        raise RuntimeError(f"{self._arguments} did not listen within {START_S} s")

    def _listens(self) -> bool:
        try:
            if self._path:
                with urlopen(f"http://127.0.0.1:{self.port}{self._path}", timeout=2) as answer:
                    return bool(answer.status == 200)
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.child.pid, number)
                self.child.wait(15)
                return
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                return
