"""``lianke serve`` in a child that dies at a named point, as if the power went: ``os._exit``, no clean-up.

Production code has no seam for this: the child wraps the functions between which the point lies. A renamed function
fails the test loudly.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

KILLED = 137

# point → (module, class or None, function, whether death comes before or after it)
POINTS: dict[str, tuple[str, str | None, str, str]] = {
    "event recorded, callback not answered": ("bot.callbacks.intake", "Intake", "_write", "after"),
    "event claimed": ("bot.workers.inbox_worker", "InboxWorker", "_handle_batch", "before"),
    "event handled, not committed": ("bot.workers.inbox_worker", None, "dispatch_together", "after"),
    "event done": ("bot.workers.inbox_worker", "InboxWorker", "_run", "after"),
    "call claimed, not sent": ("bot.workers.outbox_worker", "OutboxWorker", "perform", "before"),
    "call answered, not recorded": ("bot.workers.recorder", "Recorder", "_finish", "before"),
    "call recorded, not committed": ("bot.workers.recorder", "Recorder", "_finish", "after"),
    "call recorded": ("bot.workers.recorder", "Recorder", "record", "after"),
}


def serve(config: Path, log: Path, point: str, detail: str, skip: int) -> None:
    """The child. Dies at ``point`` with the row after ``skip`` others; ``detail`` must be in its kind or API."""
    with log.open("ab", buffering=0) as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    if point:
        _arm(point, detail, skip)
    from bot.cli import main

    main(["--config", str(config), "serve"])


def _arm(point: str, detail: str, skip: int) -> None:
    module_name, class_name, name, when = POINTS[point]
    owner: Any = __import__(module_name, fromlist=["*"])
    if class_name is not None:
        owner = getattr(owner, class_name)
    original: Callable[..., Any] = getattr(owner, name)
    passed, lock = 0, threading.Lock()

    def die_in_turn(arguments: tuple[Any, ...]) -> None:
        nonlocal passed
        subjects = [subject for argument in arguments for subject in _subjects(argument)]
        with lock:
            passed += sum(detail in subject for subject in subjects)
            if passed > skip:
                os._exit(KILLED)

    @functools.wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            die_in_turn(arguments)
        result = original(*arguments, **named)
        if when == "after":
            die_in_turn(arguments)
        return result

    setattr(owner, name, wrapped)


def _subjects(argument: Any) -> list[str]:
    """What the rows among the arguments are about: rows that are worked on together count each."""
    if isinstance(argument, list):
        return [subject for item in argument for subject in _subjects(item)]
    row = getattr(argument, "row", None)
    named = [getattr(holder, name, "") for holder in (argument, row) for name in ("api", "kind")]
    return [str(name) for name in named if name][:1]


@functools.cache
def _context() -> ForkServerContext:
    """A server that has imported the product and forks a child in milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bot.cli", "bot.commands.serve", "tests.crashing"])
    return context


def start(config: Path, log: Path, point: str = "", detail: str = "", skip: int = 0) -> ForkServerProcess:
    """Start the child; its exit code is ``KILLED`` when it died at the point."""
    child = _context().Process(target=serve, args=(config, log, point, detail, skip), daemon=True)
    child.start()
    return child
