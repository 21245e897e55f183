"""``lianke serve`` in a child that dies at a named point, as if the power went: ``os._exit``, no clean-up.

Production code has no seam for this: the child wraps the functions between which the point lies. A renamed function
fails the test loudly.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.forked import Forked

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


def _arm(point: str, detail: str, skip: int) -> None:
    """In the child: die at ``point`` with the row after ``skip`` others; ``detail`` must be in its kind or API."""
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


def start(config: Path, log: Path, point: str = "", detail: str = "", skip: int = 0) -> Forked:
    """Start the child; its exit code is ``KILLED`` when it died at the point."""
    prepare = functools.partial(_arm, point, detail, skip) if point else None
    return Forked(("-m", "bot", "--config", str(config), "serve"), log, prepare=prepare)
