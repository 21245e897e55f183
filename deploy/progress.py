"""A progress display of one line a step: what is being done, for how long, and how it ended. Standard library only."""

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
TICK = 0.1
QUIET_REPORT = 20.0  # seconds between lines where nothing can be redrawn


class Failed(Exception):
    """A command of a step failed; ``output`` is what it said."""

    def __init__(self, title: str, output: str) -> None:
        super().__init__(title)
        self.title = title
        self.output = output


class Progress:
    """Shows numbered steps. Redraws one line on a terminal, prints few plain lines elsewhere."""

    def __init__(self, total: int, log: Path) -> None:
        self._total = total
        self._log = log
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._number = 0
        self._title = ""
        self._began = 0.0
        self._last_report = 0.0

    @contextlib.contextmanager
    def step(self, title: str, english: str) -> Iterator[None]:
        """Show one step from its start to its end."""
        self._number += 1
        self._title = f"{title} · {english}"
        self._began = self._last_report = time.monotonic()
        self._draw(FRAMES[0], "")
        yield
        self._write(f"  ✓ {self._head()} {self._elapsed()}", end="\n")

    def run(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        """Run a command inside the step, showing its latest line; raise Failed with its output if it fails."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        lines: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=_pump, args=(process, lines), daemon=True)
        reader.start()
        said: list[str] = []
        try:
            self._watch(reader, lines, said)
        finally:
            if process.poll() is None and reader.is_alive():
                process.terminate()
            process.wait()
            self._keep(command, said)
        if process.returncode != 0:
            raise Failed(self._title, "".join(said))

    def note(self, text: str) -> None:
        """Say something once."""
        self._write(f"  … {text}", end="\n")

    def fail(self, text: str) -> None:
        """Say that it ended badly."""
        self._write(f"  ✗ {text}", end="\n")

    def done(self, text: str) -> None:
        """Say that all steps are done."""
        self._write(f"  ✓ {text}", end="\n")

    def _watch(self, reader: threading.Thread, lines: "queue.Queue[str]", said: list[str]) -> None:
        frame = 0
        detail = ""
        while reader.is_alive() or not lines.empty():
            with contextlib.suppress(queue.Empty):
                said.append(lines.get(timeout=TICK))
                detail = said[-1].strip() if _is_news(said[-1]) else detail
            frame += 1
            self._draw(FRAMES[frame % len(FRAMES)], detail)

    def _draw(self, frame: str, detail: str) -> None:
        if self._live:
            self._write(f"  {frame} {self._head()} {self._elapsed()}  {detail}", end="")
        elif time.monotonic() - self._last_report >= QUIET_REPORT:
            self._last_report = time.monotonic()
            self._write(f"  … {self._head()} {self._elapsed()}  {detail}", end="\n")

    def _head(self) -> str:
        return f"[{self._number}/{self._total}] {self._title}"

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._began:.0f} s"

    def _write(self, text: str, *, end: str) -> None:
        if self._live:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80  # some report none
            text = "\r\x1b[2K" + _cut(text, columns - 1)
        with contextlib.suppress(UnicodeEncodeError):  # a terminal without UTF-8 loses the line, not the work
            sys.stderr.write(text + end)
            sys.stderr.flush()

    def _keep(self, command: Sequence[str], said: list[str]) -> None:
        with self._log.open("a", encoding="utf-8") as log:
            log.write("$ " + " ".join(map(str, command)) + "\n" + "".join(said))


def _pump(process: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    assert process.stdout is not None  # noqa: S101 - opened with a pipe above
    for line in process.stdout:
        lines.put(line)


def _is_news(line: str) -> bool:
    """Whether a line tells a person how far the work is; warnings are for the log."""
    return line.strip().startswith(
        ("Collecting", "Downloading", "Downloaded", "Building", "Built", "Get:", "Unpacking", "+ ")
    )


def _cut(text: str, columns: int) -> str:
    """Cut to what fits on a line, Chinese characters being two columns wide."""
    width = 0
    for index, char in enumerate(text):
        width += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if width > columns:
            return text[:index]
    return text
