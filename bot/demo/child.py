"""Starts, watches and stops the sandbox's process, and speaks to its control routes."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from bot.demo.places import HOST, CannotStart, Places

START_S = 30.0
STOP_S = 7.0  # the sandbox gives requests under way 5 s
LOAD_S = 60.0
AGAIN_S = 1.0


class Sandbox:
    """The child process. ``start``, ``wait``, then calls, at last ``stop``; it is started again when it falls over."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start the process; it shares our process group and dies with us."""
        places = self._places
        arguments = [
            str(os.getpid()),
            str(places.sandbox_port),
            str(places.config),
            str(places.sandbox_database),
        ]
        with places.sandbox_log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "bot.demo.box", *arguments],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        """Return when it answers. Raises CannotStart with its last words when it does not."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                self.call("GET", "/faults")
            except OSError:
                time.sleep(0.03)
                continue
            threading.Thread(target=self._keep_up, name="sandbox", daemon=True).start()
            return
        log = self._places.sandbox_log
        raise CannotStart(f"沙箱没有启动成功：{last_words(log)}\n完整记录见 {log}")

    @property
    def pid(self) -> int:
        """Of the process that runs now; 0 before the start."""
        return 0 if self._process is None else self._process.pid

    def _keep_up(self) -> None:
        """Start it again whenever it ends without being told to."""
        while not self._stopping.is_set():
            if self._process is not None:
                self._process.wait()
            if self._stopping.wait(AGAIN_S):
                return
            self.start()

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One control call. Raises OSError when it does not answer, CannotStart when it refuses."""
        connection = http.client.HTTPConnection(HOST, self._places.sandbox_port, timeout=LOAD_S)
        try:
            data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
            connection.request(method, f"/sandbox{path}", data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise CannotStart(f"沙箱拒绝了 {method} {path}：{text.decode('utf-8', 'replace')[:500]}")
        found: dict[str, Any] = json.loads(text)
        return found

    def stop(self) -> None:
        """End it: politely, then firmly. Does nothing when it is gone already."""
        self._stopping.set()
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def last_words(log: Path) -> str:
    """The end of a child's log, for whoever reads why it did not start."""
    try:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return " | ".join(lines[-2:]) or "没有输出"


def environment() -> dict[str, str]:
    """Ours without what would change a configuration; the child keeps its bytecode where we keep ours."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("LIANKE_")}
    if sys.pycache_prefix and not sys.dont_write_bytecode:
        found.pop("PYTHONDONTWRITEBYTECODE", None)
        found["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    return found
